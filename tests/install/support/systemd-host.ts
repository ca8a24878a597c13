import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { killProcess, logTail, type LongProcess } from '../../../src/lab/long-process.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import { type Outcome, runToEnd } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';

const SCRIPT = join(import.meta.dirname, 'systemd-host.sh');
const BOOT_DEADLINE_MS = 30_000;

/**
 * A host with systemd as its first process, over a copy-on-write view of this machine's files, in the network namespace
 * of a home's node. What is done in it stays in it.
 */
export class SystemdHost implements AsyncDisposable {
  /** Of its first process, as this machine counts. */
  readonly pid: number;
  readonly #outer: LongProcess;
  readonly #cgroup: string;

  private constructor(pid: number, outer: LongProcess, cgroup: string) {
    this.pid = pid;
    this.#outer = outer;
    this.#cgroup = cgroup;
  }

  /** `place`: another namespace of the home than the node's. */
  static async boot(lan: HomeLan, place: Namespace = lan.node.namespace): Promise<SystemdHost> {
    const work = join(lan.folder, 'systemd');
    await mkdir(work, { recursive: true });
    const cgroup = join(await cgroupRoot(), `leasehold-test-${process.pid}`);
    await mkdir(cgroup, { recursive: true });
    // Into a group of its own first: the new cgroup namespace shows that one as the root.
    const enter = `echo $$ > ${cgroup}/cgroup.procs; exec unshare --mount --propagation=slave --pid --ipc --uts --cgroup --fork --kill-child sh ${SCRIPT} ${work}`;
    const outer = await place.start(
      ['sh', '-c', enter],
      { name: 'systemd', logFile: join(lan.folder, 'systemd.log') },
      lan.resources,
    );
    const pid = await waitFor('systemd to be the first process', () => firstChild(outer), {
      describe: () => logTail(outer.logFile),
    });
    const host = new SystemdHost(pid, outer, cgroup);
    try {
      await waitFor(
        'systemd to be up',
        async () => /running|degraded/.test((await host.run(['systemctl', 'is-system-running'])).stdout),
        { deadlineMs: BOOT_DEADLINE_MS, describe: () => logTail(outer.logFile) },
      );
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
    return host;
  }

  /** Where a path of this host is for the machine. */
  path(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return await runToEnd(
      [
        'nsenter',
        `--target=${this.pid}`,
        '--mount',
        '--pid',
        '--net',
        '--ipc',
        '--uts',
        '--cgroup',
        '--root',
        '--wd',
        '--',
        ...command,
      ],
      {
        env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...env },
        timeoutMs: 60_000,
      },
    );
  }

  /** Like run, but anything other than status 0 throws with what was said. */
  async must(command: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(command);
    if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcess(this.#outer);
    await waitFor('the group of the test to be empty', async () => await removeGroups(this.#cgroup));
  }
}

async function cgroupRoot(): Promise<string> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  const line = mounts.split('\n').find((one) => one.split(' ')[2] === 'cgroup2');
  const root = line?.split(' ')[1];
  if (root === undefined) throw new Error('no cgroup2 is mounted here');
  return root;
}

async function firstChild(outer: LongProcess): Promise<number | undefined> {
  const how = outer.ended();
  if (how !== undefined) throw new Error(`it ended (${how}): ${await logTail(outer.logFile)}`);
  const children = await readFile(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8');
  const pid = Number(children.trim().split(' ')[0]);
  if (!(pid > 0)) return undefined;
  const command = await readFile(`/proc/${pid}/comm`, 'utf8');
  return command.trim() === 'systemd' ? pid : undefined;
}

/** True when they are gone. A group with processes that are just ending is tried again. */
async function removeGroups(folder: string): Promise<boolean> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory() && !(await removeGroups(join(folder, entry.name)))) return false;
    }
    await rmdir(folder);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return true;
    if (error instanceof Error && 'code' in error && error.code === 'EBUSY') return false;
    throw error;
  }
}
