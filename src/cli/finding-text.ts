import { visible } from '../base/outside-text.ts';
import type { Finding, Severity } from '../doctor/finding.ts';

/** Errors first. */
const ORDER: readonly Severity[] = ['error', 'warning', 'note', 'ok'];
/** ECMA-48 select graphic rendition. */
const COLOURS: Readonly<Record<Severity, number>> = { error: 31, warning: 33, note: 36, ok: 32 };
const WIDTH = 9;

/** Colour on a terminal only, and never when NO_COLOR is set and not empty (https://no-color.org). */
export function wantsColour(output: { readonly isTTY?: boolean }): boolean {
  return output.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
}

export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
}

/** A finding as lines: what it is, what was seen, what to do. File names, command lines and packets are in it. */
export function findingLines(finding: Finding, colour: boolean, indent = ''): readonly string[] {
  const { severity, title, evidence, remedy, id } = finding;
  const word = severity.padEnd(WIDTH);
  const paint = (on: number, text: string): string => (colour ? `\u001B[${on}m${text}\u001B[0m` : text);
  const more = (label: string, lines: readonly string[]): readonly string[] =>
    lines.map((line, i) => `${indent}${(i === 0 ? label : '').padStart(WIDTH - 2)}  ${visible(line)}`);
  return [
    `${indent}${paint(COLOURS[severity], word)}${visible(title)} ${paint(2, `[${id}]`)}`,
    ...more('seen', evidence),
    ...more('do', remedy),
  ];
}

/** "2 errors, 1 warning"; empty when there is nothing of weight. */
export function tally(findings: readonly Finding[]): string {
  return ORDER.slice(0, 3)
    .map(
      (severity) => [severity, findings.filter((finding) => finding.severity === severity).length] as const,
    )
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity}${count === 1 ? '' : 's'}`)
    .join(', ');
}
