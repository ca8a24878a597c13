import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../src/lab/errno.ts';
import { waitFor } from '../../src/lab/wait.ts';

const MOUNTED = '/sys/fs/cgroup';
/** The mount of version 2 beside those of version 1, which has no controllers. */
const HYBRID = 'unified';
/** What a kubelet wants of cgroup v2 (its own list: cpu, cpuset, io, memory, pids). */
const WANTED_V2 = ['cpu', 'cpuset', 'io', 'memory', 'pids'];
/** Processes that were killed leave their cgroups within milliseconds. */
const EXIT_TRIES = 50;

/** The mounts in which a node gets a group: each hierarchy of version 1, or the one of version 2. */
function hierarchies(): readonly string[] {
  if (existsSync(join(MOUNTED, 'cgroup.controllers'))) return [MOUNTED];
  return readdirSync(MOUNTED, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== HYBRID)
    .map(({ name }) => join(MOUNTED, name));
}

const toRemoveAtExit = new Set<NodeCgroup>();
let hooked = false;

/** A cgroup of its own for a node, of that name in every hierarchy. Nothing of the machine's own groups is changed. */
export class NodeCgroup {
  readonly #folders: readonly string[];
  readonly #isV2: boolean;

  /** Throws when the machine's cgroup v2 has not handed down what a kubelet needs. */
  constructor(name: string) {
    this.#folders = hierarchies().map((hierarchy) => join(hierarchy, name));
    this.#isV2 = existsSync(join(MOUNTED, 'cgroup.controllers'));
    for (const folder of this.#folders) mkdirSync(folder, { recursive: true });
    if (this.#isV2) this.#handDown();
    else this.#allowAllCpus(join(MOUNTED, 'cpuset', name));
    toRemoveAtExit.add(this);
    if (hooked) return;
    hooked = true;
    // After the hook of src/lab/resources.ts, which kills the processes.
    process.on('exit', () => {
      for (const group of toRemoveAtExit) group.removeNow();
    });
  }

  /** Where a process that writes its own number becomes one of the node's. */
  get procs(): readonly string[] {
    // Version 2: a group with controllers for its children has no processes of its own (cgroups(7)).
    return this.#folders.map((folder) => join(folder, this.#isV2 ? 'init' : '', 'cgroup.procs'));
  }

  /** What stands before a command so that it, and what it starts, are in this cgroup. */
  within(command: readonly string[]): readonly string[] {
    const script = 'while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"';
    return ['sh', '-euc', script, 'sh', ...this.procs, '--', ...command];
  }

  /** The node's processes must be gone, or go now. */
  async remove(): Promise<void> {
    await waitFor('the cgroups of a node to be empty', () => this.#tryRemove());
    toRemoveAtExit.delete(this);
  }

  removeNow(): void {
    for (let tried = 0; tried < EXIT_TRIES && !this.#tryRemove(); tried++) spawnSync('sleep', ['0.1']);
  }

  #tryRemove(): boolean {
    return this.#folders.map((folder) => removeTree(folder)).every(Boolean);
  }

  /** A new cpuset of version 1 has no processors, and takes no process before it has (cpuset(7)). */
  #allowAllCpus(folder: string): void {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      writeFileSync(join(folder, file), readFileSync(join(MOUNTED, 'cpuset', file)));
    }
  }

  #handDown(): void {
    const [folder = ''] = this.#folders;
    const given = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').split(/\s+/);
    const lacking = WANTED_V2.filter((controller) => !given.includes(controller));
    if (lacking.length > 0) {
      throw new Error(
        `e2e: ${MOUNTED} (cgroup v2) does not hand down ${lacking.join(', ')}: write "${lacking.map((name) => `+${name}`).join(' ')}" to ${MOUNTED}/cgroup.subtree_control`,
      );
    }
    mkdirSync(join(folder, 'init'), { recursive: true });
    writeFileSync(
      join(folder, 'cgroup.subtree_control'),
      given.flatMap((name) => (name === '' ? [] : [`+${name}`])).join(' '),
    );
  }
}

/** Removes a cgroup and those in it; false while one of them has processes. Gone already is success. */
function removeTree(folder: string): boolean {
  try {
    const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    if (!inner.map(({ name }) => removeTree(join(folder, name))).every(Boolean)) return false;
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true;
    if (isErrno(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}
