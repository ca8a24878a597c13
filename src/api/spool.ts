import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { entryOf } from '../cni/spec/errors.ts';
import { SideBySide } from './side-by-side.ts';
import { readEntry, type OpenFile, type SpooledRequest } from './spool-entry.ts';

const MOST_ENTRIES = 4096;
/** Many nodes restart with all their pods at once; each DEL holds its request and a few descriptors. */
const AT_ONCE = 16;
const PERMISSIONS = 0o777;
const TRY_AGAIN = entryOf('try-again').code;

/** Where the relay leaves what it could not deliver. */
export function spoolFolder(socketPath: string): string {
  return `${socketPath}.spool`;
}

export type SpoolLog = {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
};

export type SpoolAnswer = { readonly ok: boolean; readonly body: object | undefined };
export type RunSpooled = (request: SpooledRequest) => Promise<SpoolAnswer>;

export type SettleOptions = {
  /** True from when nothing more shall be begun: what is left stays in the folder. */
  readonly isStopped?: () => boolean;
  readonly openFile?: OpenFile;
};

/**
 * Does what the relay promised while the daemon was away, oldest first, and gives the number of requests done.
 * Attachments are settled side by side, the requests of one in order; a GC runs alone, between what came before and
 * after it. What can never be read is dropped with a word in the log, and so is what fails: a DEL that fails now would
 * fail for ever, and GC comes round again. What cannot be read now, or is told to try again, stays for the next look.
 * Nothing that lies in the folder makes this reject.
 */
export async function settleSpool(
  socketPath: string,
  run: RunSpooled,
  log: SpoolLog,
  { isStopped = () => false, openFile }: SettleOptions = {},
): Promise<number> {
  const folder = spoolFolder(socketPath);
  const work = new SideBySide(AT_ONCE);
  let settled = 0;
  const settle = async (path: string, request: SpooledRequest): Promise<void> => {
    if (isStopped()) return;
    const answer = await outcome(run(request));
    if (answer.ok) settled += 1;
    else log.warn({ path, answer: answer.body }, 'a spooled request failed');
    if (!isForLater(answer)) await drop(path, log);
  };
  for (const name of await entriesOf(folder, log)) {
    if (isStopped()) break;
    const path = join(folder, name);
    const entry = await readEntry(path, name, openFile);
    if (entry.kind === 'request') {
      const { request } = entry;
      const isAlone = request.environment['CNI_COMMAND'] === 'GC';
      if (isAlone) await work.idle();
      await work.add(attachmentOf(request), () => settle(path, request));
      if (isAlone) await work.idle();
    } else if (entry.kind === 'unfit') {
      log.warn({ path, problem: entry.problem }, 'a spooled request cannot be read and is dropped');
      await drop(path, log);
    } else if (entry.kind === 'later') {
      log.warn({ path, problem: entry.problem }, 'a spooled request cannot be read now and stays');
    }
  }
  await work.idle();
  if (settled > 0) log.info({ settled }, 'requests that came while the daemon was away are done');
  return settled;
}

/** The network is in the body and not looked for: two networks on one interface name are not worth the parsing. */
function attachmentOf({ environment }: SpooledRequest): string {
  return JSON.stringify([environment['CNI_CONTAINERID'], environment['CNI_IFNAME']]);
}

async function outcome(answer: Promise<SpoolAnswer>): Promise<SpoolAnswer> {
  try {
    return await answer;
  } catch (error) {
    return { ok: false, body: { msg: String(error) } };
  }
}

function isForLater({ ok, body }: SpoolAnswer): boolean {
  return !ok && body !== undefined && 'code' in body && body.code === TRY_AGAIN;
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
      const mode = (stat.mode & PERMISSIONS).toString(8).padStart(4, '0');
      log.warn(
        { folder, owner: stat.uid, mode },
        'the spool is not a private folder of this user (mode 0700) and is not looked at: remove it, and the plugin makes it again',
      );
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
