import type { Command } from './command.ts';

/** Fits half of a wide screen, and a page. */
const WIDTH = 100;
const CONTINUED = '         ';
const SUMMARY = '     ';

/** The usage of these commands, for a terminal. */
export function usageText(commands: readonly Command[]): string {
  const blocks = commands.map(({ name, usage, summary }) =>
    [
      ...folded(`  leasehold ${name}`, CONTINUED, partsOf(usage)),
      ...folded(SUMMARY, SUMMARY, summary.split(' ')),
    ].join('\n'),
  );
  return `Usage:\n${blocks.join('\n')}\n`;
}

/** Whether somebody asks how it is used, not to run it. */
export function asksForHelp(argv: readonly string[]): boolean {
  return argv.some((word) => word === '--help' || word === '-h');
}

/** What stays on one line: "[--config FILE]", "[--purge [--force]]", "| shell NAME", "| heal [NAME]". */
function partsOf(usage: string): readonly string[] {
  return usage.match(/\[(?:[^[\]]|\[[^\]]*\])*\](?:\.\.\.)?|\| \S+(?: \[[^\]]*\]| [A-Z]+)?|\S+/g) ?? [];
}

function folded(first: string, next: string, parts: readonly string[]): readonly string[] {
  const lines: string[] = [];
  let line = first;
  for (const part of parts) {
    if (line.length + 1 + part.length > WIDTH) {
      lines.push(line);
      line = next;
    }
    line = `${line} ${part}`;
  }
  return [...lines, line];
}
