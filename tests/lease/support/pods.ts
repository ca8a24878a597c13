import { isDeepStrictEqual } from 'node:util';
import type { Cidr } from '../../../src/base/cidr.ts';
import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type { Duration } from '../../../src/base/time.ts';
import type { ArpPacket } from '../../../src/wire/arp.ts';
import type {
  ArpPort,
  InterfaceConfiguration,
  LinkSight,
  LinkState,
  PodNamespace,
  RouteSpec,
  UdpPort,
} from '../../../src/lease/ports.ts';

function samePlace(a: RouteSpec, b: RouteSpec): boolean {
  return isDeepStrictEqual([a.dst, a.metric], [b.dst, b.metric]);
}

const PARENT_MTU = 1500;

export type Datagram = {
  readonly bytes: Uint8Array;
  readonly from: Ipv4;
  readonly to: Ipv4;
  readonly pod: PodModel;
};

/** One interface of one pod, and what the kernel knows of it. */
export class PodModel {
  readonly path: string;
  readonly inode: string;
  readonly link: { index: number; name: string; mac: Mac; mtu: number; up: boolean; lowerUp: boolean };
  addresses: Cidr[] = [];
  /** Whom its kernel takes to be where on the LAN, once it has asked. */
  readonly neighbours = new Map<Ipv4, Mac>();
  /** How long they are valid, as it was said last, and how often it was. */
  validFor: Duration | undefined;
  saidValid = 0;
  routes: RouteSpec[] = [];
  /** Datagrams stay with the kernel, as when nobody answers ARP. */
  stuck = false;
  readonly history: string[] = [];
  readonly sockets = new Set<SocketModel>();
  readonly arpPorts = new Set<ArpModel>();
  openHandles = 0;
  /** Somebody wants to know of its links. */
  followed = false;
  /** Its interface was removed; the namespace is still there. */
  linkGone = false;

  constructor(path: string, inode: string, index: number, mac: Mac) {
    this.path = path;
    this.inode = inode;
    this.link = { index, name: 'eth0', mac, mtu: 1500, up: true, lowerUp: true };
  }

  has(address: Ipv4): boolean {
    return this.addresses.some((own) => own.address === address);
  }

  note(what: string): void {
    this.history.push(what);
  }
}

/** Of the macvlans on the uplink, those that are up. */
export function childMacs(pods: Iterable<PodModel>): readonly Mac[] {
  return [...pods].flatMap(({ link, linkGone }) => (link.up && !linkGone ? [link.mac] : []));
}

export class SocketModel implements UdpPort {
  readonly #pod: PodModel;
  readonly #transmit: (datagram: Datagram) => void;
  readonly local: Ipv4;
  #callback: ((bytes: Uint8Array, from: Ipv4) => void) | undefined;
  #open = true;

  constructor(pod: PodModel, local: Ipv4, transmit: (datagram: Datagram) => void) {
    this.#pod = pod;
    this.local = local;
    this.#transmit = transmit;
    pod.sockets.add(this);
  }

  sendOffLoop(bytes: Uint8Array, to: Ipv4): Promise<SysError | undefined> {
    return Promise.resolve(this.send(bytes, to));
  }

  send(bytes: Uint8Array, to: Ipv4): SysError | undefined {
    if (!this.#open) throw new Error('sent on a closed socket');
    // Linux takes an address of the interface when the socket has none.
    const first = this.#pod.addresses[0]?.address as Ipv4 | undefined;
    const from = this.local === IPV4_ANY ? (first ?? IPV4_ANY) : this.local;
    this.#transmit({ bytes, from, to, pod: this.#pod });
    return undefined;
  }

  onMessage(callback: (bytes: Uint8Array, from: Ipv4) => void): void {
    if (this.#callback !== undefined) throw new Error('a second listener');
    this.#callback = callback;
  }

  hear(bytes: Uint8Array, from: Ipv4): void {
    if (this.#open) this.#callback?.(bytes, from);
  }

  pendingBytes(): number {
    return this.#pod.stuck ? 300 : 0;
  }

  close(): void {
    this.#open = false;
    this.#pod.sockets.delete(this);
  }
}

export class ArpModel implements ArpPort {
  readonly #pod: PodModel;
  readonly #transmit: (packet: ArpPacket) => void;
  #callback: ((packet: ArpPacket) => void) | undefined;

  constructor(pod: PodModel, transmit: (packet: ArpPacket) => void) {
    this.#pod = pod;
    this.#transmit = transmit;
    pod.arpPorts.add(this);
  }

  send(packet: ArpPacket): SysError | undefined {
    this.#transmit(packet);
    return undefined;
  }

  onPacket(callback: (packet: ArpPacket) => void): void {
    this.#callback = callback;
  }

  hear(packet: ArpPacket): void {
    if (this.#pod.arpPorts.has(this)) this.#callback?.(packet);
  }

  close(): void {
    this.#pod.arpPorts.delete(this);
  }
}

export type Wire = {
  readonly datagram: (datagram: Datagram) => void;
  readonly arp: (packet: ArpPacket, from: PodModel) => void;
  /** Who answers the kernel's own question for an address. */
  readonly answers: (address: Ipv4) => Mac | undefined;
};

/** A pod's namespace as kernel/ gives it, with the kernel's refusals. */
export class FakePod implements PodNamespace {
  readonly #model: PodModel;
  readonly #wire: Wire;

  constructor(model: PodModel, wire: Wire) {
    this.#model = model;
    this.#wire = wire;
    model.openHandles += 1;
  }

  get inode(): string {
    return this.#model.inode;
  }

  link(name: string): Promise<LinkState | undefined> {
    const there = name === this.#model.link.name && !this.#model.linkGone;
    return Promise.resolve(there ? { ...this.#model.link } : undefined);
  }

  sight(index: number, address: Ipv4 | undefined): LinkSight | undefined {
    const { link, linkGone } = this.#model;
    if (linkGone || index !== link.index) return undefined;
    return { ...link, hasAddress: address !== undefined && this.#model.has(address) };
  }

  neighbour(index: number, address: Ipv4): Mac | undefined {
    this.#check('look for a neighbour', index);
    return this.#model.neighbours.get(address);
  }

  openArp(index: number): ArpPort {
    this.#check('open ARP', index);
    return new ArpModel(this.#model, (packet) => this.#wire.arp(packet, this.#model));
  }

  follow(): Promise<void> {
    this.#model.followed = true;
    return Promise.resolve();
  }

  setUp(): Promise<void> {
    return Promise.resolve();
  }

  #check(op: string, index: number): void {
    if (this.#model.linkGone || index !== this.#model.link.index) throw new SysError(op, 'ENODEV');
  }

  async configure(index: number, wanted: InterfaceConfiguration): Promise<void> {
    this.#check('configure', index);
    for (const address of wanted.addresses) await this.ensureAddress(index, address);
    if (wanted.addresses.length > 0) {
      this.#model.validFor = wanted.validFor;
      this.#model.saidValid += 1;
    }
    for (const route of wanted.routes) {
      this.#model.routes = [...this.#model.routes.filter((own) => !samePlace(own, route)), route];
    }
    for (const route of wanted.removeRoutes ?? []) {
      this.#model.routes = this.#model.routes.filter((own) => !isDeepStrictEqual(own, route));
    }
    for (const address of wanted.removeAddresses ?? []) await this.removeAddress(index, address);
    // Routes do not outlive the last address of their interface.
    if (this.#model.addresses.length === 0) this.#model.routes = [];
    // The parent's is the most.
    const mtu = Math.min(wanted.mtu ?? this.#model.link.mtu, PARENT_MTU);
    if (mtu === this.#model.link.mtu) return;
    this.#model.link.mtu = mtu;
    this.#model.note(`mtu ${mtu}`);
  }

  ensureAddress(index: number, address: Cidr): Promise<boolean> {
    return Promise.resolve().then(() => {
      this.#check('RTM_NEWADDR', index);
      const text = JSON.stringify(address);
      if (this.#model.addresses.some((own) => JSON.stringify(own) === text)) return false;
      this.#model.addresses.push(address);
      this.#model.note(`+${address.address}/${address.prefix}`);
      return true;
    });
  }

  removeAddress(index: number, address: Cidr): Promise<void> {
    return Promise.resolve().then(() => {
      this.#check('RTM_DELADDR', index);
      const text = JSON.stringify(address);
      const left = this.#model.addresses.filter((own) => JSON.stringify(own) !== text);
      if (left.length === this.#model.addresses.length) return;
      this.#model.addresses = left;
      this.#model.note(`-${address.address}/${address.prefix}`);
    });
  }

  openUdp({ ifname, localAddress }: { readonly ifname: string; readonly localAddress: Ipv4 }): UdpPort {
    if (this.#model.linkGone || ifname !== this.#model.link.name)
      throw new SysError(`open UDP on ${ifname}`, 'ENODEV');
    if (localAddress !== IPV4_ANY && !this.#model.has(localAddress)) {
      throw new SysError(`open UDP on ${ifname}`, 'EADDRNOTAVAIL');
    }
    return new SocketModel(this.#model, localAddress, (datagram) => {
      const { to } = datagram;
      const owner = this.#model.neighbours.get(to) ?? this.#wire.answers(to);
      if (owner !== undefined) this.#model.neighbours.set(to, owner);
      this.#wire.datagram(datagram);
    });
  }

  close(): void {
    this.#model.openHandles -= 1;
  }
}
