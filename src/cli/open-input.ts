import { createReadStream } from 'node:fs';

/** As of a file: no configuration of a person is larger. */
const MOST_BYTES = 1 << 20;
/** How a shell names what it has opened for a program ("<(...)"). */
const DESCRIPTOR = /^\/(?:dev|proc\/self)\/fd\/(\d{1,4})$/;
const STDIN: ReadonlySet<string> = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/** Whether a path stands for what is open already, a pipe for the most part, and not for a file of its own. */
export function isOpenInput(path: string): boolean {
  return STDIN.has(path) || DESCRIPTOR.test(path);
}

/** All that comes, to its end. Undefined when that is more than 1 MiB, or it cannot be read. */
export async function readOpenInput(path: string): Promise<string | undefined> {
  // Others than 0 are opened once more: a number that nobody opened for us is one of Node's own.
  const stream = STDIN.has(path) ? createReadStream('', { fd: 0 }) : createReadStream(path);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      if (!(chunk instanceof Buffer)) return undefined;
      length += chunk.length;
      if (length > MOST_BYTES) return undefined;
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
  return Buffer.concat(chunks).toString('utf8');
}
