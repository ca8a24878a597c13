import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
  type Stats,
} from 'node:fs';

const MOST_TEXT_BYTES = 1 << 20;
const MOST_BINARY_BYTES = 16 << 20;
const MOST_NAMES = 4096;
/** Any of the three bits: root may execute it then. */
const ANY_EXECUTE = 0o111;

/** What does not exist, may not be looked at, or is something else by now. Anything else is thrown. */
function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

/** A regular file, read whole: undefined when it is longer than `most`. A FIFO or device is never waited for. */
function readBounded(path: string, most: number): Buffer | undefined {
  return orNothing(() => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      // Files of /proc say that they are empty, so the size is no guide.
      if (!fstatSync(fd).isFile()) return undefined;
      const chunks: Buffer[] = [];
      for (let length = 0; ;) {
        const chunk = Buffer.alloc(64 << 10);
        const count = readSync(fd, chunk);
        if (count === 0) return Buffer.concat(chunks);
        length += count;
        if (length > most) return undefined;
        chunks.push(chunk.subarray(0, count));
      }
    } finally {
      closeSync(fd);
    }
  });
}

export function readText(path: string): string | undefined {
  return readBounded(path, MOST_TEXT_BYTES)?.toString('utf8');
}

export function listFolder(folder: string): readonly string[] | undefined {
  return orNothing(() => readdirSync(folder).slice(0, MOST_NAMES));
}

export function digestOf(path: string): string | undefined {
  const bytes = readBounded(path, MOST_BINARY_BYTES);
  return bytes === undefined ? undefined : createHash('sha256').update(bytes).digest('hex');
}

export function fileHolds(path: string, text: string): boolean {
  return readBounded(path, MOST_BINARY_BYTES)?.includes(text) ?? false;
}

function kindOf(stats: Stats): 'file' | 'folder' | 'link' | 'socket' | 'other' {
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  return stats.isSocket() ? 'socket' : 'other';
}

export type FileLook = {
  readonly kind: ReturnType<typeof kindOf>;
  readonly target: string | undefined;
  readonly resolved: string | undefined;
  readonly identity: string | undefined;
  readonly executable: boolean;
};

export function lookAt(path: string): FileLook | undefined {
  const own = orNothing(() => lstatSync(path));
  if (own === undefined) return undefined;
  const end = orNothing(() => statSync(path));
  const isLink = own.isSymbolicLink();
  return {
    kind: kindOf(own),
    target: isLink ? orNothing(() => readlinkSync(path)) : undefined,
    resolved: isLink ? orNothing(() => realpathSync(path)) : undefined,
    identity: end === undefined ? undefined : `${end.dev}:${end.ino}`,
    executable: end !== undefined && end.isFile() && (end.mode & ANY_EXECUTE) !== 0,
  };
}
