import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { SysError } from '../base/sys-error.ts';
import type { Duration, Instant } from '../base/time.ts';
import type { LeaseRecord } from './record.ts';

/** What the lease manager needs of the world. kernel/ implements it, tests fake it; nothing else reaches the OS. */

export interface Clock {
  /** CLOCK_BOOTTIME. */
  now(): Instant;
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
}

/** What one interface has to be configured with. */
export interface InterfaceConfiguration {
  readonly addresses: readonly Cidr[];
  readonly routes: readonly RouteSpec[];
  readonly mtu?: number | undefined;
  /** The interface's own MAC: its addresses are announced by gratuitous ARP, now and when it comes up again. */
  readonly announce?: Mac | undefined;
}

/** A UDP socket in the pod's namespace, bound to one interface and port 68. */
export interface UdpPort {
  /** Undefined when the kernel took the datagram. */
  send(bytes: Uint8Array, to: Ipv4, port: number): SysError | undefined;
  /** The same on another thread, for a message that the kernel hands to many siblings. */
  sendOffLoop(bytes: Uint8Array, to: Ipv4, port: number): Promise<SysError | undefined>;
  /** Begins to listen; the bytes are valid during the call only. */
  onMessage(callback: (bytes: Uint8Array) => void): void;
  /** Bytes that the kernel still holds, such as a datagram that waits for ARP (SIOCOUTQ). */
  pendingBytes(): number;
  close(): void;
}

/** A pod's network namespace, opened for a while. All errors are SysErrors. */
export interface PodNamespace {
  /** The namespace's inode: the same path with another inode is another pod. */
  readonly inode: string;
  link(name: string): Promise<LinkState | undefined>;
  setUp(index: number): Promise<void>;
  /** Adds what is missing of addresses and routes, sets the MTU. Nothing is removed. */
  configure(index: number, wanted: InterfaceConfiguration): Promise<void>;
  /** True when it was not there before. */
  ensureAddress(index: number, address: Cidr): Promise<boolean>;
  /** Its routes go with it. No error when it is gone already. */
  removeAddress(index: number, address: Cidr): Promise<void>;
  openUdp(options: { readonly ifname: string; readonly localAddress: Ipv4 }): UdpPort;
  close(): void;
}

/** Frames that arrive at an uplink for the pods on it: the answers to clients that have no address yet. */
export interface FrameTap {
  /** False when the interface was removed: nothing will come from it any more. */
  attached(): boolean;
  close(): void;
}

export type OpenTap = (
  uplinkIndex: number,
  onFrame: (frame: Uint8Array, checksumReady: boolean) => void,
) => FrameTap;

/** Durable records, one per lease. `put` has stored when it resolves. */
export interface LeaseStore {
  put(record: LeaseRecord): Promise<void>;
  remove(record: LeaseRecord): Promise<void>;
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
  readonly store: LeaseStore;
  readonly log: LeaseLog;
  /** Throws SysError ENOENT, or ENOTNS for a path that is no network namespace. */
  openPod(path: string): PodNamespace;
  readonly openTap: OpenTap;
  /** Adds one to a counter: why something was dropped, or what was done. */
  count(event: string): void;
}

/** What an operator may set for all clients of the daemon. */
export interface DhcpDefaults {
  /** An ADD gives up after this long. */
  readonly deadline: Duration;
  /** How much of it a missing carrier may use up. */
  readonly carrierWait: Duration;
}
