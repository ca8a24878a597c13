/** How strongly a clause binds (RFC 2119). A clause that an RFC writes in lower case, or as a cell of a table, has the level that it means. */
export type Level = 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT';

/** A test that `make test` runs: its file below tests/, and its name after those of the suites and tests around it. */
export type Evidence = {
  readonly file: string;
  readonly path: readonly [string, ...string[]];
};

/**
 * What the program does about a clause. What is met has a test that shows it: without one it is not met. What deviates
 * has a reason, and a test of what is done instead where that can be shown. What does not apply has the reason.
 */
export type Verdict =
  | { readonly kind: 'met'; readonly evidence: readonly [Evidence, ...Evidence[]]; readonly note?: string }
  | { readonly kind: 'deviates'; readonly why: string; readonly evidence: readonly Evidence[] }
  | { readonly kind: 'does not apply'; readonly why: string };

export type Clause = {
  /** Of the RFC: "4.4.1", or "4.4.1 table 5". */
  readonly section: string;
  readonly level: Level;
  /** In our own words, from the view of who is bound: "sends ...". */
  readonly says: string;
  readonly verdict: Verdict;
};

/** The clauses of one RFC that bind a client or a host, in the order of its sections. */
export type Rfc = {
  readonly number: number;
  readonly title: string;
  /** What of it is left out, and why, if a reader would look for it. */
  readonly scope?: string;
  readonly clauses: readonly Clause[];
};

type Say = (section: string, says: string, verdict: Verdict) => Clause;

function saying(level: Level): Say {
  return (section, says, verdict) => ({ section, level, says, verdict });
}

export const must = saying('MUST');
export const mustNot = saying('MUST NOT');
export const should = saying('SHOULD');
export const shouldNot = saying('SHOULD NOT');

/** by('protocol/dhcp4/fields.test.ts', 'the suite', 'the test'): the file is below tests/. */
export function by(file: string, ...path: Evidence['path']): Evidence {
  return { file: `tests/${file}`, path };
}

/** Tests of one file, by the last parts of their names: suiteOf('a.test.ts', 'the suite')('the test'). */
export function suiteOf(
  file: string,
  ...suites: readonly string[]
): (test: string, ...parts: readonly string[]) => Evidence {
  return (...path) => {
    const [first = '', ...rest] = [...suites, ...path];
    return by(file, first, ...rest);
  };
}

export function met(...evidence: readonly [Evidence, ...Evidence[]]): Verdict {
  return { kind: 'met', evidence };
}

/** Met, where a reader needs a sentence to see how. */
export function metSo(note: string, ...evidence: readonly [Evidence, ...Evidence[]]): Verdict {
  return { kind: 'met', evidence, note };
}

export function deviates(why: string, ...evidence: readonly Evidence[]): Verdict {
  return { kind: 'deviates', why, evidence };
}

export function doesNotApply(why: string): Verdict {
  return { kind: 'does not apply', why };
}

export function evidenceOf({ verdict }: Clause): readonly Evidence[] {
  return verdict.kind === 'does not apply' ? [] : verdict.evidence;
}

/** "the suite > the test" */
export function testName({ path }: Pick<Evidence, 'path'>): string {
  return path.join(' > ');
}
