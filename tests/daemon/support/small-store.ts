import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../../src/lab/errno.ts';
import type { LongProcess } from '../../../src/lab/long-process.ts';
import { run } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { startAt, type DaemonStart, type Site } from './site.ts';

/** Room for a few records and no more. */
const SIZE = '64k';
const BLOCK = 4096;
const HOLDER = 'small store';

/**
 * A state folder that is a small file system of its own, in a mount namespace of its own: root is stopped by no mode,
 * only by the file system. It outlives the daemons on it. As a slave it still sees the pods' namespaces that are made
 * later.
 */
export class SmallStore {
  readonly #site: Site;
  readonly #holder: LongProcess;

  private constructor(site: Site, holder: LongProcess) {
    this.#site = site;
    this.#holder = holder;
  }

  static async create(site: Site): Promise<SmallStore> {
    mkdirSync(site.stateDir, { mode: 0o700 });
    const script = `mount -t tmpfs -o size=${SIZE},mode=0700 t ${site.stateDir} && touch ${site.stateDir}/there && exec sleep infinity`;
    const holder = await site.namespace.start(
      ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script],
      { name: HOLDER, logFile: join(site.folder, 'holder.log') },
      site.resources,
    );
    const store = new SmallStore(site, holder);
    await waitFor('the small file system', () => {
      try {
        return readdirSync(store.path).includes('there');
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return false;
        throw error;
      }
    });
    return store;
  }

  /** The state folder as its daemons see it. */
  get path(): string {
    return `/proc/${this.#holder.pid}/root${this.#site.stateDir}`;
  }

  async startDaemon(start: DaemonStart = {}): Promise<LongProcess> {
    return await startAt(this.#site, {
      ...start,
      wrap: ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`],
    });
  }

  async #inside(...command: readonly string[]): Promise<void> {
    await run(['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, ...command]);
  }

  /** Only the records: the file system itself is held writable by the daemon's lock. */
  async makeReadOnly(): Promise<void> {
    const folder = join(this.#site.stateDir, 'leases');
    await this.#inside('mount', '--bind', '-o', 'ro', folder, folder);
  }

  async makeWritable(): Promise<void> {
    await this.#inside('umount', join(this.#site.stateDir, 'leases'));
  }

  fill(): void {
    const file = openSync(join(this.path, 'filler'), 'w');
    try {
      for (;;) writeSync(file, Buffer.alloc(BLOCK));
    } catch (error) {
      if (!isErrno(error, 'ENOSPC')) throw error;
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    rmSync(join(this.path, 'filler'));
  }

  records(): readonly string[] {
    return readdirSync(join(this.path, 'leases'));
  }
}
