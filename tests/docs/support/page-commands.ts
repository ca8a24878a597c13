import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/leasehold.ts';

export type PageCommand = {
  /** As a person types it, without the comment behind it; several lines where it is one command of a shell. */
  readonly text: string;
  /** The page says "not run" behind it, or at the head of its block. */
  readonly isMarked: boolean;
};

const BLOCK = /^```sh\n([^]*?)^```$/gm;
const COMMENT = /(?:^|\s+)# .*$/;
const MARK = /\bnot run\b/;

/** The commands of a page's shell blocks ("docs/podman.md"), in its order. */
export function commandsOf(page: string): readonly PageCommand[] {
  return commandsIn(readFileSync(join(ROOT, page), 'utf8'));
}

export function commandsIn(text: string): readonly PageCommand[] {
  return [...text.matchAll(BLOCK)].flatMap(([, block = '']) => {
    const lines = block.split('\n');
    const [head = ''] = lines;
    const isBlockMarked = head.startsWith('# ') && MARK.test(head);
    return joined(lines).map((command) => ({
      text: command.replace(COMMENT, ''),
      isMarked: isBlockMarked || MARK.test(COMMENT.exec(command)?.[0] ?? ''),
    }));
  });
}

/** Lines that a shell reads as one command: a loop, and a line that goes on. */
function joined(lines: readonly string[]): readonly string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of lines) {
    if (open === '' && (line === '' || line.startsWith('# '))) continue;
    open = open === '' ? line : `${open}\n${line}`;
    if (line.endsWith('\\') || (open.startsWith('for ') && line !== 'done')) continue;
    commands.push(open);
    open = '';
  }
  return commands;
}
