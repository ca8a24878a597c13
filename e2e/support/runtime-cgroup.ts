import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../src/lab/errno.ts';
import { waitFor } from '../../src/lab/wait.ts';

const MOUNTS = '/sys/fs/cgroup';
const GONE_DEADLINE_MS = 10_000;
/** Processes that were killed leave their cgroups within milliseconds. */
const EXIT_TRIES = 50;

/**
 * The hierarchies of cgroups: one of version 2, or a folder for each controller of version 1 (links to others, as cpu is
 * one to cpu,cpuacct, left out).
 */
function hierarchies(): readonly string[] {
  const entries = readdirSync(MOUNTS, { withFileTypes: true });
  if (entries.some(({ name }) => name === 'cgroup.controllers')) return [MOUNTS];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(MOUNTS, name));
}

function below(folder: string): readonly string[] {
  try {
    const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...inside.flatMap(({ name }) => below(join(folder, name))), folder];
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function processesOf(folder: string): readonly number[] {
  try {
    const text = readFileSync(join(folder, 'cgroup.procs'), 'utf8');
    return text.split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/** A cgroup of a test's own, `/NAME` in every hierarchy: what a runtime and its pods start stays in it, and goes with it. */
export class Cgroup {
  /** `/NAME`, as runtimes are told it. */
  readonly path: string;
  readonly #folders: readonly string[];

  private constructor(name: string) {
    this.path = `/${name}`;
    this.#folders = hierarchies().map((folder) => join(folder, name));
  }

  /** `name` must be one that no other run has. */
  static create(name: string): Cgroup {
    const cgroup = new Cgroup(name);
    for (const folder of cgroup.#folders) mkdirSync(folder, { recursive: true });
    return cgroup;
  }

  /** What stands before a command so that it starts in a part of this cgroup: version 2 has processes in leaves only. */
  within(part: string): readonly string[] {
    const parts = this.#folders.map((folder) => join(folder, part));
    for (const folder of parts) {
      mkdirSync(folder, { recursive: true });
      inheritCpuset(folder);
    }
    const script = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"';
    return ['sh', '-euc', script, 'sh', ...parts, '--'];
  }

  /** Numbers of the processes in it. */
  processes(): readonly number[] {
    return [...new Set(this.#folders.flatMap(below).flatMap(processesOf))];
  }

  /** SIGKILL to all in it. What they start meanwhile is left: call it again. */
  kill(): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (!isErrno(error, 'ESRCH')) throw error;
      }
    }
  }

  /** Kills what is in it and removes it. */
  async remove(): Promise<void> {
    const gone = (): boolean => {
      this.kill();
      return this.#removeEmpty();
    };
    await waitFor(`cgroup ${this.path} to be empty`, gone, { deadlineMs: GONE_DEADLINE_MS });
  }

  /** The same without promises, for a process that ends; what does not go in time is left. */
  removeNow(): void {
    for (let tried = 0; tried < EXIT_TRIES; tried++) {
      this.kill();
      if (this.#removeEmpty()) return;
      spawnSync('sleep', ['0.1']);
    }
  }

  /** False while there is still something in it. */
  #removeEmpty(): boolean {
    try {
      for (const folder of this.#folders.flatMap(below)) rmdirSync(folder);
      return true;
    } catch (error) {
      if (isErrno(error, 'EBUSY', 'ENOENT')) return false;
      throw error;
    }
  }
}

/** A new cpuset of version 1 has no processor and no memory, and takes no process. */
function inheritCpuset(folder: string): void {
  if (!folder.startsWith(join(MOUNTS, 'cpuset', '/'))) return;
  const relative = folder.slice(join(MOUNTS, 'cpuset', '/').length).split('/');
  for (let depth = 1; depth <= relative.length; depth++) {
    const at = join(MOUNTS, 'cpuset', ...relative.slice(0, depth));
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(at, file), readFileSync(join(at, '..', file)));
    }
  }
}
