import { readlink, stat } from 'node:fs/promises';
import { isErrno } from './errno.ts';
import { startProcess, type LongProcess, type StartOptions } from './long-process.ts';
import { addNamespace, NETNS_FOLDER } from './namespace-name.ts';
import { run, runToEnd, type Outcome, type RunOptions } from './process.ts';
import type { Resources } from './resources.ts';

/** A named network namespace. */
export class Namespace {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Makes it, with its loopback interface up, and registers it for removal. Throws when the name is taken. */
  static async create(name: string, resources: Resources): Promise<Namespace> {
    await addNamespace(name);
    resources.add({ kind: 'namespace', name });
    await run(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    return new Namespace(name);
  }

  get path(): string {
    return `${NETNS_FOLDER}/${this.name}`;
  }

  /**
   * `nsenter` and not `ip netns exec`: the latter also makes a mount namespace of its own, and then a daemon and its
   * callers no longer see each other's pods' namespaces.
   */
  command(command: readonly string[]): readonly string[] {
    return ['nsenter', `--net=${this.path}`, '--', ...command];
  }

  async run(command: readonly string[], options?: RunOptions): Promise<string> {
    return await run(this.command(command), options);
  }

  async runToEnd(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return await runToEnd(this.command(command), options);
  }

  /** `ip` with these arguments inside: `ns.ip('addr', 'add', ...)`. */
  async ip(...args: readonly string[]): Promise<string> {
    return await run(['ip', '-n', this.name, ...args]);
  }

  /** Starts a process inside and registers it. */
  async start(command: readonly string[], options: StartOptions, resources: Resources): Promise<LongProcess> {
    const started = await startProcess(this.command(command), options);
    const id = { pid: started.pid, startedAt: started.startedAt };
    resources.add({ kind: 'process', id, name: options.name });
    return started;
  }

  /** Whether the process has arrived in this namespace: between its start and nsenter's setns it has not. */
  async holds(pid: number): Promise<boolean> {
    try {
      const [own, theirs] = await Promise.all([stat(this.path), readlink(`/proc/${pid}/ns/net`)]);
      return theirs === `net:[${own.ino}]`;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ESRCH')) return false;
      throw error;
    }
  }
}
