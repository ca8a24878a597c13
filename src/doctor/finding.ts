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
};

/** By which a script can tell: 0 nothing to do, 1 warnings, 2 errors. */
export function exitStatusOf(findings: readonly Finding[]): 0 | 1 | 2 {
  if (findings.some(({ severity }) => severity === 'error')) return 2;
  return findings.some(({ severity }) => severity === 'warning') ? 1 : 0;
}
