import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ipv4, parseIpv4 } from '../base/ipv4.ts';
import { attempt, refuseForeign } from './lease-files.ts';
import { readRecords } from './record-reader.ts';

const FOLDER = 'past';
const FILE = 'addresses';
/** Being written. */
const NEW_FILE = '.new';
/** Clients that are remembered; the one that was gone for longest goes first. */
const MOST_CLIENTS = 4096;
/** Lines that later ones have made void are left until there are so many of them: 60 bytes each. */
const MOST_LINES = MOST_CLIENTS + 256;
/** 160 bits: no two clients of a node ever meet. */
const HASH_DIGITS = 40;
const LINE = /^([0-9a-f]{40}) ([0-9.]{7,15})$/;
const OWNER_ONLY = 0o600;
const OWNER_FOLDER = 0o700;

/**
 * The last addresses of clients that are gone: one file of lines `HASH ADDRESS`, in which the last line of a client
 * counts. Lines are appended, and the file is written anew when many of them are void or it is not as it should be.
 * Like the records, it is not flushed to the disk. Not told whose address it was: names of pods are nobody's business.
 */
export class PastAddresses {
  readonly #folder: string;
  /** The one that went longest ago is first. */
  readonly #known = new Map<string, Ipv4>();
  #lines = 0;
  /** The file says what is known, and ends with its last line. */
  #whole = false;
  #dropped = 0;

  private constructor(stateDir: string) {
    this.#folder = join(stateDir, FOLDER);
  }

  /** Reads what is there. Rejects with SysError when the folder cannot be made, EPERM when it is somebody else's. */
  static async open(stateDir: string): Promise<PastAddresses> {
    const past = new PastAddresses(stateDir);
    const folder = past.#folder;
    const op = `open ${folder}`;
    await attempt(op, () => mkdir(folder, { recursive: true, mode: OWNER_FOLDER }));
    await refuseForeign(op, stateDir, [folder]);
    await attempt(op, () => past.#load());
    return past;
  }

  /** Lines, or whole files, that were found and could not be read. */
  get dropped(): number {
    return this.#dropped;
  }

  get size(): number {
    return this.#known.size;
  }

  async #load(): Promise<void> {
    if (!(await readdir(this.#folder)).includes(FILE)) return;
    for (const file of await readRecords(this.#folder, [FILE])) {
      if ('text' in file) {
        this.#read(file.text);
        continue;
      }
      this.#dropped += 1;
      // A folder of that name would be in the way of every file to come.
      await rm(this.#path, { recursive: true, force: true });
    }
  }

  #read(text: string): void {
    const lines = text.split('\n');
    // After the last line end there is nothing, unless a write was cut off.
    const rest = lines.pop();
    for (const line of lines) {
      const [, hash, shown = ''] = LINE.exec(line) ?? [];
      const address = parseIpv4(shown);
      if (hash === undefined || address === undefined) this.#dropped += 1;
      else this.#keep(hash, address);
    }
    if (rest !== '') this.#dropped += 1;
    this.#lines = lines.length;
    this.#whole = this.#dropped === 0;
  }

  get #path(): string {
    return join(this.#folder, FILE);
  }

  get(client: string): Ipv4 | undefined {
    return this.#known.get(hashOf(client));
  }

  /**
   * Known at once; resolves when the file has it, and rejects with SysError. What could not be written is written
   * with the next one. Without leaving the loop: a short line into the page cache.
   */
  put(client: string, address: Ipv4): Promise<void> {
    const hash = hashOf(client);
    this.#keep(hash, address);
    const append = this.#whole && this.#lines < MOST_LINES;
    this.#whole = false;
    return attempt(`write ${this.#path}`, async () => {
      if (append) this.#append(`${hash} ${address}\n`);
      else this.#rewrite();
      this.#whole = true;
    });
  }

  #keep(hash: string, address: Ipv4): void {
    // To the end of the row.
    this.#known.delete(hash);
    this.#known.set(hash, address);
    const [longestGone] = this.#known.keys();
    if (this.#known.size > MOST_CLIENTS && longestGone !== undefined) this.#known.delete(longestGone);
  }

  #append(line: string): void {
    const bytes = Buffer.from(line);
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
    try {
      // A disk that is nearly full takes a part, and says so only when it is asked again.
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    } finally {
      closeSync(fd);
    }
    this.#lines += 1;
  }

  #rewrite(): void {
    const lines = [...this.#known].map(([hash, address]) => `${hash} ${address}\n`);
    const temporary = join(this.#folder, NEW_FILE);
    mkdirSync(this.#folder, { recursive: true, mode: OWNER_FOLDER });
    rmSync(temporary, { recursive: true, force: true });
    try {
      writeFileSync(temporary, lines.join(''), { flag: 'wx', mode: OWNER_ONLY });
      renameSync(temporary, this.#path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    this.#lines = lines.length;
  }
}

function hashOf(client: string): string {
  return createHash('sha256').update(client).digest('hex').slice(0, HASH_DIGITS);
}
