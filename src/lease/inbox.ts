import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { type ArpPacket, parseArpFrame } from '../wire/arp.ts';
import { addresseeOf, parseDhcp4, type Dhcp4Message } from '../wire/dhcp4/message.ts';
import { DHCP_MESSAGE_TYPE } from '../wire/dhcp4/message-type.ts';
import { readOption } from '../wire/dhcp4/options.ts';
import type { ForceRenew } from '../protocol/dhcp4/force-renew.ts';
import type { Source } from '../protocol/dhcp4/source.ts';
import { parseUdp4Frame } from '../wire/ip/udp4.ts';
import { ClaimFilters } from './claim-filters.ts';
import type { FrameTap, LeaseWorld, OpenTap } from './ports.ts';

/** The headers around a message. */
export type Origin = Pick<Source, 'address' | 'mac'> & {
  /** It was heard at an interface of the pod that has an uplink, and not at that: something beside the pod said it. */
  readonly beside?: boolean;
};

/** A client that waits for messages. */
export interface Recipient {
  readonly chaddr: Mac;
  /** The transaction it has in flight, if any. */
  readonly xid: () => number | undefined;
  readonly deliver: (message: Dhcp4Message, origin: Origin) => void;
  /** Something came for it that is no message. */
  readonly deliverGarbled: () => void;
}

/** A FORCERENEW, and the Ethernet address that the frame was sent to. */
export type ForceRenewListener = (heard: ForceRenew, toMac: Mac) => void;

/** `uplinkIndex`: where it was heard. Networks behind different uplinks may use the same addresses. */
export type ArpWatcher = (packet: ArpPacket, uplinkIndex: number) => void;

/**
 * Sorts what the network sends to the clients that wait for it. One tap per uplink, opened for its first client and
 * kept: closing a packet socket costs the kernel 16 ms, and the next pod is never far.
 */
export class Inbox {
  readonly #openTap: OpenTap;
  readonly #count: (event: string) => void;
  readonly #onForceRenew: ForceRenewListener;
  readonly #taps = new Map<number, FrameTap>();
  readonly #byMac = new Map<Mac, Set<Recipient>>();
  readonly #arpWatchers = new Map<Ipv4, Set<ArpWatcher>>();
  readonly #claimFilters: ClaimFilters;

  constructor(
    openTap: OpenTap,
    count: (event: string) => void,
    world: Pick<LeaseWorld, 'clock' | 'timers'>,
    onForceRenew: ForceRenewListener = () => undefined,
  ) {
    this.#openTap = openTap;
    this.#count = count;
    this.#claimFilters = new ClaimFilters(world, (uplinkIndex) => this.#taps.get(uplinkIndex));
    this.#onForceRenew = onForceRenew;
  }

  /** Listens on an uplink from now on. Throws the SysError of opening the packet socket. */
  listen(uplinkIndex: number): void {
    this.#dropDetached();
    if (this.#taps.has(uplinkIndex)) return;
    const tap = this.#openTap(uplinkIndex, (frame, checksumReady) =>
      this.frame(frame, checksumReady, uplinkIndex),
    );
    this.#taps.set(uplinkIndex, tap);
    this.#claimFilters.opened(uplinkIndex);
  }

  /** See `FrameTap.letIn`. */
  letIn(uplinkIndex: number, address: Mac): () => void {
    return this.#taps.get(uplinkIndex)?.letIn(address) ?? (() => undefined);
  }

  /** Whether what arrives at this uplink is heard. */
  hears(uplinkIndex: number): boolean {
    return this.#taps.get(uplinkIndex)?.attached() ?? false;
  }

  /** An uplink that is removed takes its index along; a tap that is left of it would hear nothing for ever. */
  #dropDetached(): void {
    for (const [index, tap] of this.#taps) {
      if (tap.attached()) continue;
      this.#taps.delete(index);
      tap.close();
    }
  }

  /** Returns what ends the delivery. */
  register(recipient: Recipient): () => void {
    return addTo(this.#byMac, recipient.chaddr, recipient);
  }

  /**
   * Hands on the ARP of all taps in which somebody has `address` (as sender) or probes for it (as target, with the
   * sender 0.0.0.0): replies, probes and announcements, for a tap hears few ordinary questions. Returns what ends it.
   */
  watchArp(address: Ipv4, watcher: ArpWatcher): () => void {
    // A function of its own: the same one may watch twice, and leave once.
    return addTo(this.#arpWatchers, address, (packet, uplinkIndex) => watcher(packet, uplinkIndex));
  }

  /**
   * The same of one uplink, ordinary questions included, for an address that a pod there has or is about to have (RFC 5227
   * 2.1.1, 2.4). The same address behind another uplink is another host's on another network.
   */
  watchClaims(uplinkIndex: number, address: Ipv4, watcher: (packet: ArpPacket) => void): () => void {
    const unwatch = this.watchArp(address, (packet, heardOn) => {
      if (heardOn === uplinkIndex) watcher(packet);
    });
    const forget = this.#claimFilters.add(uplinkIndex, address);
    return () => {
      unwatch();
      forget();
    };
  }

  /** An Ethernet frame from the tap of this uplink. */
  frame(frame: Uint8Array, checksumReady: boolean, uplinkIndex: number): void {
    const datagram = parseUdp4Frame(frame, { checksumReady });
    if (datagram.ok) {
      const { payload, src, srcMac, dst, dstMac } = datagram.value;
      const origin = { address: src, mac: srcMac };
      const message = this.#parse(payload);
      // It belongs to no exchange: who has a lease and waits for nothing is to hear it.
      if (message !== undefined && isForceRenew(message))
        this.#onForceRenew({ message, bytes: payload, source: origin, to: dst }, dstMac);
      else this.#sort(message, payload, origin);
    } else if (datagram.error === 'not-ipv4') this.#arp(frame, uplinkIndex);
    else this.#count(`frame-dropped:${datagram.error}`);
  }

  #arp(frame: Uint8Array, uplinkIndex: number): void {
    const packet = parseArpFrame(frame);
    if (!packet.ok) {
      // Neither of the two.
      this.#count(`frame-dropped:${packet.error === 'not-arp' ? 'not-ipv4' : packet.error}`);
      return;
    }
    const { senderIp, targetIp } = packet.value;
    const watchers = this.#arpWatchers.get(senderIp === IPV4_ANY ? targetIp : senderIp);
    for (const watcher of watchers ?? []) watcher(packet.value, uplinkIndex);
  }

  /** The payload of a UDP datagram to port 68 that an uplink's tap heard: for whom it is meant. */
  payload(bytes: Uint8Array, origin: Origin): void {
    this.#sort(this.#parse(bytes), bytes, origin);
  }

  #sort(message: Dhcp4Message | undefined, bytes: Uint8Array, origin: Origin): void {
    if (message !== undefined) {
      for (const recipient of this.#recipientsOf(message)) recipient.deliver(message, origin);
      return;
    }
    const addressee = addresseeOf(bytes);
    if (addressee === undefined) return;
    for (const recipient of this.#recipientsOf(addressee)) recipient.deliverGarbled();
  }

  /**
   * The payload that a pod's own interface heard: for that pod alone. A broadcast reaches every interface that listens, and
   * each of them would hand the answers to all others on once more.
   */
  payloadFor(recipient: Recipient, bytes: Uint8Array, origin: Origin): void {
    const message = this.#parse(bytes);
    const addressee = message ?? addresseeOf(bytes);
    if (addressee === undefined) return;
    if (addressee.chaddr !== recipient.chaddr && addressee.xid !== recipient.xid()) return;
    if (message === undefined) recipient.deliverGarbled();
    // The uplink's tap hears what is sent to this pod alone, and a FORCERENEW to all is none.
    else if (!isForceRenew(message)) recipient.deliver(message, origin);
  }

  #parse(bytes: Uint8Array): Dhcp4Message | undefined {
    const message = parseDhcp4(bytes);
    if (message.ok) return message.value;
    this.#count(`message-dropped:${message.error}`);
    return undefined;
  }

  /**
   * By hardware address; else by transaction, so that an answer with somebody else's chaddr is seen and named in the
   * diagnosis. What fits nobody (the node's own DHCP client hears the same wire) is nobody's business here.
   */
  #recipientsOf(message: Pick<Dhcp4Message, 'xid' | 'chaddr'>): readonly Recipient[] {
    const byMac = this.#byMac.get(message.chaddr);
    if (byMac !== undefined) return [...byMac];
    const waiting = [...this.#byMac.values()].flatMap((recipients) => [...recipients]);
    return waiting.filter((recipient) => recipient.xid() === message.xid);
  }

  close(): void {
    this.#claimFilters.close();
    for (const tap of this.#taps.values()) tap.close();
    this.#taps.clear();
  }
}

function isForceRenew({ options }: Dhcp4Message): boolean {
  const type = readOption(options, 'dhcp-message-type');
  return type.kind === 'value' && type.value === DHCP_MESSAGE_TYPE.DHCPFORCERENEW;
}

/** Returns what takes it out again; a second time does nothing. */
function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): () => void {
  const others = map.get(key) ?? new Set();
  map.set(key, others.add(value));
  return () => {
    others.delete(value);
    if (others.size === 0 && map.get(key) === others) map.delete(key);
  };
}
