import type { Mac } from '../base/mac.ts';
import { addresseeOf, parseDhcp4, type Dhcp4Message } from '../wire/dhcp4/message.ts';
import { parseUdp4Frame } from '../wire/ip/udp4.ts';
import type { FrameTap, OpenTap } from './ports.ts';

/** A client that waits for messages. */
export interface Recipient {
  readonly chaddr: Mac;
  /** The transaction it has in flight, if any. */
  readonly xid: () => number | undefined;
  readonly deliver: (message: Dhcp4Message) => void;
  /** Something came for it that is no message. */
  readonly deliverGarbled: () => void;
}

/**
 * Sorts what the network sends to the clients that wait for it. One tap per uplink, opened for its first client and
 * kept: closing a packet socket costs the kernel 16 ms, and the next pod is never far.
 */
export class Inbox {
  readonly #openTap: OpenTap;
  readonly #count: (event: string) => void;
  readonly #taps = new Map<number, FrameTap>();
  readonly #byMac = new Map<Mac, Set<Recipient>>();

  constructor(openTap: OpenTap, count: (event: string) => void) {
    this.#openTap = openTap;
    this.#count = count;
  }

  /** Listens on an uplink from now on. Throws the SysError of opening the packet socket. */
  listen(uplinkIndex: number): void {
    this.#dropDetached();
    if (this.#taps.has(uplinkIndex)) return;
    const tap = this.#openTap(uplinkIndex, (frame, checksumReady) => this.frame(frame, checksumReady));
    this.#taps.set(uplinkIndex, tap);
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
    const others = this.#byMac.get(recipient.chaddr) ?? new Set();
    this.#byMac.set(recipient.chaddr, others.add(recipient));
    return () => {
      others.delete(recipient);
      if (others.size === 0 && this.#byMac.get(recipient.chaddr) === others)
        this.#byMac.delete(recipient.chaddr);
    };
  }

  /** An Ethernet frame from a tap. */
  frame(frame: Uint8Array, checksumReady: boolean): void {
    const datagram = parseUdp4Frame(frame, { checksumReady });
    if (!datagram.ok) {
      this.#count(`frame-dropped:${datagram.error}`);
      return;
    }
    this.payload(datagram.value.payload);
  }

  /** The payload of a UDP datagram to port 68 that an uplink's tap heard: for whom it is meant. */
  payload(bytes: Uint8Array): void {
    const message = this.#parse(bytes);
    if (message !== undefined) {
      for (const recipient of this.#recipientsOf(message)) recipient.deliver(message);
      return;
    }
    const addressee = addresseeOf(bytes);
    if (addressee === undefined) return;
    for (const recipient of this.#recipientsOf(addressee)) recipient.deliverGarbled();
  }

  /**
   * The payload that a pod's own socket heard: for that pod alone. A broadcast reaches every socket that listens, and
   * each of them would hand the answers to all others on once more.
   */
  payloadFor(recipient: Recipient, bytes: Uint8Array): void {
    const message = this.#parse(bytes);
    const addressee = message ?? addresseeOf(bytes);
    if (addressee === undefined) return;
    if (addressee.chaddr !== recipient.chaddr && addressee.xid !== recipient.xid()) return;
    if (message === undefined) recipient.deliverGarbled();
    else recipient.deliver(message);
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
    for (const tap of this.#taps.values()) tap.close();
    this.#taps.clear();
  }
}
