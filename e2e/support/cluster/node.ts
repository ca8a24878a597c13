import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatCidr, type Cidr } from '../../../src/base/cidr.ts';
import { invariant } from '../../../src/base/invariant.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import { UPLINK, type Host } from '../../../src/lab/host.ts';
import {
  isRunning,
  killProcess,
  processIdOf,
  startProcess,
  stopProcess,
  waitUntilReady,
  type LongProcess,
  type ProcessId,
} from '../../../src/lab/long-process.ts';
import { namespaceName } from '../../../src/lab/names.ts';
import { run, runToEnd, type Outcome, type RunOptions } from '../../../src/lab/process.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { CACHE, ROOT } from '../cache.ts';
import { Cgroup, LEAF } from '../cgroup.ts';
import { childOf } from '../first-process.ts';

/** Folders of a node's disk (node.sh). */
const DISK = ['root', 'usr', 'usr-work', 'etc', 'etc-work', 'opt'];
const VAR = ['lib', 'log', 'tmp', 'cache', 'spool'];
/** The cache's programs come first: the machine may have others of the same names. */
const PATH = '/e2e/cache/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Its first process ends with the one that is started here, and all others end with that. */
const NEW_NAMESPACES = [
  'unshare',
  '--mount',
  '--propagation=private',
  '--uts',
  '--ipc',
  '--pid',
  '--fork',
  '--kill-child',
  '--',
];
/** What a kubelet wants of cgroup v2 (its own list). */
const KUBELET_CONTROLLERS = ['cpu', 'cpuset', 'io', 'memory', 'pids'];
/** Go programs take as many threads as the machine has processors; two nodes with ten of them are enough for two. */
const GO_THREADS = '2';
const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 30_000;

export type NodePlan = {
  readonly name: string;
  readonly address: Cidr<Ipv4>;
  /** Its network card's, which stays when it is switched off. */
  readonly mac: string;
  /** The text of its /etc/hosts. */
  readonly hosts: string;
};

type Readiness = () => Promise<boolean> | boolean;

/** A program that runs on a node: `outside` is the process that waits for it here, `inside` the program itself. */
export type NodeService = {
  readonly outside: LongProcess;
  readonly inside: ProcessId;
  readonly command: readonly string[];
  readonly ready: Readiness;
};

/** What a node that is on has. `init`: its first process. */
type Up = { readonly host: Host; readonly cgroup: Cgroup; readonly init: ProcessId };

/**
 * A machine made of namespaces: own network with a cable to the LAN (eth0), own processes, host name, cgroups, and an own root
 * file system: /usr and /etc as overlays of this machine's, own /opt, /var and /run. The cache is /e2e/cache in it, dist/ is
 * /e2e/dist. Switched off, it loses all but its disk.
 */
export class Node {
  readonly name: string;
  readonly address: Ipv4;
  readonly #plan: NodePlan;
  readonly #lan: HomeLan;
  readonly #disk: string;
  readonly #services = new Map<string, NodeService>();
  #cgroup: Cgroup | undefined;
  #up: Up | undefined;

  constructor(lan: HomeLan, plan: NodePlan) {
    this.name = plan.name;
    this.address = plan.address.address;
    this.#plan = plan;
    this.#lan = lan;
    this.#disk = join(lan.folder, plan.name, 'disk');
  }

  /** Its network namespace, its cable, its address; only while it is on. */
  get host(): Host {
    return this.#on().host;
  }

  get isOn(): boolean {
    return this.#up !== undefined;
  }

  /** Switches it on: nothing runs on it yet but its first process. */
  async powerOn(): Promise<void> {
    invariant(this.#up === undefined, `${this.name} is on`);
    await this.#makeDisk();
    const host = await this.#plugIn();
    const cgroup = Cgroup.create(namespaceName(this.#lan.prefix, this.name));
    this.#cgroup = cgroup;
    cgroup.needs(KUBELET_CONTROLLERS);
    const folder = join(this.#lan.folder, this.name);
    const etc = join(folder, 'etc');
    await mkdir(etc, { recursive: true });
    await writeFile(join(etc, 'hosts'), this.#plan.hosts);
    await writeFile(join(etc, 'resolv.conf'), `nameserver ${this.#lan.routerAddress.address}\n`);
    const ready = join(this.#disk, 'var', '.ready');
    await rm(ready, { force: true });
    const started = await host.namespace.start(
      [
        ...cgroup.asRoot,
        ...NEW_NAMESPACES,
        'sh',
        join(import.meta.dirname, 'node.sh'),
        this.#disk,
        this.name,
        CACHE,
        join(ROOT, 'dist'),
        etc,
      ],
      { name: `node ${this.name}`, logFile: join(folder, 'init.log') },
      this.#lan.resources,
    );
    await waitUntilReady(started, () => existsSync(ready));
    this.#up = { host, cgroup, init: await insideOf(started) };
  }

  /** A power cut: all processes and namespaces are gone at once, the disk stays. Off already is success. */
  async powerCut(): Promise<void> {
    const up = this.#up;
    this.#up = undefined;
    this.#services.clear();
    if (up !== undefined) {
      await killProcess(up.init);
      // Both ends of the cable, so that the next one finds its name free.
      await this.#lan.router.ip('link', 'del', up.host.port);
      const { resources } = this.#lan;
      const own = resources.made.find(
        (made) => made.kind === 'namespace' && made.name === up.host.namespace.name,
      );
      if (own !== undefined) await resources.remove(own);
    }
    await this.#cgroup?.remove();
    this.#cgroup = undefined;
  }

  /** What runs a command on the node, from here. */
  command(command: readonly string[]): readonly string[] {
    const { cgroup, init } = this.#on();
    const env = ['env', '-i', `PATH=${PATH}`, 'HOME=/root', 'LC_ALL=C.UTF-8', `GOMAXPROCS=${GO_THREADS}`];
    const enter = ['nsenter', `--target=${init.pid}`, '-m', '-u', '-i', '-n', '-p', '-C'];
    return [...cgroup.within(LEAF), ...enter, '--', ...env, ...command];
  }

  async run(command: readonly string[], options?: RunOptions): Promise<string> {
    return await run(this.command(command), options);
  }

  async runToEnd(command: readonly string[], options?: RunOptions): Promise<Outcome> {
    return await runToEnd(this.command(command), options);
  }

  /**
   * Starts a program that stays, under a name; its output is in the node's /var/log/NAME.log. Returns when `ready` says so, and
   * throws with the end of its log when it ends before.
   */
  async start(name: string, command: readonly string[], ready: Readiness = () => true): Promise<NodeService> {
    invariant(!this.isServiceRunning(name), `${name} runs on ${this.name}`);
    const options = { name: `${name} on ${this.name}`, logFile: this.logFile(name) };
    const outside = await startProcess(this.command(command), options);
    const service = { outside, inside: await insideOf(outside), command, ready };
    this.#services.set(name, service);
    await waitUntilReady(outside, ready, { deadlineMs: START_DEADLINE_MS });
    return service;
  }

  /** Starts one that was stopped or killed again, with the same command. */
  async restart(name: string): Promise<void> {
    const { command, ready } = this.service(name);
    if (this.isServiceRunning(name)) await this.stop(name);
    await this.start(name, command, ready);
  }

  isServiceRunning(name: string): boolean {
    const service = this.#services.get(name);
    return service !== undefined && isRunning(service.inside);
  }

  service(name: string): NodeService {
    const service = this.#services.get(name);
    invariant(service !== undefined, `${name} was never started on ${this.name}`);
    return service;
  }

  /** SIGTERM, and waits for its end. */
  async stop(name: string): Promise<void> {
    await stopProcess(this.service(name).inside, STOP_DEADLINE_MS);
  }

  /** SIGKILL. */
  async kill(name: string): Promise<void> {
    await killProcess(this.service(name).inside);
  }

  /** A service's log, on this side. */
  logFile(name: string): string {
    return join(this.#disk, 'var', 'log', `${name}.log`);
  }

  /** A path of the node as this side sees it. No link on the way may be absolute: it would lead to this machine's files. */
  path(inside: string): string {
    return `/proc/${this.#on().init.pid}/root${inside}`;
  }

  async writeFile(inside: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(this.path(inside)), { recursive: true });
    await writeFile(this.path(inside), text, { mode });
  }

  async readFile(inside: string): Promise<string> {
    return await readFile(this.path(inside), 'utf8');
  }

  async copyFile(from: string, inside: string): Promise<void> {
    await mkdir(dirname(this.path(inside)), { recursive: true });
    await copyFile(from, this.path(inside));
  }

  #on(): Up {
    invariant(this.#up !== undefined, `${this.name} is off`);
    return this.#up;
  }

  async #makeDisk(): Promise<void> {
    for (const folder of DISK) await mkdir(join(this.#disk, folder), { recursive: true });
    for (const folder of VAR) await mkdir(join(this.#disk, 'var', folder), { recursive: true });
    await rm(join(this.#disk, 'var', 'run'), { force: true });
    await symlink('../run', join(this.#disk, 'var', 'run'));
  }

  async #plugIn(): Promise<Host> {
    const { mac, address } = this.#plan;
    const host = await this.#lan.addHost(this.name, 'none');
    await host.namespace.ip('link', 'set', UPLINK, 'address', mac);
    await host.namespace.ip('addr', 'add', formatCidr(address), 'broadcast', '+', 'dev', UPLINK);
    await host.namespace.ip('route', 'add', 'default', 'via', this.#lan.routerAddress.address);
    return host;
  }
}

async function insideOf(outside: LongProcess): Promise<ProcessId> {
  return processIdOf(await waitFor(`${outside.name} to start`, async () => await childOf(outside)));
}
