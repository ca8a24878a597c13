import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { SysError } from '../base/sys-error.ts';
import type { Duration, Instant } from '../base/time.ts';

/** What probes of the LAN need of the world. kernel/ has it, tests fake it; nothing of it changes the node. */

/** A frame as it arrived. */
export interface HeardFrame {
  /** The whole frame without the tag in `vlan`; a view that is valid during the call only. */
  readonly bytes: Uint8Array;
  readonly at: Instant;
  /** The VLAN of a tag that the kernel took off; undefined without one, and for VLAN 0, which is a priority only. */
  readonly vlan: number | undefined;
  /** False when the sender left the UDP checksum to the device, as on veth: there is none to verify. */
  readonly checksumReady: boolean;
}

/** A packet socket on one interface of the own namespace. */
export interface ProbeSocket {
  /** At once or not at all. Undefined when the kernel took the frame. */
  send(frame: Uint8Array): SysError | undefined;
  /** Begins to listen; one handler. It hears DHCP answers, ARP, ICMP errors, BPDUs, and group frames with a VLAN tag. */
  onFrame(handler: (frame: HeardFrame) => void): void;
  /** Nothing is heard from the call on; settles when the kernel has let go. */
  close(): Promise<void>;
}

/** What the interface's device shall let in, for the life of the socket (PACKET_ADD_MEMBERSHIP). */
export interface Membership {
  /** Frames to these addresses, unicast or group: what a macvlan child asks of its parent, and no more. */
  readonly addresses: readonly Mac[];
  /** Every frame. */
  readonly promiscuous: boolean;
}

/** An interface of the node, as far as a diagnosis is about it. */
export interface ProbedLink {
  readonly index: number;
  readonly name: string;
  /** Undefined: not Ethernet. */
  readonly mac?: Mac | undefined;
  readonly up: boolean;
  readonly lowerUp: boolean;
  readonly addresses: readonly Cidr<Ipv4>[];
}

/** A DHCP server that pods of this node have heard, and how long ago it last said what. */
export type KnownServer = {
  readonly server: Ipv4;
  readonly offer: Duration | undefined;
  readonly ack: Duration | undefined;
  readonly nak: Duration | undefined;
};

/** What the daemon knows of the DHCP servers behind one uplink. */
export type KnownLan = {
  readonly servers: readonly KnownServer[];
  /** For how long REQUESTs of clients that have a lease are not answered; undefined: they are, or nobody asked. */
  readonly renewalUnanswered: Duration | undefined;
};

/** The doctor's view of the node's LAN. */
export interface LanPorts {
  readonly clock: { now(): Instant };
  readonly timers: {
    /** Calls back once, not before `at`; returns what cancels it. */
    at(at: Instant, callback: () => void): () => void;
  };
  /** 0 to 2^32 - 1, not to be guessed. */
  readonly random: () => number;
  /** Undefined when there is none. Rejects with a SysError. */
  link(name: string): Promise<ProbedLink | undefined>;
  /** The MAC addresses of all interfaces of the node: an answer from one of them is no stranger's. */
  ownMacs(): Promise<ReadonlySet<Mac>>;
  /** Throws SysError: EPERM without CAP_NET_RAW, ENODEV without the interface. */
  openProbe(index: number, membership: Membership): ProbeSocket;
  /** The first line of a file of /sys, bounded; undefined when it cannot be read. */
  readLine(path: string): string | undefined;
  /** Frames that an interface of this namespace has received; undefined where there is none. */
  received(name: string): number | undefined;
  /** Whether there is something at a path of /sys. */
  exists(path: string): boolean;
}
