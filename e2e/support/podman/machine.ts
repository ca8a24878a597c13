import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import type { Host } from '../../../src/lab/host.ts';
import { killProcess, logTail, type LongProcess } from '../../../src/lab/long-process.ts';
import { namespaceName } from '../../../src/lab/names.ts';
import { CommandError, type Outcome, type RunOptions, runToEnd } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { Cgroup, LEAF } from '../cgroup.ts';
import { childOf } from '../first-process.ts';

const SCRIPT = join(import.meta.dirname, 'machine.sh');
const NEW_NAMESPACES = ['--mount', '--pid', '--ipc', '--uts'];
const NAMESPACES = [...NEW_NAMESPACES, '--cgroup', '--net', '--root', '--wd'];
const DEFAULT_TIMEOUT_MS = 60_000;
/** What a login shell of root has. */
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C',
};

/** A service of the machine, by its process as the machine counts. */
export type Service = { readonly pid: number; readonly logFile: string };

/** A machine that is on. `pid`: its first process, as this one counts. */
type Running = { readonly outer: LongProcess; readonly pid: number; readonly cgroup: Cgroup };

/**
 * A host of a home with a mount table, processes and a /run of its own: what is installed, started and written in it
 * stays in it, at the paths where it belongs. Its disk (/var/lib, /etc/cni, /etc/containers, /usr/lib/cni, /opt/cni,
 * /usr/local) outlives a power cut.
 */
export class Machine implements AsyncDisposable {
  readonly host: Host;
  readonly #lan: HomeLan;
  readonly #lower: string;
  readonly #folder: string;
  #cgroup: Cgroup | undefined;
  #boots = 0;
  #running: Running | undefined;

  private constructor(lan: HomeLan, host: Host, lower: string) {
    this.#lan = lan;
    this.host = host;
    this.#lower = lower;
    this.#folder = join(lan.folder, `machine-${host.name}`);
  }

  /** `lower`: a folder whose files stand before this machine's own; packages that were unpacked, for example. */
  static async boot(lan: HomeLan, host: Host, lower: string): Promise<Machine> {
    const machine = new Machine(lan, host, lower);
    try {
      await machine.powerOn();
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
    return machine;
  }

  /** Where a file of the machine is for this process, while it is on. */
  path(path: string): string {
    return `/proc/${this.#on.pid}/root${path}`;
  }

  get #on(): Running {
    if (this.#running === undefined) throw new Error(`${this.host.name} is off`);
    return this.#running;
  }

  async powerOn(): Promise<void> {
    this.#boots += 1;
    const work = join(this.#folder, `boot${this.#boots}`);
    const disk = join(this.#folder, 'disk');
    await mkdir(work, { recursive: true });
    await mkdir(disk, { recursive: true });
    const cgroup = Cgroup.create(namespaceName(this.#lan.prefix, this.host.name));
    this.#cgroup = cgroup;
    const boot = ['sh', SCRIPT, work, disk, this.#lower];
    const command = [...cgroup.asRoot, 'unshare', ...NEW_NAMESPACES, '--fork', '--kill-child', ...boot];
    const logFile = join(this.#folder, 'boot.log');
    const options = { name: `machine ${this.host.name}`, logFile };
    const outer = await this.host.namespace.start(command, options, this.#lan.resources);
    const pid = await waitFor(`${options.name} to boot`, async () => await booted(outer), {
      describe: async () => await logTail(logFile),
    });
    this.#running = { outer, pid, cgroup };
  }

  /** All of its processes end at once, and with them its mounts and the namespaces of its containers. */
  async powerOff(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) await killProcess(running.outer);
    await this.#cgroup?.remove();
    this.#cgroup = undefined;
  }

  async runToEnd(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await runToEnd(this.#inside(command), {
      env: ENVIRONMENT,
      timeoutMs: DEFAULT_TIMEOUT_MS,
      ...options,
    });
  }

  /** Like runToEnd, but anything other than status 0 throws with what was said. Without the last newline. */
  async run(...command: readonly string[]): Promise<string> {
    const outcome = await this.runToEnd(command);
    if (outcome.status === 0) return outcome.stdout.trimEnd();
    throw new CommandError(command, `status ${outcome.status}: ${outcome.stdout}${outcome.stderr}`, outcome);
  }

  /** Starts a program that goes on, and gives back what it is known by. */
  async start(name: string, command: readonly string[]): Promise<Service> {
    const logFile = `/run/${name}.log`;
    const script = 'log=$1; shift; setsid "$@" >"$log" 2>&1 </dev/null & echo $!';
    const pid = Number(await this.run('sh', '-c', script, 'sh', logFile, ...command));
    return { pid, logFile };
  }

  /** Sends the signal and waits until the process is gone. */
  async end({ pid }: Service, signal: 'TERM' | 'KILL' = 'TERM'): Promise<void> {
    await this.run('kill', `-${signal}`, `${pid}`);
    await waitFor(`process ${pid} to end`, () => !existsSync(this.path(`/proc/${pid}`)), {
      deadlineMs: 20_000,
    });
  }

  async log({ logFile }: Service): Promise<string> {
    return await readFile(this.path(logFile), 'utf8');
  }

  #inside(command: readonly string[]): readonly string[] {
    const { pid, cgroup } = this.#on;
    // The cgroup as well: a process that comes from outside would leave its children there.
    return [...cgroup.within(LEAF), 'nsenter', `--target=${pid}`, ...NAMESPACES, '--', ...command];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff();
  }
}

/** The first process of the machine, once it is up. */
async function booted(outer: LongProcess): Promise<number | undefined> {
  const pid = await childOf(outer);
  return pid !== undefined && existsSync(`/proc/${pid}/root/run/booted`) ? pid : undefined;
}
