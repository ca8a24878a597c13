import assert from 'node:assert/strict';
import { IPV4_BROADCAST, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { Cidr } from '../../../src/base/cidr.ts';
import { BROADCAST_MAC, mac, type Mac } from '../../../src/base/mac.ts';
import type { Result } from '../../../src/base/result.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { instant, seconds } from '../../../src/base/time.ts';
import { type Failure, LeaseManager } from '../../../src/lease/manager.ts';
import type {
  HostFrames,
  LeaseWorld,
  PastAddresses,
  LinkMaker,
  LinkState,
  NamespaceAt,
  OnFrame,
} from '../../../src/lease/ports.ts';
import type { LeaseKey, LeaseRecord } from '../../../src/lease/record.ts';
import type { AcquireRequest } from '../../../src/lease/request.ts';
import { readStored, recordStore } from '../../../src/lease/stored.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { type ArpPacket, emitArpFrame, parseArpFrame } from '../../../src/wire/arp.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../../src/wire/ip/udp4.ts';
import { childMacs, type Datagram, FakePod, PodModel } from './pods.ts';
import { DhcpServer, SERVER } from './server.ts';
import { VirtualTime } from './time.ts';

export const UPLINK = 2;
export const SERVER_MAC = mac('02:00:5e:00:00:fe');
const NO_MAC = mac('00:00:00:00:00:00');
const LATENCY_MS = 2;
export const BOOT = 'boot-1';

/** Everything a lease manager needs, in memory: time, namespaces, an uplink, a server on it, files. */
export class FakeWorld implements LeaseWorld {
  readonly time: VirtualTime;
  readonly server: DhcpServer;
  readonly pods = new Map<string, PodModel>();
  readonly taps = new Map<number, OnFrame>();
  /** The taps that hear what leaves by the uplink. */
  readonly ofOutgoing = new Set<number>();
  /** Pods without a lease, by MAC address. */
  readonly podMacs = new Set<Mac>();
  /** Uplinks that were removed: their taps stay and hear nothing. */
  readonly gone = new Set<number>();
  readonly files = new Map<string, string>();
  readonly counts = new Map<string, number>();
  readonly warnings: string[] = [];
  /** The same with all that was said. */
  readonly warned: { readonly fields: object; readonly message: string }[] = [];
  /** What went over the wire and to the disk, in order. */
  readonly journal: string[] = [];
  readonly sentFrom: string[] = [];
  storeError: SysError | undefined;
  /** What the node itself asked by ARP. */
  readonly questions: ArpPacket[] = [];
  /** Hosts of the LAN that are no pods, by the address that they use. */
  readonly hosts = new Map<Ipv4, Mac>([[SERVER, SERVER_MAC]]);
  /** What pods send and hear of ARP is dropped by a filter of their own. */
  podsAreDeaf = false;
  /** The node's uplink. */
  readonly uplink: LinkState & { index: number; name: string; mac: Mac; lowerUp: boolean } = {
    index: UPLINK,
    name: 'uplink0',
    mac: mac('02:00:5e:00:00:02'),
    mtu: 1500,
    up: true,
    lowerUp: true,
  };
  protect: readonly Cidr<Ipv4>[] = [];
  /** Addresses that this node has beside the leases of its pods, with who has them. */
  readonly onNode = new Map<Ipv4, string>();
  /** Whether a message is lost on the way. */
  loses: (direction: 'up' | 'down', message: Dhcp4Message) => boolean = () => false;
  random: () => number = () => 0.5;
  readonly store: LeaseWorld['store'];
  /** Of clients that are gone. */
  readonly addresses = new Map<string, Ipv4>();
  pastError: SysError | undefined;
  readonly past: PastAddresses = {
    get: (client) => this.addresses.get(client),
    put: async (client, address) => {
      this.addresses.set(client, address);
      await Promise.resolve();
      if (this.pastError !== undefined) throw this.pastError;
    },
  };

  constructor(bootId = BOOT) {
    this.time = new VirtualTime(bootId);
    this.server = new DhcpServer(() => this.time.now());
    this.store = recordStore(
      {
        put: (name, text) => this.#write(`put`, () => this.files.set(name, text)),
        remove: (name) => this.#write(`remove`, () => this.files.delete(name)),
      },
      (key) => key,
    );
  }

  get clock(): VirtualTime {
    return this.time;
  }

  get timers(): VirtualTime {
    return this.time;
  }

  readonly log = {
    debug: (): void => undefined,
    info: (): void => undefined,
    warn: (fields: object, message: string): void => {
      this.warnings.push(message);
      this.warned.push({ fields, message });
    },
  };

  count(event: string): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  async #write(what: string, work: () => void): Promise<void> {
    await Promise.resolve();
    if (this.storeError !== undefined) throw this.storeError;
    this.journal.push(what);
    work();
  }

  addPod(name: string, number = this.pods.size + 1): PodModel {
    const hex = number.toString(16).padStart(4, '0');
    const address = mac(`02:00:5e:10:${hex.slice(0, 2)}:${hex.slice(2)}`);
    const pod = new PodModel(`/run/netns/${name}`, String(4_026_531_840 + number), 10 + number, address);
    this.pods.set(pod.path, pod);
    return pod;
  }

  isPodMac(address: Mac): boolean {
    return this.podMacs.has(address);
  }

  holderOnNode(address: Ipv4): string | undefined {
    return this.onNode.get(address);
  }

  openPod(path: string): FakePod {
    const model = this.pods.get(path);
    if (model === undefined) throw new SysError(`open ${path}`, 'ENOENT');
    return new FakePod(model, {
      datagram: (datagram) => this.#upstream(datagram),
      arp: (packet, from) => {
        if (!this.podsAreDeaf) this.#arp(packet, from);
      },
      answers: (address) => this.hosts.get(address),
    });
  }

  namespaceAt(path: string): NamespaceAt {
    const model = this.pods.get(path);
    return model === undefined ? { kind: 'gone' } : { kind: 'namespace', inode: model.inode };
  }

  readonly frames: HostFrames = {
    send: (ifindex, frame) => {
      if (ifindex !== this.uplink.index || this.gone.has(ifindex))
        return new SysError('send a frame', 'ENXIO');
      this.#fromHost(frame);
      return undefined;
    },
    link: (name) =>
      name === this.uplink.name && !this.gone.has(this.uplink.index) ? { ...this.uplink } : undefined,
  };

  async childMacs(): Promise<readonly Mac[]> {
    return childMacs(this.pods.values());
  }

  #fromHost(frame: Uint8Array): void {
    const arp = parseArpFrame(frame);
    if (arp.ok) {
      this.questions.push(arp.value);
      this.#arp(arp.value, undefined);
      return;
    }
    const datagram = parseUdp4Frame(frame, { checksumReady: true });
    assert.ok(datagram.ok, 'what the host sends can be read');
    const { payload, src, dst } = datagram.value;
    this.#toServer(payload, src, dst);
  }

  /** Everybody on the LAN hears it, and who has the address answers. */
  #arp(packet: ArpPacket, from: PodModel | undefined): void {
    this.time.at(instant(this.time.now() + LATENCY_MS), () => {
      if (packet.op === 'request') this.#answerArp(packet);
      this.hearArp(packet, from);
    });
  }

  #answerArp({ senderMac, senderIp, targetIp }: ArpPacket): void {
    const owner = this.hosts.get(targetIp);
    if (owner === undefined || owner === senderMac) return;
    this.hearArp(
      { op: 'reply', senderMac: owner, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp },
      undefined,
    );
  }

  /** The taps and all packet sockets but the sender's. */
  hearArp(packet: ArpPacket, from?: PodModel): void {
    const { senderMac, targetMac } = packet;
    const frame = emitArpFrame(senderMac, targetMac === NO_MAC ? BROADCAST_MAC : targetMac, packet);
    for (const [index, tap] of this.taps) if (!this.gone.has(index)) tap(frame, true);
    for (const pod of this.pods.values()) {
      if (pod !== from && !this.podsAreDeaf) for (const port of pod.arpPorts) port.hear(packet);
    }
  }

  openTap(uplinkIndex: number, onFrame: OnFrame): ReturnType<LeaseWorld['openTap']> {
    if (uplinkIndex !== this.uplink.index) throw new SysError(`open packet tap on #${uplinkIndex}`, 'ENODEV');
    this.taps.set(uplinkIndex, onFrame);
    return {
      attached: () => !this.gone.has(uplinkIndex),
      hearOutgoing: (on) => {
        if (on) this.ofOutgoing.add(uplinkIndex);
        else this.ofOutgoing.delete(uplinkIndex);
      },
      close: () => void this.taps.delete(uplinkIndex),
    };
  }

  #upstream({ bytes, from, to, pod }: Datagram): void {
    const arrives = to === IPV4_BROADCAST || pod.neighbours.get(to) === this.hosts.get(to);
    this.#toServer(bytes, from, to, pod.stuck || !pod.link.lowerUp || !arrives);
  }

  #toServer(bytes: Uint8Array, from: Ipv4, to: Ipv4, lost = false): void {
    const message = parseDhcp4(bytes);
    assert.ok(message.ok, 'what is sent can be read');
    const type = readOption(message.value.options, 'dhcp-message-type');
    assert.ok(type.kind === 'value');
    const name = messageTypeName(type.value).replace('DHCP', '');
    this.journal.push(name);
    this.sentFrom.push(`${name} from ${from}`);
    if (lost || !this.uplink.lowerUp || this.loses('up', message.value)) return;
    assert.ok(to === IPV4_BROADCAST || to === SERVER);
    this.time.at(instant(this.time.now() + LATENCY_MS), () => {
      const answer = this.server.answer(message.value);
      if (answer !== undefined && !this.loses('down', answer)) this.#downstream(answer);
    });
  }

  #downstream(answer: Dhcp4Message): void {
    this.time.at(instant(this.time.now() + LATENCY_MS), () => this.deliver(answer));
  }

  /**
   * As the kernel does: the tap hears everything, a socket what is broadcast or sent to its pod's address. `beside`: from
   * a macvlan beside the pod, whose broadcasts leave by the uplink.
   */
  deliver(answer: Dhcp4Message, { address = SERVER, mac: srcMac = SERVER_MAC, beside = false } = {}): void {
    const payload = emitDhcp4(answer);
    const dst = answer.broadcast ? IPV4_BROADCAST : answer.yiaddr;
    const frame = emitUdp4Frame({
      srcMac,
      dstMac: answer.broadcast ? BROADCAST_MAC : answer.chaddr,
      src: address,
      dst,
      srcPort: 67,
      dstPort: 68,
      payload,
    });
    const outgoing = beside && answer.broadcast;
    for (const [index, tap] of this.taps) {
      if (!this.gone.has(index) && (!outgoing || this.ofOutgoing.has(index))) tap(frame, true, outgoing);
    }
    for (const pod of this.pods.values()) {
      const reached = answer.broadcast || (pod.link.mac === answer.chaddr && pod.has(dst));
      if (reached) for (const socket of pod.sockets) socket.hear(payload, address);
    }
  }
}

export function keyOf(pod: PodModel): LeaseKey {
  return { containerId: pod.path.slice('/run/netns/'.length), network: 'lan', ifname: 'eth0' };
}

export type Overrides = Partial<Omit<AcquireRequest, 'client'>> & {
  readonly client?: Partial<AcquireRequest['client']>;
};

/** What an ADD asks for. The name of the pod is its identity, so that a server knows it again. */
export function requestFor(world: FakeWorld, pod: PodModel, overrides: Overrides = {}): AcquireRequest {
  const client: AcquireRequest['client'] = {
    clientId: Buffer.from(`\0${pod.path}`).toString('hex'),
    requestedAddress: undefined,
    parameterRequest: [1, 3, 6],
    send: {},
    servers: [],
    relays: [],
    ipv6Only: false,
    rapidCommit: false,
    broadcast: 'auto',
    ...overrides.client,
  };
  return {
    key: keyOf(pod),
    netnsPath: pod.path,
    pod: world.openPod(pod.path),
    link: { ...pod.link },
    owned: true,
    uplinkIndex: UPLINK,
    lan: { index: UPLINK, name: 'uplink0' },
    apply: { metric: undefined, routes: 'all', table: undefined, mtu: true },
    conflictCheck: 'off',
    ...overrides,
    client,
  };
}

export function managerOf(world: FakeWorld, maker?: LinkMaker): LeaseManager {
  return new LeaseManager(world, { deadline: seconds(60), carrierWait: seconds(10) }, maker);
}

/** Acquires, runs until it is settled, and does what the caller of a lease does then: configures the pod. */
export async function attach(
  world: FakeWorld,
  manager: LeaseManager,
  pod: PodModel,
  overrides: Overrides = {},
  signal = new AbortController().signal,
): Promise<Result<Lease4 | undefined, Failure>> {
  const request = requestFor(world, pod, overrides);
  const lease = await world.time.until(manager.acquire(request, signal));
  if (lease.ok && lease.value !== undefined) {
    const routes = lease.value.routes.map(({ dst, router }) => ({ dst, gateway: router, metric: undefined }));
    await request.pod.configure(request.link.index, { addresses: [lease.value.address], routes });
  }
  request.pod.close();
  return lease;
}

export async function attached(
  world: FakeWorld,
  manager: LeaseManager,
  pod: PodModel,
  overrides: Overrides = {},
): Promise<Lease4> {
  const lease = await attach(world, manager, pod, overrides);
  assert.ok(lease.ok && lease.value !== undefined, lease.ok ? 'no address' : JSON.stringify(lease.error));
  return lease.value;
}

export type Running = { readonly world: FakeWorld; readonly manager: LeaseManager; readonly pod: PodModel };

/** A pod with a lease under a manager that looks after it; what happened until then is forgotten. */
export async function running(): Promise<Running> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  manager.watch();
  const pod = world.addPod('a');
  await attached(world, manager, pod);
  world.journal.length = 0;
  pod.history.length = 0;
  return { world, manager, pod };
}

/** What is on disk, as a daemon that starts finds it. */
export function stored(world: FakeWorld): readonly LeaseRecord[] {
  return [...world.files].map(([name, text]) => {
    const record = readStored(name, text, (key) => key);
    assert.ok(record.ok, record.ok ? '' : record.error);
    return record.value;
  });
}

/** Nothing is left of a pod's attachment: not here, not on disk, not at the server, not in the kernel. */
export function assertNothingHeld(world: FakeWorld, manager: LeaseManager): void {
  assert.deepEqual(
    {
      leases: manager.size,
      files: [...world.files.keys()],
      server: world.server.held,
      addresses: [...world.pods.values()].flatMap(({ addresses }) => addresses),
      sockets: [...world.pods.values()].flatMap(({ sockets, arpPorts }) => [...sockets, ...arpPorts]),
      handles: [...world.pods.values()].filter(({ openHandles }) => openHandles !== 0),
    },
    { leases: 0, files: [], server: [], addresses: [], sockets: [], handles: [] },
  );
}
