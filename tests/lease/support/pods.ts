import { isDeepStrictEqual } from 'node:util';
import { type Cidr, formatCidr } from '../../../src/base/cidr.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { between, type Duration, type Instant, later } from '../../../src/base/time.ts';
import type { ArpPacket } from '../../../src/wire/arp.ts';
import type {
  ArpPort,
  FramePort,
  InterfaceConfiguration,
  LeasedAddress,
  LinkSight,
  LinkState,
  OnFrame,
  PodNamespace,
  RouteSpec,
} from '../../../src/lease/ports.ts';

function samePlace(a: RouteSpec, b: RouteSpec): boolean {
  return isDeepStrictEqual([a.dst, a.metric], [b.dst, b.metric]);
}

const PARENT_MTU = 1500;

/** One interface of one pod, and what the kernel knows of it. */
export class PodModel {
  readonly path: string;
  readonly inode: string;
  readonly link: { index: number; name: string; mac: Mac; mtu: number; up: boolean; lowerUp: boolean };
  addresses: Cidr[] = [];
  /** When those end that were put on as a lease's, by their text. */
  readonly leased = new Map<string, Instant | undefined>();
  /** How long they are valid, as it was said last, and how often it was. */
  validFor: Duration | undefined;
  saidValid = 0;
  routes: RouteSpec[] = [];
  readonly history: string[] = [];
  /** Why the kernel resets no connections. */
  resetError: SysError | undefined;
  readonly sockets = new Set<FrameModel>();
  /** Of its own addresses those whose UDP port 68 is held, and whether a process has the port. */
  readonly held = new Set<Ipv4>();
  portTaken = false;
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

/** A packet socket in a pod. */
export class FrameModel implements FramePort {
  readonly #pod: PodModel;
  readonly #transmit: (frame: Uint8Array) => void;
  #callback: OnFrame | undefined;

  constructor(pod: PodModel, transmit: (frame: Uint8Array) => void) {
    this.#pod = pod;
    this.#transmit = transmit;
    pod.sockets.add(this);
  }

  send(frame: Uint8Array): SysError | undefined {
    if (!this.#pod.sockets.has(this)) throw new Error('sent on a closed socket');
    if (!this.#pod.link.up) return new SysError('send a frame', 'ENETDOWN');
    this.#transmit(frame);
    return undefined;
  }

  onFrame(callback: OnFrame): void {
    if (this.#callback !== undefined) throw new Error('a second listener');
    this.#callback = callback;
  }

  hear(frame: Uint8Array): void {
    if (this.#pod.sockets.has(this)) this.#callback?.(frame, true);
  }

  close(): void {
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
  readonly frame: (frame: Uint8Array, from: PodModel) => void;
  readonly arp: (packet: ArpPacket, from: PodModel) => void;
  readonly now: () => Instant;
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

  macs(): Promise<readonly Mac[]> {
    return Promise.resolve(this.#model.linkGone ? [] : [this.#model.link.mac]);
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
    for (const address of wanted.addresses) {
      await this.ensureAddress(index, address);
      const { leased = false, validFor } = wanted;
      if (leased) this.#model.leased.set(formatCidr(address), validFor && later(this.#wire.now(), validFor));
      else this.#model.leased.delete(formatCidr(address));
    }
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

  async leasedAddresses(index: number): Promise<readonly LeasedAddress[]> {
    this.#check('list addresses', index);
    return this.#model.addresses.flatMap((own): LeasedAddress[] => {
      const text = formatCidr(own);
      if (!this.#model.leased.has(text)) return [];
      const end = this.#model.leased.get(text);
      const validFor = end && between(this.#wire.now(), end);
      return [{ address: own as Cidr<Ipv4>, validFor }];
    });
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
      this.#model.leased.delete(formatCidr(address));
      this.#model.note(`-${address.address}/${address.prefix}`);
    });
  }

  say(index: number, frame: Uint8Array): SysError | undefined {
    this.#check('say', index);
    this.#wire.frame(frame, this.#model);
    return undefined;
  }

  openFrames(index: number): FramePort {
    this.#check('open frames', index);
    return new FrameModel(this.#model, (frame) => this.#wire.frame(frame, this.#model));
  }

  resetConnections(from: Ipv4): Promise<number> {
    this.#model.note(`reset ${from}`);
    const { resetError } = this.#model;
    return resetError === undefined ? Promise.resolve(1) : Promise.reject(resetError);
  }

  hasAddress(index: number, address: Ipv4): boolean {
    this.#check('look for an address', index);
    return this.#model.has(address);
  }

  holdClientPort(index: number, address: Ipv4): ReturnType<PodNamespace['holdClientPort']> {
    const isThere = !this.#model.linkGone && index === this.#model.link.index;
    const hasAddress = isThere && this.#model.has(address);
    if (this.#model.portTaken)
      throw new SysError('hold port 68', hasAddress ? 'EADDRINUSE' : 'EADDRNOTAVAIL');
    this.#model.held.add(address);
    return { hasAddress, end: () => void this.#model.held.delete(address) };
  }

  close(): void {
    this.#model.openHandles -= 1;
  }
}
