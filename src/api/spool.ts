import { constants } from 'node:fs';
import { lstat, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { err, ok, type Result } from '../base/result.ts';
import type { CniRequest } from '../cni/dispatch.ts';
import { environmentOf, pluginOf } from './request-head.ts';

/** 1 MiB of body, and the relay's largest head (REQUEST_HEAD_MAX, about 98 KiB) with room. */
const MOST_BYTES = (1 << 20) + (128 << 10);
const SUFFIX = '.req';
const MOST_ENTRIES = 4096;
/** A relay writes under such a name, which takes it milliseconds; what is this old was left by one that died. */
const UNFINISHED_PREFIX = '.tmp-';
const UNFINISHED_LIMIT_MS = 60_000;

/** Only these may wait: the others need their answer. */
const SPOOLED_COMMANDS: ReadonlySet<string> = new Set(['DEL', 'GC']);

export type SpooledRequest = Omit<CniRequest, 'hangUp'>;

/** Where the relay leaves what it could not deliver. */
export function spoolFolder(socketPath: string): string {
  return `${socketPath}.spool`;
}

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

/** Reads one entry without following links; only regular files of the daemon's own user count. */
async function readEntry(path: string): Promise<Result<Buffer, string>> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.uid !== process.geteuid?.()) return err('is not a regular file of this user');
    if (stat.size > MOST_BYTES) return err(`is larger than ${MOST_BYTES} bytes`);
    return ok(await file.readFile());
  } finally {
    await file.close();
  }
}

async function readRequest(path: string, name: string): Promise<Result<SpooledRequest, string>> {
  if (!name.endsWith(SUFFIX)) return err('does not have the name of a request');
  try {
    const read = await readEntry(path);
    return read.ok ? parseSpooled(read.value) : read;
  } catch (error) {
    // ELOOP for a symbolic link, ENXIO for a socket: nothing that a relay leaves.
    return err(`cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export type SpoolLog = {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
};

export type RunSpooled = (
  request: SpooledRequest,
) => Promise<{ readonly ok: boolean; readonly body: object | undefined }>;

/**
 * Does what the relay promised while the daemon was away, oldest first, and gives the number of requests done. What
 * cannot be read is dropped with a word in the log, what fails is dropped too: a DEL that fails now would fail for
 * ever, and GC comes round again. Nothing that lies in the folder makes this reject.
 */
export async function settleSpool(socketPath: string, run: RunSpooled, log: SpoolLog): Promise<number> {
  const folder = spoolFolder(socketPath);
  const names = await entriesOf(folder, log);
  let settled = 0;
  for (const name of names) {
    const path = join(folder, name);
    if (name.startsWith(UNFINISHED_PREFIX) && !(await isAbandoned(path))) continue;
    const request = await readRequest(path, name);
    if (request.ok) {
      const answer = await run(request.value);
      if (answer.ok) settled += 1;
      else log.warn({ path, answer: answer.body }, 'a spooled request failed');
    } else {
      log.warn({ path, problem: request.error }, 'a spooled request cannot be read and is dropped');
    }
    await drop(path, log);
  }
  if (settled > 0) log.info({ settled }, 'requests that came while the daemon was away are done');
  return settled;
}

/** False while the relay may still be writing it: without its file its DEL would fail. */
async function isAbandoned(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > UNFINISHED_LIMIT_MS;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** A folder stays: nobody but root can have put it here, and a person may want what is in it. */
async function drop(path: string, log: SpoolLog): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (isMissing(error)) return;
    log.warn({ path, error: String(error) }, 'an entry of the spool cannot be removed');
  }
}

async function entriesOf(folder: string, log: SpoolLog): Promise<readonly string[]> {
  try {
    const stat = await lstat(folder);
    if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o077) !== 0) {
      log.warn({ folder }, 'the spool is not a private folder of this user and is not looked at');
      return [];
    }
    return (await readdir(folder)).toSorted().slice(0, MOST_ENTRIES);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
