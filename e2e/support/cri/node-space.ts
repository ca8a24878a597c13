import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import type { Host } from '../../../src/lab/host.ts';
import {
  stopProcess,
  waitUntilReady,
  type LongProcess,
  type StartOptions,
} from '../../../src/lab/long-process.ts';
import { namespaceName } from '../../../src/lab/names.ts';
import { run, runToEnd, type Outcome, type RunOptions } from '../../../src/lab/process.ts';
import type { Resources } from '../../../src/lab/resources.ts';
import { Cgroup } from '../cgroup.ts';

/** libcni has it built in; containerd cannot be told another place. */
const CNI_CACHE = '/var/lib/cni';

/**
 * Makes the mounts and stays. /run is the node's own: sockets of shims, state of runc. The rest of the machine is as it
 * was, so that programs and folders are found where they are.
 */
const HOLD = `
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p "$2"
mount --bind "$1" "$2"
: >/run/is-there
exec tail -f /dev/null
`;

/**
 * What a node has for itself besides its network: mounts and a cgroup. The daemon and the container runtime share them,
 * as on a real node; with their last process all mounts are gone, and none was ever seen on the machine.
 */
export class NodeSpace implements AsyncDisposable {
  readonly host: Host;
  /** For what the node stores. */
  readonly folder: string;
  readonly cgroup: Cgroup;
  readonly #resources: Resources;
  readonly #holder: LongProcess;

  private constructor(lan: HomeLan, host: Host, folder: string, holder: LongProcess) {
    this.host = host;
    this.folder = folder;
    this.cgroup = Cgroup.create(namespaceName(lan.prefix, host.name));
    this.#resources = lan.resources;
    this.#holder = holder;
  }

  static async create(lan: HomeLan, host: Host = lan.node): Promise<NodeSpace> {
    const folder = join(lan.folder, `${host.name}-space`);
    const cache = join(folder, 'cni-cache');
    await mkdir(cache, { recursive: true });
    // slave: namespaces that others remove are not held by these mounts.
    const command = ['unshare', '--mount', '--propagation=slave', 'sh', '-euc', HOLD, 'sh', cache, CNI_CACHE];
    const started = { name: `mounts of ${host.name}`, logFile: join(folder, 'mounts.log') };
    const holder = await host.namespace.start(command, started, lan.resources);
    await waitUntilReady(
      holder,
      async () => (await runToEnd(['test', '-e', `/proc/${holder.pid}/root/run/is-there`])).status === 0,
    );
    return new NodeSpace(lan, host, folder, holder);
  }

  /** A path of the node as this process sees it. */
  path(inNode: string): string {
    return join(`/proc/${this.#holder.pid}/root`, inNode);
  }

  /** proc_pid_mountinfo(5) of the node. */
  get mountsFile(): string {
    return `/proc/${this.#holder.pid}/mountinfo`;
  }

  /** What stands before a command that is to see the node's mounts; its network comes from elsewhere. */
  get mounts(): readonly string[] {
    return ['nsenter', `--mount=/proc/${this.#holder.pid}/ns/mnt`, '--'];
  }

  /** A command in the node: its mounts and its network. */
  command(command: readonly string[]): readonly string[] {
    return this.host.namespace.command([...this.mounts, ...command]);
  }

  /** Starts a process that stays, with all that it starts in this part of the node's cgroup. */
  async start(part: string, command: readonly string[], options: StartOptions): Promise<LongProcess> {
    const within = [...this.cgroup.within(part), ...this.mounts, ...command];
    return await this.host.namespace.start(within, options, this.#resources);
  }

  async run(command: readonly string[], options?: RunOptions): Promise<string> {
    return await run(this.command(command), options);
  }

  async runToEnd(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return await runToEnd(this.command(command), options);
  }

  /** A command in the network of a pod, by the path of its namespace as the runtime has it. */
  inPod(netns: string, command: readonly string[]): readonly string[] {
    return [...this.mounts, 'nsenter', `--net=${netns}`, '--', ...command];
  }

  /** Ends everything that was started in its cgroup, and takes its mounts away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.cgroup.remove();
    await stopProcess(this.#holder);
  }
}
