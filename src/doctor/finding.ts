/** How much a finding matters: the exit status of `leasehold doctor` is made of the worst. */
export type Severity = 'ok' | 'note' | 'warning' | 'error';

/** One thing that was found out about a node or its network. */
export type Finding = {
  /** Stable, for scripts and for the page of findings: "mac-filter", "rogue-server". */
  readonly id: string;
  readonly severity: Severity;
  /** The cause in one sentence, with the names of this node: "eth0 has no carrier". */
  readonly title: string;
  /** What was seen, one fact a line: commands' or packets' own words. */
  readonly evidence: readonly string[];
  /** What to do, one step a line; empty where there is nothing to do. */
  readonly remedy: readonly string[];
  /** Findings of one report with the same text here are about the same fact: `mergeSame` makes one of them. */
  readonly fact?: string;
};

/** That an interface is a Wi-Fi adapter. */
export function wifiFact(name: string): string {
  return `${name} is Wi-Fi`;
}

/**
 * Of findings about the same fact the first one stays, with what the others have seen. What a person reads and a
 * program gets has no `fact` any more.
 */
export function mergeSame(findings: readonly Finding[]): readonly Finding[] {
  const merged: Finding[] = [];
  for (const [at, { fact, ...finding }] of findings.entries()) {
    const same = fact === undefined ? [] : findings.filter((other) => other.fact === fact);
    if (same.length > 0 && same[0] !== findings[at]) continue;
    const evidence = [...finding.evidence, ...same.slice(1).flatMap((other) => other.evidence)];
    merged.push({ ...finding, evidence: [...new Set(evidence)] });
  }
  return merged;
}

/** By which a script can tell: 0 nothing to do, 1 warnings, 2 errors. */
export function exitStatusOf(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ severity }) => severity === 'error')) return 2;
  return findings.some(({ severity }) => severity === 'warning') ? 1 : 0;
}
