import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readLink } from '../../../src/kernel/link-ioctl.ts';
import { NetNs } from '../../../src/kernel/netns.ts';
import { waitFor } from '../../../src/lab/wait.ts';

export const CLIENT = '192.168.77.50';
export const NODE = '192.168.77.10';
export const POD = '192.168.77.93';
export const SHIM_MAC = '02:00:00:00:77:11';
/** What the node hands on to the pod, TCP and UDP: to this port of the pod. */
export const NODE_PORT = 30_080;
export const POD_PORT = 8080;
/** The same, to a port where nobody listens. */
export const DEAD_NODE_PORT = 30_081;
export const DEAD_POD_PORT = 8081;
const COMMAND_MS = 10_000;
/** A table with full maps. */
const OUTPUT_MAX = 16 * 1024 * 1024;
/** ncat cannot be asked whether it listens: what it writes to stderr with -v says so. */
const LISTENING = 'Listening on';

function perLink(key: string, value: number): readonly string[] {
  return ['all', 'eth0', 'lh0'].map((link) => `net.ipv4.conf.${link}.${key}=${value}`);
}

let serial = 0;

/**
 * A LAN (a bridge) with a client, a node and, on the node's uplink, a macvlan pod. The node sends what comes to
 * NODE_PORT on to the pod with the client's address kept, as kube-proxy does for externalTrafficPolicy Local.
 */
export class LastHopLan implements AsyncDisposable {
  readonly #label = `lh-hop-${process.pid}-${serial++}`;
  readonly #children: ChildProcess[] = [];
  readonly #names: string[] = [];
  #pod: NetNs | undefined;

  static make(): LastHopLan {
    const lan = new LastHopLan();
    try {
      lan.#build();
    } catch (error) {
      lan.#removeNamespaces();
      throw error;
    }
    return lan;
  }

  #build(): void {
    for (const name of ['sw', 'cli', 'evil', 'node', 'pod']) {
      execFileSync('ip', ['netns', 'add', this.#name(name)]);
      this.#names.push(name);
      this.ip(name, 'link set lo up');
    }
    this.ip('sw', 'link add br0 type bridge');
    this.ip('sw', 'link set br0 up');
    for (const name of ['cli', 'evil', 'node']) {
      this.ip('sw', `link add ${name}u type veth peer name eth0 netns ${this.#name(name)}`);
      this.ip('sw', `link set ${name}u master br0 up`);
      this.ip(name, 'link set eth0 up');
    }
    this.ip('cli', `addr add ${CLIENT}/24 dev eth0`);
    this.ip('node', `addr add ${NODE}/24 dev eth0`);
    this.ip('node', `link add lh0 link eth0 address ${SHIM_MAC} type macvlan mode bridge`);
    this.ip('node', 'link set lh0 up');
    this.ip('node', `addr add ${NODE}/32 dev lh0`);
    this.ip('node', `link add link eth0 name eth0 netns ${this.#name('pod')} type macvlan mode bridge`);
    this.ip('pod', 'link set eth0 up');
    this.ip('pod', `addr add ${POD}/24 dev eth0`);
    this.ip('node', `route add ${POD}/32 dev lh0 src ${NODE}`);
    this.run(
      'node',
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
      ...perLink('rp_filter', 0),
      ...perLink('send_redirects', 0),
    );
    for (const protocol of ['tcp', 'udp']) {
      this.#dnat(protocol, NODE_PORT, POD_PORT);
      this.#dnat(protocol, DEAD_NODE_PORT, DEAD_POD_PORT);
    }
  }

  #dnat(protocol: string, from: number, to: number): void {
    const match = ['-d', NODE, '-p', protocol, '--dport', `${from}`];
    const rule = ['-A', 'PREROUTING', ...match, '-j', 'DNAT', '--to-destination', `${POD}:${to}`];
    this.run('node', 'iptables', '-w', '-t', 'nat', ...rule);
  }

  #name(suffix: string): string {
    return `${this.#label}-${suffix}`;
  }

  #path(name: string): string {
    return `/run/netns/${this.#name(name)}`;
  }

  get pod(): NetNs {
    this.#pod ??= NetNs.open(this.#path('pod'));
    return this.#pod;
  }

  get podIndex(): number {
    return readLink('eth0', this.pod)?.index ?? 0;
  }

  ip(name: string, args: string): string {
    return execFileSync('ip', ['-n', this.#name(name), ...args.split(' ')], { encoding: 'utf8' });
  }

  macOf(name: string, link: string): string {
    return /link\/ether (\S+)/.exec(this.ip(name, `link show ${link}`))?.[1] ?? '';
  }

  /** Packets so far. */
  receivedBy(name: string, link: string): number {
    return Number(/RX:[^\n]*\n\s*\d+\s+(\d+)/.exec(this.ip(name, `-s link show ${link}`))?.[1]);
  }

  /** A command inside; its stdout. Throws when it fails. */
  run(name: string, ...command: readonly string[]): string {
    return execFileSync('nsenter', [`--net=${this.#path(name)}`, ...command], {
      encoding: 'utf8',
      timeout: COMMAND_MS,
      maxBuffer: OUTPUT_MAX,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** With text on stdin. */
  feed(name: string, input: string, ...command: readonly string[]): string {
    const options = { encoding: 'utf8', timeout: COMMAND_MS, input } as const;
    return execFileSync('nsenter', [`--net=${this.#path(name)}`, ...command], options);
  }

  /** Like `run`, but a failure is an answer too. */
  attempt(name: string, script: string): { readonly ok: boolean; readonly text: string } {
    try {
      return { ok: true, text: this.run(name, 'bash', '--norc', '-c', `exec 2>&1; ${script}`) };
    } catch (error) {
      const text = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
      return { ok: false, text };
    }
  }

  start(name: string, ...command: readonly string[]): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.#path(name)}`, ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    return child;
  }

  /** ncat that answers every client by this script. */
  async serve(name: string, port: number, script: string, ...flags: readonly string[]): Promise<void> {
    const child = this.start(name, 'ncat', '-v', '-lk', ...flags, '-p', `${port}`, '--sh-exec', script);
    let said = '';
    child.stderr?.on('data', (part: Buffer) => (said += part.toString()));
    child.stdout?.resume();
    await waitFor(`ncat listens on ${port}`, () => said.includes(LISTENING), { describe: () => said });
  }

  /** The elements of a map or set of the pod's table, as nft prints them. */
  elements(set: string): readonly string[] {
    const text = this.run('pod', 'nft', 'list', 'table', 'netdev', 'leasehold-eth0');
    const begin = new RegExp(`(?:map|set) ${set} \\{`).exec(text)?.index ?? text.length;
    const one = text.slice(begin, text.indexOf('\n\t}', begin));
    const list = /elements = \{([^}]*)\}/.exec(one)?.[1] ?? '';
    return list
      .split(',')
      .map((element) => element.trim())
      .filter((element) => element !== '');
  }

  #removeNamespaces(): void {
    for (const name of this.#names) execFileSync('ip', ['netns', 'del', this.#name(name)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.#pod?.close();
    this.#removeNamespaces();
  }
}
