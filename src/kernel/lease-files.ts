import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fromNodeError } from './errno.ts';

/** A record is a few kilobytes; what is larger was not written by us. */
const MOST_BYTES = 256 * 1024;
const SUFFIX = '.json';
/** Names that start so are no records: being written, or spare. */
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
  readonly #spares: string[] = [];
  #counter = 0;

  private constructor(stateDir: string) {
    this.#folder = join(stateDir, 'leases');
    this.#aside = join(stateDir, 'unreadable');
  }

  /** Makes the folders. Rejects with SysError when they cannot be made or written. */
  static async open(stateDir: string): Promise<LeaseFiles> {
    const files = new LeaseFiles(stateDir);
    await attempt(`open ${files.#folder}`, async () => {
      await mkdir(files.#folder, { recursive: true, mode: OWNER_FOLDER });
      await mkdir(files.#aside, { recursive: true, mode: OWNER_FOLDER });
    });
    return files;
  }

  /**
   * Written without leaving the loop: into the page cache this takes a fifth of a millisecond, and four turns through
   * the thread pool take a whole one of every ADD.
   */
  async put(name: string, text: string): Promise<void> {
    const path = join(this.#folder, name);
    const spare = this.#spares.pop();
    const temporary = spare ?? this.#newName();
    await attempt(`write ${path}`, async () => {
      try {
        writeFileSync(temporary, text, { flag: spare === undefined ? 'wx' : 'r+', mode: OWNER_ONLY });
        renameSync(temporary, path);
      } catch (error) {
        await removeIfThere(temporary);
        throw error;
      }
    });
  }

  #newName(): string {
    this.#counter += 1;
    return join(this.#folder, `${HIDDEN}${this.#counter}`);
  }

  /**
   * An emptied file is kept for the next record, up to a bound: ext4 looks long for a fresh inode where many were
   * freed a moment ago, as when a node's pods are replaced.
   */
  async remove(name: string): Promise<void> {
    const path = join(this.#folder, name);
    await attempt(`remove ${name}`, async () => {
      if (this.#spares.length >= MOST_SPARES) return removeIfThere(path);
      const spare = this.#newName();
      return unlessMissing(async () => {
        await rename(path, spare);
        await truncate(spare);
        this.#spares.push(spare);
      });
    });
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

async function removeIfThere(path: string): Promise<void> {
  await unlessMissing(() => unlink(path));
}

async function unlessMissing(work: () => Promise<void>): Promise<void> {
  try {
    await work();
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
