import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { SysError } from '../base/sys-error.ts';
import type { Duration, Instant } from '../base/time.ts';
import type { HmacMd5 } from '../protocol/dhcp4/force-renew.ts';
import type { ArpPacket } from '../wire/arp.ts';
import type { LeaseIdentity, LeaseKey, LeaseRecord } from './record.ts';

/** What the lease manager needs of the world. kernel/ implements it, tests fake it; nothing else reaches the OS. */

export interface Clock {
  /** CLOCK_BOOTTIME. */
  now(): Instant;
  /** How long the machine slept (suspend) since it was booted: CLOCK_BOOTTIME less CLOCK_MONOTONIC. */
  slept(): Duration;
  /** Identifies this boot of the machine: instants of another boot mean nothing. */
  readonly bootId: string;
}

export interface Timers {
  /** Calls back once, not before `at`; returns what cancels it. */
  at(at: Instant, callback: () => void): () => void;
}

/** An interface as the kernel shows it (rtnetlink ifinfomsg). */
export interface LinkState {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu: number;
  /** IFF_UP: switched on. */
  readonly up: boolean;
  /** IFF_LOWER_UP: has a carrier. */
  readonly lowerUp: boolean;
  readonly kind?: string | undefined;
}

/** A route to be made through one interface. No gateway: the destination is on the link. */
export interface RouteSpec {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly metric?: number | undefined;
  /** The main table if left out. */
  readonly table?: number | undefined;
}

/** What one interface has to be configured with, and what it must not have any more. */
export interface InterfaceConfiguration {
  readonly addresses: readonly Cidr[];
  /**
   * The kernel takes the addresses off by itself once this is over and up to three seconds more have passed, so that
   * none outlives its lease when the daemon is dead. Undefined: for ever. One that is there is changed accordingly.
   */
  readonly validFor?: Duration | undefined;
  /** The addresses are those of a lease, and are marked so, for `leasedAddresses`. */
  readonly leased?: boolean | undefined;
  /** False: the kernel makes no route of its own to the network of an address (IFA_F_NOPREFIXROUTE). */
  readonly prefixRoute?: boolean | undefined;
  /** What comes from one of the addresses is looked up here first: a rule that goes when its address goes. */
  readonly lookup?: number | undefined;
  readonly routes: readonly RouteSpec[];
  readonly mtu?: number | undefined;
  /** Removed after everything new is there; no error for what is gone already. */
  readonly removeRoutes?: readonly RouteSpec[] | undefined;
  /** Removed last of all; another address of the same network stays. */
  readonly removeAddresses?: readonly Cidr[] | undefined;
  /** The interface's own MAC: its addresses are announced by gratuitous ARP, now and when it comes up again. */
  readonly announce?: Mac | undefined;
  /** Addresses are announced whenever the interface comes up from now on (arp_notify), and not now. `announce` does both. */
  readonly arpNotify?: boolean | undefined;
}

/**
 * A packet socket on one interface of a pod. Neither the pod's filters (but for netdev egress) nor its sockets, routes
 * and addresses have a say in what is sent and heard here.
 */
export interface FramePort {
  /** A whole Ethernet frame. Undefined when the kernel took it. */
  send(frame: Uint8Array): SysError | undefined;
  /** Begins to listen, as an uplink's tap does: UDP to port 68 and ARP. The bytes are valid during the call only. */
  onFrame(callback: OnFrame): void;
  /** At once for the caller; the kernel takes its 16 ms on another thread. */
  close(): void;
}

/** A link somewhere on this machine changed: which pod's it is, index and MAC address have to say. */
export interface PodLinkChange {
  readonly index: number;
  readonly mac: Mac | undefined;
  /** IFF_UP: switched on. */
  readonly up: boolean;
  readonly removed: boolean;
}

/** What can be seen of an interface at once, without waiting for the kernel's lock. */
export interface LinkSight {
  readonly index: number;
  /** Its name now: somebody may have renamed it. */
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
  /** Whether it has the address that was asked about. */
  readonly hasAddress: boolean;
}

/** A packet socket for ARP on one interface of a pod: it hears what the interface hears, siblings included. */
export interface ArpPort {
  /** Undefined when the kernel took the frame. */
  send(packet: ArpPacket): SysError | undefined;
  /** Begins to listen. */
  onPacket(callback: (packet: ArpPacket) => void): void;
  /** At once for the caller; the kernel takes its 16 ms on another thread. */
  close(): void;
}

/** An address that was put on an interface as that of a lease; what is left of it, undefined: it has no end. */
export interface LeasedAddress {
  readonly address: Cidr<Ipv4>;
  readonly validFor: Duration | undefined;
}

/** A pod's network namespace, opened for a while. All errors are SysErrors. */
export interface PodNamespace {
  /** The namespace's inode: the same path with another inode is another pod. */
  readonly inode: string;
  link(name: string): Promise<LinkState | undefined>;
  /** The interface of this index, whatever its name, and whether it has `address`; undefined when it is gone. */
  sight(index: number, address: Ipv4 | undefined): LinkSight | undefined;
  /** The MAC addresses of all its interfaces. Rejects with SysError. */
  macs(): Promise<readonly Mac[]>;
  /** From now on changes of its links come as `PodLinkChange`, until the namespace is gone. */
  follow(): Promise<void>;
  setUp(index: number): Promise<void>;
  /**
   * In this order, so that what can go on goes on: MTU, new addresses, new routes (one of this interface to the same
   * place is replaced), old routes out, old addresses out, announcement.
   */
  configure(index: number, wanted: InterfaceConfiguration): Promise<void>;
  /**
   * Those that were put on as `leased`, the newest of one network last, whatever has become of the daemon that did. What is
   * left of them is never said too long. None where the kernel keeps no such mark.
   */
  leasedAddresses(index: number): Promise<readonly LeasedAddress[]>;
  /** True when it was not there before. */
  ensureAddress(index: number, address: Cidr): Promise<boolean>;
  /** Its routes go with it. No error when it is gone already. */
  removeAddress(index: number, address: Cidr): Promise<void>;
  /**
   * Resets the TCP connections of the namespace that are from this address, and gives how many there were. Rejects with
   * SysError, EOPNOTSUPP where the kernel cannot do that.
   */
  resetConnections(from: Ipv4): Promise<number>;
  /** Whether the interface has the address now. */
  hasAddress(index: number, address: Ipv4): boolean;
  /** Sends one whole frame out of an interface. Undefined when the kernel took it. */
  say(index: number, frame: Uint8Array): SysError | undefined;
  /** Throws SysError ENODEV without the interface. */
  openFrames(index: number): FramePort;
  /**
   * Binds UDP port 68 of an address of the interface, and reads nothing: the pod's kernel would answer a server that
   * writes there with ICMP port unreachable (RFC 1122 4.1.3.1). An address that is not there is held, too, for the case that
   * it is put back. Throws SysError EADDRINUSE where a process of the pod has the port, which then keeps it for itself;
   * EADDRNOTAVAIL where it has that of an address that is not there.
   */
  holdClientPort(index: number, address: Ipv4): { readonly hasAddress: boolean; readonly end: () => void };
  /** For what concerns an address, in ordinary questions too. Throws SysError ENODEV without the interface. */
  openArp(index: number, about: Ipv4): ArpPort;
  close(): void;
}

/** What lies at the path of a namespace. `unseen`: this daemon cannot tell, as when /run is not shared with it. */
export type NamespaceAt =
  | { readonly kind: 'namespace'; readonly inode: string }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unseen'; readonly why: string };

/** The daemon's own side of the LAN. */
export interface HostFrames {
  /** Sends a whole Ethernet frame out of an interface. Undefined when the kernel took it. */
  send(ifindex: number, frame: Uint8Array): SysError | undefined;
  /** An interface by name, at once; undefined when there is none. */
  link(name: string): (LinkState & { readonly mac?: Mac | undefined }) | undefined;
}

/** Frames that arrive at an uplink for the pods on it: the answers to clients that have no address yet. */
export interface FrameTap {
  /** False when the interface was removed: nothing will come from it any more. */
  attached(): boolean;
  /**
   * The uplink takes frames for this MAC address, too, until that is ended: those of a macvlan that is down it would not
   * (macvlan_stop takes the address out of its filter). Never throws: what the kernel refuses is counted, and not let in.
   */
  letIn(address: Mac): () => void;
  /**
   * From now on ordinary ARP questions are heard, too, whose sender has one of these addresses: no longer those of the call
   * before, and those of few others. Never throws: what the kernel refuses is counted, and the call before stays in force.
   */
  hearClaims(addresses: readonly Ipv4[]): void;
  close(): void;
}

/** `checksumReady`: false where the sender left the checksum of UDP to the device. */
export type OnFrame = (frame: Uint8Array, checksumReady: boolean) => void;

export type OpenTap = (uplinkIndex: number, onFrame: OnFrame) => FrameTap;

/** Durable records, one per lease. `put` has stored when it resolves. */
export interface LeaseStore {
  put(record: LeaseRecord): Promise<void>;
  remove(record: LeaseRecord): Promise<void>;
}

/** The last addresses of clients that are gone, for when they come back. A bounded memory: it may forget. */
export interface PastAddresses {
  get(client: string): Ipv4 | undefined;
  /** `get` knows it when this returns, and after a restart when it resolves. Rejects with a SysError. */
  put(client: string, address: Ipv4): Promise<void>;
}

export interface LeaseLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface LeaseWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  /** Undefined where this machine's OpenSSL has no MD5 (FIPS 140): no FORCERENEW can be authenticated then. */
  readonly hmacMd5?: HmacMd5 | undefined;
  readonly store: LeaseStore;
  readonly past: PastAddresses;
  readonly log: LeaseLog;
  /** Throws SysError ENOENT, or ENOTNS for a path that is no network namespace. */
  openPod(path: string, inode?: string): PodNamespace;
  /** What is at this path, without opening it. */
  namespaceAt(path: string): NamespaceAt;
  readonly openTap: OpenTap;
  readonly frames: HostFrames;
  /**
   * The unicast MAC addresses whose frames an interface of the node takes beside its own: those of all macvlans on it
   * that are up, in whatever namespace. Rejects with SysError.
   */
  childMacs(ifindex: number): Promise<readonly Mac[]>;
  /**
   * Who of this node has the address, beside the leases of this daemon: the node itself, its router, a pod whose
   * address another plugin gave; in words, and at once. Undefined: nobody. `asker` does not hinder itself.
   */
  holderOnNode(address: Ipv4, asker: Pick<LeaseIdentity, 'key' | 'lan'>): string | undefined;
  /** Whether a pod that this daemon attached to an uplink has this MAC address there, with a lease or without one. */
  isPodMac(address: Mac, uplink: string): boolean;
  /** The node's own macvlan on an uplink, where it has one: what leaves there all others on it hear, and the wire. */
  shimOn(uplinkIndex: number): { readonly index: number; readonly mac: Mac } | undefined;
  /** Networks that no route of a lease may lead into. */
  readonly protect: readonly Cidr<Ipv4>[];
  /** Adds one to a counter: why something was dropped, or what was done. */
  count(event: string): void;
  /** What a running pod has of its lease was changed: the address, the routes with it, or the interface. */
  readonly changed?: (key: LeaseKey) => void;
}

/** What became of an attempt to make a link again. */
export type Remade =
  | { readonly kind: 'made'; readonly index: number }
  /** Something that is not ours has its name, or it cannot have its MAC address. */
  | { readonly kind: 'taken'; readonly why: string };

/** The part of the plugins that makes links: what a lease needs of it when an uplink took its links along. */
export interface LinkMaker {
  /**
   * Runs `work` while nothing else (an ADD, a DEL) is done for this attachment. Rejects as `work` does; resolves
   * without having run it when the daemon stops.
   */
  alone(key: LeaseKey, work: () => Promise<void>): Promise<void>;
  /** Whether the daemon's namespace has an interface of this index, whatever it is called now. Throws SysError. */
  isThere(index: number): boolean;
  /**
   * The link of `identity` on another uplink, in the pod's namespace, up, with the MAC address it had; one that an
   * attempt before made is taken. Rejects with a SysError, ENOENT when the namespace is gone or another one.
   */
  makeAgain(
    identity: LeaseIdentity,
    uplink: { readonly index: number; readonly mtu: number },
  ): Promise<Remade>;
}

/** What an operator may set for all clients of the daemon. */
export interface DhcpDefaults {
  /** An ADD gives up after this long. */
  readonly deadline: Duration;
  /** How much of it a missing carrier may use up. */
  readonly carrierWait: Duration;
}
