import { hash } from 'node:crypto';
import { close, closeSync, ftruncate, ftruncateSync, openSync } from 'node:fs';
import { renameSync, rmSync, unlinkSync, write, writeSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isSysError, SysError } from '../base/sys-error.ts';
import { AsideFolder } from './aside-folder.ts';
import { utf8 } from '../base/bytes.ts';
import { renameat2, renameat2OffLoop } from './ffi.ts';
import { fromNodeError } from './errno.ts';
import { Lane } from './lanes.ts';
import { diskCalls, type LoopCalls } from './loop-calls.ts';
import { foreign, foreignFolder } from './ownership.ts';
import { readRecords, type StoredFile } from './record-reader.ts';

// linux/fcntl.h, linux/fs.h
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const SUFFIX = '.json';
const ASIDE = 'unreadable';
/** Names that start so are no records: being written. */
const HIDDEN = '.';
const MOST_SPARES = 256;
/** 160 bits: no two attachments of a node ever meet. */
const HASH_DIGITS = 40;
const OWNER_ONLY = 0o600;
const OWNER_FOLDER = 0o700;
const OTHERS = 0o077;
/** A block of most file systems: as much room as a record takes. */
const TRIAL_BYTES = 4096;

/** The name under which a key's record is kept: keys hold slashes and may be longer than a file name. */
export function recordFileName(key: string): string {
  return hash('sha256', key).slice(0, HASH_DIGITS) + SUFFIX;
}

/**
 * One JSON file per lease, or per something else that has a folder of its own. Written under another name and exchanged
 * with the record, so that a crash at any instruction leaves the old record or the new one. Not flushed to the disk: after
 * a power cut the pods are gone and with them the leases.
 */
export class LeaseFiles {
  readonly #folder: string;
  readonly #aside: AsideFolder;
  readonly #asideTurns = new Lane(1);
  readonly #spareFolder: string;
  readonly #calls: LoopCalls;
  /** What threads do, in the order in which it was asked for. */
  readonly #threadTurns = new Lane(1);
  readonly #spares: string[] = [];
  #counter = 0;

  private constructor(stateDir: string, folder: string, spares: string, calls: LoopCalls) {
    this.#calls = calls;
    this.#folder = join(stateDir, folder);
    this.#aside = new AsideFolder(join(stateDir, ASIDE));
    this.#spareFolder = join(stateDir, spares);
  }

  /**
   * Makes the folders. Rejects with SysError when they cannot be made or written, and with EPERM when somebody else
   * may write there: records say which interfaces are removed and what is sent in whose name.
   */
  static async open(
    stateDir: string,
    folder = 'leases',
    spares = 'spare',
    calls: LoopCalls = diskCalls,
  ): Promise<LeaseFiles> {
    const files = new LeaseFiles(stateDir, folder, spares, calls);
    const op = `open ${files.#folder}`;
    const aside = join(stateDir, ASIDE);
    await attempt(op, async () => {
      await mkdir(files.#folder, { recursive: true, mode: OWNER_FOLDER });
      await mkdir(aside, { recursive: true, mode: OWNER_FOLDER });
    });
    await refuseForeign(op, stateDir, [files.#folder, aside]);
    await attempt(op, async () => {
      // Of an earlier run: not worth to be looked at.
      await rm(files.#spareFolder, { recursive: true, force: true });
      await mkdir(files.#spareFolder, { mode: OWNER_FOLDER });
    });
    return files;
  }

  /**
   * Written without leaving the loop: into the page cache this takes a fifth of a millisecond, and four turns through
   * the thread pool take a whole one of every ADD. Where the disk is busy each of these calls may wait for the file
   * system's journal, tens of milliseconds, and all leases with it: then threads make them.
   */
  async put(name: string, text: string): Promise<void> {
    const path = join(this.#folder, name);
    await this.#make(
      `write ${path}`,
      () => this.#putNow(path, text),
      () => this.#putOnThread(path, text),
    );
  }

  /** On the loop only while no thread is at it: so nothing overtakes what was asked for before. */
  async #make(op: string, here: () => void, onThread: () => Promise<void>): Promise<void> {
    if (!this.#calls.mayCall) await this.#makeOnThread(op, onThread);
    else await attempt(op, () => Promise.resolve(this.#calls.here(here)));
  }

  #makeOnThread(op: string, work: () => Promise<void>): Promise<void> {
    return attempt(op, () => this.#calls.elsewhere(() => this.#threadTurns.run(work)));
  }

  #putNow(path: string, text: string): void {
    const { temporary, fd } = this.#openTemporary();
    try {
      overwrite(fd, text);
      if (exchange(temporary, path)) this.#keepOld(temporary);
      else this.#moveInto(temporary, path, text);
    } catch (error) {
      removeNow(temporary);
      throw error;
    }
  }

  async #putOnThread(path: string, text: string): Promise<void> {
    const { temporary, fd } = this.#openTemporary();
    try {
      await overwriteOnThread(fd, text);
      const swap = await renameat2OffLoop(
        AT_FDCWD,
        cString(temporary),
        AT_FDCWD,
        cString(path),
        RENAME_EXCHANGE,
      );
      if (swap.result === 0) this.#keepOld(temporary);
      else await this.#moveIntoOnThread(temporary, path, text);
    } catch (error) {
      await removeIfThere(temporary);
      throw error;
    }
  }

  async #moveIntoOnThread(temporary: string, path: string, text: string): Promise<void> {
    try {
      await rename(temporary, path);
    } catch (error) {
      if (!isCode(error, 'EXDEV')) throw error;
      this.#moveInto(temporary, path, text);
    }
  }

  /** Where the folder of records is a file system of its own, nothing can be brought there from beside it. */
  #moveInto(temporary: string, path: string, text: string): void {
    try {
      renameSync(temporary, path);
    } catch (error) {
      if (!isCode(error, 'EXDEV')) throw error;
      unlinkSync(temporary);
      const hidden = this.#hidden();
      try {
        overwrite(openSync(hidden, 'wx', OWNER_ONLY), text);
        renameSync(hidden, path);
      } catch (failed) {
        rmSync(hidden, { force: true });
        throw failed;
      }
    }
  }

  /** What was the record until now is what the next one is written into. */
  #keepOld(path: string): void {
    if (this.#spares.length < MOST_SPARES) this.#spares.push(path);
    else unlinkSync(path);
  }

  /** A spare file where there is one that nobody has tidied up, else a new one. */
  #openTemporary(): { readonly temporary: string; readonly fd: number } {
    for (let spare = this.#spares.pop(); spare !== undefined; spare = this.#spares.pop()) {
      const fd = openIfThere(spare);
      if (fd !== undefined) return { temporary: spare, fd };
    }
    this.#counter += 1;
    // Where somebody has tidied the folder of spares away, among the records.
    for (const name of [join(this.#spareFolder, String(this.#counter)), this.#hidden()]) {
      const fd = openIfThere(name, 'wx');
      if (fd !== undefined) return { temporary: name, fd };
    }
    throw new SysError(`write ${this.#folder}`, 'ENOENT', 'the folder of records is gone');
  }

  #hidden(): string {
    return join(this.#folder, `${HIDDEN}${this.#counter}`);
  }

  /**
   * The file is kept for the next record, up to a bound: ext4 looks long for a fresh inode where many were
   * freed a moment ago, as when a node's pods are replaced. Without leaving the loop, as in `put`.
   */
  async remove(name: string): Promise<void> {
    const path = join(this.#folder, name);
    const op = `remove ${name}`;
    if (this.#spares.length >= MOST_SPARES) {
      await this.#makeOnThread(op, () => removeIfThere(path));
      return;
    }
    this.#counter += 1;
    const spare = join(this.#spareFolder, String(this.#counter));
    await this.#make(
      op,
      () => {
        try {
          renameSync(path, spare);
          this.#keepOld(spare);
        } catch (error) {
          throwUnlessOs(error);
          removeNow(path);
        }
      },
      async () => {
        try {
          await rename(path, spare);
          this.#keepOld(spare);
        } catch (error) {
          throwUnlessOs(error);
          await removeIfThere(path);
        }
      },
    );
  }

  /**
   * Every record of an earlier run, ten thousand in well under a second without keeping the loop for long. Leftovers
   * of a write that never ended are removed.
   */
  async load(): Promise<readonly StoredFile[]> {
    const names = await attempt(`read ${this.#folder}`, () => readdir(this.#folder));
    const files: StoredFile[] = [];
    for (const file of await readRecords(this.#folder, names.toSorted())) {
      // A folder of that name is none of our leftovers.
      const leftover = file.name.startsWith(HIDDEN) && 'text' in file;
      if (leftover) await this.#removeLeftover(file.name);
      else files.push(file);
    }
    return files;
  }

  /** One that cannot be removed is in nobody's way: the next start tries again. */
  async #removeLeftover(name: string): Promise<void> {
    try {
      await attempt(`remove ${name}`, () => removeIfThere(join(this.#folder, name)));
    } catch (error) {
      if (!isSysError(error)) throw error;
    }
  }

  /** Why no record can be written now, found out by writing one; undefined when all is well. */
  async writable(): Promise<SysError | undefined> {
    this.#counter += 1;
    const path = join(this.#folder, `${HIDDEN}trial-${this.#counter}`);
    try {
      await attempt(`write ${this.#folder}`, async () => {
        try {
          await writeFile(path, new Uint8Array(TRIAL_BYTES), { flag: 'wx', mode: OWNER_ONLY });
        } finally {
          await removeIfThere(path);
        }
      });
      return undefined;
    } catch (error) {
      if (isSysError(error)) return error;
      throw error;
    }
  }

  /** Out of the way, but kept, the last hundred of them: a person may want to see it. Returns where it is now. */
  moveAside(name: string): Promise<string> {
    return this.#asideTurns.run(() =>
      attempt(`move ${name} aside`, () => this.#aside.take(this.#folder, name)),
    );
  }
}

/** Folders of our own are shut; those of somebody else, or around which somebody else may rename, are refused. */
export async function refuseForeign(op: string, stateDir: string, own: readonly string[]): Promise<void> {
  const problem = await attempt(op, () => Promise.resolve(foreignFolder(stateDir)));
  if (problem !== undefined) throw new SysError(op, 'EPERM', problem);
  for (const folder of own) {
    const found = await attempt(op, () => stat(folder));
    const ownerProblem = foreign({ uid: found.uid, mode: 0 });
    if (ownerProblem !== undefined) throw new SysError(op, 'EPERM', `${folder} ${ownerProblem}`);
    if ((found.mode & OTHERS) !== 0) await attempt(op, () => chmod(folder, OWNER_FOLDER));
  }
}

/**
 * Both names at once get each other's file. A rename that replaces a file costs ten times as much on ext4: it sends
 * the new one's blocks to the disk before it returns (auto_da_alloc), frees the old inode and its blocks, and the next
 * record needs a fresh one. False when there is nothing to exchange with, or the file system cannot do it.
 */
function exchange(one: string, other: string): boolean {
  return renameat2(AT_FDCWD, cString(one), AT_FDCWD, cString(other), RENAME_EXCHANGE) === 0;
}

function cString(path: string): Uint8Array {
  return utf8(`${path}\0`);
}

/** Cut after writing and not before: ext4 takes an emptied file for one to be flushed when it is closed. Closes it. */
function overwrite(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  try {
    // A disk that is nearly full takes a part, and says so only when it is asked again.
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
    ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}

const writeOnThread = promisify(write);
const cutOnThread = promisify(ftruncate);
const closeOnThread = promisify(close);

/** The same without keeping the loop. */
async function overwriteOnThread(fd: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length;) {
      at += (await writeOnThread(fd, bytes, at, bytes.length - at, at)).bytesWritten;
    }
    await cutOnThread(fd, bytes.length);
  } finally {
    await closeOnThread(fd);
  }
}

/** Another file system, or a folder that somebody removed: a spare file is only a convenience. */
function throwUnlessOs(error: unknown): void {
  if (!(error instanceof Error && 'code' in error)) throw error;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Undefined when the file, or for a new one its folder, is not there. */
function openIfThere(path: string, flags: 'r+' | 'wx' = 'r+'): number | undefined {
  try {
    return openSync(path, flags, OWNER_ONLY);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** rmSync does not say why it failed. */
function removeNow(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
  }
}

export async function attempt<T>(op: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNodeError(op, error);
  }
}
