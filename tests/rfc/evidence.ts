import { evidenceOf, testName, type Evidence, type Rfc } from './clause.ts';

/** A test of this run, as the reporter (./reporter.ts) wrote it down: a line of JSON. */
export type Ran = Evidence & { readonly outcome: 'passed' | 'failed' | 'skipped' | 'todo' };

/** What the reporter wrote. */
export function ranFrom(lines: string): readonly Ran[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Ran);
}

/** What is wrong with a table, one line for each thing: clause, file, name. */
type Faults = readonly string[];

function eachEvidence(rfcs: readonly Rfc[], fault: (evidence: Evidence) => string | undefined): Faults {
  return rfcs.flatMap(({ number, clauses }) =>
    clauses.flatMap((clause) =>
      evidenceOf(clause).flatMap((evidence) => {
        const what = fault(evidence);
        const where = `RFC ${number} ${clause.section} "${clause.says}": ${evidence.file}`;
        return what === undefined ? [] : [`${where}: ${what}: ${testName(evidence)}`];
      }),
    ),
  );
}

/** Evidence that did not run and pass, once, in this run. */
export function notRun(rfcs: readonly Rfc[], ran: readonly Ran[]): Faults {
  const outcomes = Map.groupBy(ran, keyOf);
  return eachEvidence(rfcs, (evidence) => {
    const [first, ...more] = outcomes.get(keyOf(evidence)) ?? [];
    if (first === undefined) return 'no such test ran';
    if (more.length > 0) return 'several tests have this name';
    return first.outcome === 'passed' ? undefined : first.outcome;
  });
}

function keyOf({ file, path }: Evidence): string {
  return JSON.stringify([file, path]);
}

/**
 * Evidence whose file is not there (`textOf` says undefined), or has no string or template that can be the name: what
 * can be known without running anything.
 */
export function notThere(rfcs: readonly Rfc[], textOf: (file: string) => string | undefined): Faults {
  return eachEvidence(rfcs, ({ file, path }) => {
    const text = textOf(file);
    if (text === undefined) return 'there is no such file';
    return path.every((name) => hasName(text, name)) ? undefined : 'the file has no such name';
  });
}

/** As the name of a test or a suite: templates of a file say other things, too. */
const TEMPLATE = /\b(?:test|describe)\(\s*`([^`]*\$\{[^`]*)`/g;

function hasName(text: string, name: string): boolean {
  if ([`'${name}'`, `"${name}"`, `\`${name}\``].some((literal) => text.includes(literal))) return true;
  return [...text.matchAll(TEMPLATE)].some(([, template = '']) => {
    const parts = template.split(/\$\{[^}]*\}/).map((part) => RegExp.escape(part));
    // A template of nothing else could be any name.
    return parts.some((part) => part !== '') && new RegExp(`^${parts.join('.+')}$`).test(name);
  });
}

/** Sections that come after a later one: "4.4.1 table 5" counts as 4.4.1. */
export function outOfOrder({ clauses }: Rfc): readonly string[] {
  const sections = clauses.map(({ section }) => section);
  return sections.filter((section, at) => compareSections(sections[at - 1] ?? '0', section) > 0);
}

/** By their numbers: 4.4.1, 4.4.1 table 5, 4.4.2, 4.10. */
export function compareSections(a: string, b: string): number {
  return numberOf(a).localeCompare(numberOf(b), 'en', { numeric: true });
}

function numberOf(section: string): string {
  return section.split(' ')[0] ?? '';
}
