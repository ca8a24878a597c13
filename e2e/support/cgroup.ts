import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../src/lab/errno.ts';
import { waitFor } from '../../src/lab/wait.ts';

const MOUNTS = '/sys/fs/cgroup';
/** The part of a machine's cgroup that has its processes: version 2 has them in leaves only (cgroups(7)). */
export const LEAF = 'init';
const GONE_DEADLINE_MS = 10_000;
/** Processes that were killed leave their cgroups within milliseconds. */
const EXIT_TRIES = 50;

/** Version 2 alone. Beside version 1 (`unified`) it is one hierarchy of many, without controllers. */
function isVersion2(): boolean {
  return existsSync(join(MOUNTS, 'cgroup.controllers'));
}

/**
 * The hierarchies of cgroups: one of version 2, or a folder for each controller of version 1 (links to others, as cpu is
 * one to cpu,cpuacct, left out).
 */
function hierarchies(): readonly string[] {
  if (isVersion2()) return [MOUNTS];
  return readdirSync(MOUNTS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(MOUNTS, name));
}

/** Names of all cgroups that are not inside another one. */
export function cgroupNames(): readonly string[] {
  const names = hierarchies().flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    ),
  );
  return [...new Set(names)];
}

/** It and those in it, the innermost first; empty where there is none. */
function withThoseIn(folder: string): readonly string[] {
  try {
    const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...inside.flatMap(({ name }) => withThoseIn(join(folder, name))), folder];
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

const live = new Set<Cgroup>();
let hooked = false;

/** Before the hook of src/lab/resources.ts: what runs in a namespace goes before the namespace. */
function hookExit(): void {
  if (hooked) return;
  hooked = true;
  process.prependListener('exit', () => {
    for (const cgroup of live) cgroup.removeNow();
  });
}

/**
 * A cgroup of a test's own, `/NAME` in every hierarchy: what is started in it stays in it, with all that this starts, and goes
 * with it, also when the test's process ends early. Nothing of the machine's own groups is changed.
 */
export class Cgroup {
  /** `/NAME`, as runtimes are told it. */
  readonly path: string;
  readonly #folders: readonly string[];
  readonly #parts = new Set<string>();

  private constructor(name: string) {
    this.path = `/${name}`;
    this.#folders = hierarchies().map((folder) => join(folder, name));
  }

  /** `name` must be one that no other run has. */
  static create(name: string): Cgroup {
    const cgroup = new Cgroup(name);
    for (const folder of cgroup.#folders) mkdirSync(folder, { recursive: true });
    hookExit();
    live.add(cgroup);
    return cgroup;
  }

  /** One that another process has left. */
  static left(name: string): Cgroup {
    return new Cgroup(name);
  }

  /** What stands before a command so that it starts in a part of this cgroup; '': in itself, before it has parts. */
  within(part: string): readonly string[] {
    const folders = this.#folders.map((folder) => join(folder, part));
    if (!this.#parts.has(part)) {
      for (const folder of folders) {
        mkdirSync(folder, { recursive: true });
        inheritCpuset(folder);
      }
      this.#parts.add(part);
    }
    const script = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"';
    return ['sh', '-euc', script, 'sh', ...folders, '--'];
  }

  /** What stands before a command whose root of all cgroups is to be this one (cgroup_namespaces(7)). */
  get asRoot(): readonly string[] {
    return [...this.within(''), 'unshare', '--cgroup', ...this.within(LEAF)];
  }

  /** Throws where the machine's cgroup v2 does not hand down these controllers; version 1 hands down what it has. */
  needs(controllers: readonly string[]): void {
    if (!isVersion2()) return;
    const [folder = ''] = this.#folders;
    const given = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ');
    const lacking = controllers.filter((controller) => !given.includes(controller));
    if (lacking.length === 0) return;
    const wanted = lacking.map((controller) => `+${controller}`).join(' ');
    throw new Error(
      `e2e: ${MOUNTS} (cgroup v2) does not hand down ${lacking.join(', ')}: write "${wanted}" to ${MOUNTS}/cgroup.subtree_control`,
    );
  }

  /** Numbers of the processes in it; 0 is one of another PID namespace, which is not seen from here. */
  processes(): readonly number[] {
    return [...new Set(this.#folders.flatMap(withThoseIn).flatMap(processesOf))];
  }

  /** SIGKILL to all in it. What they start meanwhile is left: call it again. */
  kill(): void {
    for (const pid of this.processes().filter((one) => one > 0)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (!isErrno(error, 'ESRCH')) throw error;
      }
    }
  }

  /** Kills what is in it and removes it. Gone already is success. */
  async remove(): Promise<void> {
    const gone = (): boolean => {
      this.kill();
      return this.#removeEmpty();
    };
    await waitFor(`cgroup ${this.path} to be empty`, gone, { deadlineMs: GONE_DEADLINE_MS });
    live.delete(this);
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
      for (const folder of this.#folders.flatMap(withThoseIn)) rmdirSync(folder);
      return true;
    } catch (error) {
      if (isErrno(error, 'EBUSY', 'ENOENT', 'ENOTEMPTY')) return false;
      throw error;
    }
  }
}

/** A new cpuset of version 1 has no processor and no memory, and takes no process (cpuset(7)). */
function inheritCpuset(folder: string): void {
  const hierarchy = join(MOUNTS, 'cpuset', '/');
  if (!folder.startsWith(hierarchy)) return;
  const names = folder.slice(hierarchy.length).split('/').filter(Boolean);
  for (const depth of names.keys()) {
    const at = join(hierarchy, ...names.slice(0, depth + 1));
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(at, file), readFileSync(join(at, '..', file)));
    }
  }
}
