import { constants } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { err, ok, type Result } from '../base/result.ts';
import type { CniRequest } from '../cni/dispatch.ts';
import { environmentOf, pluginOf } from './request-head.ts';

/** 1 MiB of body, and the relay's largest head (REQUEST_HEAD_MAX, about 98 KiB) with room. */
const MOST_BYTES = (1 << 20) + (128 << 10);
const SUFFIX = '.req';
/** A relay writes under such a name, which takes it milliseconds; what is this old was left by one that died. */
const UNFINISHED_PREFIX = '.tmp-';
const UNFINISHED_LIMIT_MS = 60_000;

/** Only these may wait: the others need their answer. */
const SPOOLED_COMMANDS: ReadonlySet<string> = new Set(['DEL', 'GC']);

export type SpooledRequest = Omit<CniRequest, 'hangUp'>;

/** `unfit` will never be a request; `later` may be one: nothing could be seen of it now. */
export type SpoolEntry =
  | { readonly kind: 'request'; readonly request: SpooledRequest }
  | { readonly kind: 'unfit' | 'later'; readonly problem: string }
  | { readonly kind: 'unfinished' | 'gone' };

export type OpenFile = (path: string, flags: number) => Promise<FileHandle>;

/** The head ends at the first empty line (RFC 9112 2.1). */
function endOfHead(bytes: Buffer): number {
  return bytes.indexOf('\r\n\r\n');
}

/** A request as the relay would have sent it over the socket. */
export function parseSpooled(bytes: Buffer): Result<SpooledRequest, string> {
  const end = endOfHead(bytes);
  if (end < 0) return err('has no end of head');
  const [requestLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const [method, url = ''] = requestLine.split(' ');
  const plugin = method === 'POST' ? pluginOf(url) : undefined;
  if (plugin === undefined) return err('is no request to a plugin');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const environment = environmentOf(headers);
  if (environment === undefined) return err('has a variable that is not percent-encoded');
  const stdin = bytes.subarray(end + 4);
  if (!SPOOLED_COMMANDS.has(environment['CNI_COMMAND'] ?? '')) return err('is neither a DEL nor a GC');
  if (Number(headers['content-length']) !== stdin.length) return err('is incomplete');
  return ok({ plugin, environment, stdin });
}

/** Looks at one entry of the spool. Never rejects: an error that may pass makes it an entry for later. */
export async function readEntry(path: string, name: string, openFile: OpenFile = open): Promise<SpoolEntry> {
  try {
    if (name.startsWith(UNFINISHED_PREFIX) && !(await isAbandoned(path))) return { kind: 'unfinished' };
    if (!name.endsWith(SUFFIX)) return { kind: 'unfit', problem: 'does not have the name of a request' };
    const read = await readPrivate(path, openFile);
    const request = read.ok ? parseSpooled(read.value) : read;
    return request.ok
      ? { kind: 'request', request: request.value }
      : { kind: 'unfit', problem: request.error };
  } catch (error) {
    return entryOfError(error);
  }
}

function entryOfError(error: unknown): SpoolEntry {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const problem = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  switch (code) {
    case 'ENOENT':
      return { kind: 'gone' };
    // open(2): a symbolic link, a socket. No relay leaves such a thing.
    case 'ELOOP':
    case 'ENXIO':
      return { kind: 'unfit', problem };
    // EMFILE, ENOMEM, EIO and what else says something about this moment and nothing about the request.
    default:
      return { kind: 'later', problem };
  }
}

/** Without following links; only regular files of the daemon's own user count. */
async function readPrivate(path: string, openFile: OpenFile): Promise<Result<Buffer, string>> {
  const file = await openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.uid !== process.geteuid?.()) return err('is not a regular file of this user');
    if (stat.size > MOST_BYTES) return err(`is larger than ${MOST_BYTES} bytes`);
    return ok(await file.readFile());
  } finally {
    await file.close();
  }
}

/** False while the relay may still be writing it: without its file its DEL would fail. */
async function isAbandoned(path: string): Promise<boolean> {
  return Date.now() - (await lstat(path)).mtimeMs > UNFINISHED_LIMIT_MS;
}
