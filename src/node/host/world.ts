import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import type { SysError } from '../../base/sys-error.ts';
import { type Duration, type Instant, millis } from '../../base/time.ts';
import type { GuardPort, HostKernel, PodSidePort } from './ports.ts';
import type { AttachmentKey, AttachmentRecord, HostRecord } from './record.ts';

/** A running pod's lease, as far as the node's side is concerned. */
export type LeaseHere = Pick<AttachmentRecord, 'key' | 'netns' | 'mac' | 'uplink'> & {
  readonly address: Ipv4;
};

/** What the host side needs beside the kernel. The composition root hands it over, tests fake it. */
export interface HostWorld {
  readonly clock: {
    /** CLOCK_BOOTTIME. */
    now(): Instant;
    readonly bootId: string;
  };
  readonly timers: {
    /** Calls back once, not before `at`; returns what cancels it. */
    at(at: Instant, callback: () => void): () => void;
  };
  readonly kernel: HostKernel;
  /**
   * Hands over what the kernel has told of changes until now (`HostSide.notice`), without waiting. False: there may be more
   * of it, or nobody listens.
   */
  hearNow(): boolean;
  readonly guard: GuardPort;
  /** Throws SysError ENOENT, or ENOTNS for a path that is no network namespace. */
  openPodSide(path: string): PodSidePort;
  /** What is at this path, without opening it. */
  namespaceAt(
    path: string,
  ): { readonly kind: 'namespace'; readonly inode: string } | { readonly kind: string };
  /** The address that a pod's lease has now. */
  leaseAddress(key: AttachmentKey): Ipv4 | undefined;
  /** The leases of pods that run on uplinks of this node. */
  leases(): readonly LeaseHere[];
  readonly store: {
    put(record: HostRecord): Promise<void>;
    remove(record: HostRecord): Promise<void>;
  };
  /** The networks of this node's LANs by the configuration, for uplinks on which the node has none of its own. */
  lan(): readonly Cidr<Ipv4>[];
  /** The API server that the node's kubelet uses, where that has an address. */
  apiServer(): Ipv4 | undefined;
  /** A whole Ethernet frame out of an interface of the node, at once or not at all: then why. */
  sendFrame(index: number, frame: Uint8Array): SysError | undefined;
  /** A locally administered unicast address that nobody has yet. */
  newMac(): Mac;
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
  count(event: string): void;
}

/** How long the shim keeps an address that its uplink has lost: a DHCP client that flushes and sets again is quicker. */
export const ADDRESS_GRACE: Duration = millis(500);
