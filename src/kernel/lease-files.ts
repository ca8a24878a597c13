import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fromNodeError } from './errno.ts';

/** A record is a few kilobytes; what is larger was not written by us. */
const MOST_BYTES = 256 * 1024;
const SUFFIX = '.json';
/** Names that start so are no records: being written. */
const HIDDEN = '.';
const MOST_SPARES = 256;
/** 160 bits: no two attachments of a node ever meet. */
const HASH_DIGITS = 40;
const OWNER_ONLY = 0o600;
const OWNER_FOLDER = 0o700;

/** The name under which a key's record is kept: keys hold slashes and may be longer than a file name. */
export function recordFileName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, HASH_DIGITS) + SUFFIX;
}

/** A file that was found at start: its content, or why it could not be read. */
export type StoredFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly problem: string };

/**
 * One JSON file per lease. Written under a temporary name and renamed, so that a crash at any instruction leaves the
 * old record or the new one. Not flushed to the disk: after a power cut the pods are gone and with them the leases.
 */
export class LeaseFiles {
  readonly #folder: string;
  readonly #aside: string;
  readonly #spareFolder: string;
  readonly #spares: string[] = [];
  /** Files on their way to be a spare: removals side by side keep the bound too. */
  #sparesToCome = 0;
  #counter = 0;

  private constructor(stateDir: string) {
    this.#folder = join(stateDir, 'leases');
    this.#aside = join(stateDir, 'unreadable');
    this.#spareFolder = join(stateDir, 'spare');
  }

  /** Makes the folders. Rejects with SysError when they cannot be made or written. */
  static async open(stateDir: string): Promise<LeaseFiles> {
    const files = new LeaseFiles(stateDir);
    await attempt(`open ${files.#folder}`, async () => {
      await mkdir(files.#folder, { recursive: true, mode: OWNER_FOLDER });
      await mkdir(files.#aside, { recursive: true, mode: OWNER_FOLDER });
      // Of an earlier run: not worth to be looked at.
      await rm(files.#spareFolder, { recursive: true, force: true });
      await mkdir(files.#spareFolder, { mode: OWNER_FOLDER });
    });
    return files;
  }

  /**
   * Written without leaving the loop: into the page cache this takes a fifth of a millisecond, and four turns through
   * the thread pool take a whole one of every ADD.
   */
  async put(name: string, text: string): Promise<void> {
    const path = join(this.#folder, name);
    await attempt(`write ${path}`, async () => {
      const temporary = this.#takeSpare() ?? this.#newFile();
      try {
        overwrite(temporary, text);
        renameSync(temporary, path);
      } catch (error) {
        await removeIfThere(temporary);
        throw error;
      }
    });
  }

  /** Undefined without one, and when somebody has tidied the folder up. */
  #takeSpare(): string | undefined {
    const spare = this.#spares.pop();
    return spare !== undefined && existsSync(spare) ? spare : undefined;
  }

  #newFile(): string {
    this.#counter += 1;
    const path = join(this.#folder, `${HIDDEN}${this.#counter}`);
    writeFileSync(path, '', { flag: 'wx', mode: OWNER_ONLY });
    return path;
  }

  /**
   * The file is kept for the next record, up to a bound: ext4 looks long for a fresh inode where many were
   * freed a moment ago, as when a node's pods are replaced.
   */
  async remove(name: string): Promise<void> {
    const path = join(this.#folder, name);
    await attempt(`remove ${name}`, async () => {
      if (!(await this.#keepAsSpare(path))) await removeIfThere(path);
    });
  }

  async #keepAsSpare(path: string): Promise<boolean> {
    if (this.#spares.length + this.#sparesToCome >= MOST_SPARES) return false;
    this.#sparesToCome += 1;
    this.#counter += 1;
    const spare = join(this.#spareFolder, String(this.#counter));
    try {
      await rename(path, spare);
      this.#spares.push(spare);
      return true;
    } catch (error) {
      // Another file system, or a folder that somebody removed: it is only a convenience.
      if (error instanceof Error && 'code' in error) return false;
      throw error;
    } finally {
      this.#sparesToCome -= 1;
    }
  }

  /** Every record of an earlier run. Leftovers of a write that never ended are removed. */
  async load(): Promise<readonly StoredFile[]> {
    const names = await attempt(`read ${this.#folder}`, () => readdir(this.#folder));
    const files: StoredFile[] = [];
    for (const name of names.toSorted()) {
      const file = await this.#read(name);
      // A folder of that name is none of our leftovers.
      if (name.startsWith(HIDDEN) && 'text' in file) await removeIfThere(join(this.#folder, name));
      else files.push(file);
    }
    return files;
  }

  async #read(name: string): Promise<StoredFile> {
    const path = join(this.#folder, name);
    try {
      const stat = await lstat(path);
      if (!stat.isFile()) return { name, problem: 'is not a regular file' };
      if (stat.size > MOST_BYTES) return { name, problem: `is larger than ${MOST_BYTES} bytes` };
      return { name, text: await readFile(path, 'utf8') };
    } catch (error) {
      return { name, problem: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Out of the way, but kept: a person may want to see it. Returns where it is now. */
  async moveAside(name: string): Promise<string> {
    const to = join(this.#aside, name);
    await attempt(`move ${name} aside`, () => rename(join(this.#folder, name), to));
    return to;
  }
}

/** Cut after writing and not before: ext4 takes an emptied file for one to be flushed when it is closed. */
function overwrite(path: string, text: string): void {
  const bytes = Buffer.from(text);
  const fd = openSync(path, 'r+');
  try {
    // A disk that is nearly full takes a part, and says so only when it is asked again.
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at);
    ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!gone) throw error;
  }
}

async function attempt<T>(op: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNodeError(op, error);
  }
}
