import { invariant } from '../base/invariant.ts';
import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { type ArpPacket, emitArpToAll, ETHERTYPE_ARP, parseArpFrame } from '../wire/arp.ts';
import { encodeBpf } from '../wire/bpf-assembler.ts';
import { arpAboutProgram, arpProgram } from '../wire/bpf.ts';
import { lastError } from './errno.ts';
import { closeOffLoop, recv, sendto } from './ffi.ts';
import { slowLane } from './lanes.ts';
import type { NetNs } from './netns.ts';
import { attachFilter, openPacketSocket, sockaddrLl } from './packet-socket.ts';
import { pollReadable, type StopPolling } from './poll.ts';
import { MSG_DONTWAIT, MSG_TRUNC } from './socket-options.ts';

/** An ARP frame with VLAN tags and the padding of Ethernet; longer ones are cut, and nothing is lost with that. */
const FRAME_MAX = 128;
/** Frames read per wake-up, so that a flood in one container does not starve the others. */
const DRAIN_MAX = 32;
/** A few dozen packets: nobody else's memory may be filled from a container. */
const RECEIVE_BUFFER = 64 * 1024;

// Only for reads that end before the next begins.
const receiveBytes = new Uint8Array(FRAME_MAX);

/**
 * Sends and hears ARP on one interface: what comes from the network, and from siblings on the same parent, which no
 * tap of the parent sees. It hears what concerns one address, in ordinary questions too: that of the last packet that it
 * has sent, or which it was opened for. With hundreds of containers that start together every probe would wake the daemon
 * once for each of them. Without any it hears replies, probes and announcements.
 */
export class ArpSocket implements AsyncDisposable {
  readonly #fd: number;
  readonly #to: Uint8Array;
  #about: Ipv4 | undefined;
  #stop: StopPolling | undefined;
  #closed: Promise<void> | undefined;

  constructor(fd: number, ifindex: number, about: Ipv4 | undefined) {
    this.#fd = fd;
    this.#about = about;
    this.#to = sockaddrLl(ETHERTYPE_ARP, ifindex);
  }

  /** To everybody on the link, from the packet's sender. Undefined when the kernel took it; ENETDOWN, ENXIO, ENOBUFS. */
  send(packet: ArpPacket): SysError | undefined {
    invariant(this.#closed === undefined, 'the socket is open');
    const about = packet.senderIp === IPV4_ANY ? packet.targetIp : packet.senderIp;
    const op = `send ARP about ${about}`;
    try {
      this.#listenAbout(op, about);
    } catch (error) {
      if (!isSysError(error)) throw error;
      return error;
    }
    const frame = emitArpToAll(packet);
    const sent = sendto(this.#fd, frame, frame.length, MSG_DONTWAIT, this.#to, this.#to.length);
    return sent < 0 ? lastError(op) : undefined;
  }

  #listenAbout(op: string, address: Ipv4): void {
    if (this.#about === address) return;
    attachFilter(op, this.#fd, encodeBpf(arpAboutProgram(address)));
    this.#about = address;
  }

  /** Starts to receive; one handler per socket. Frames that are no good ARP are dropped. */
  onPacket(handler: (packet: ArpPacket) => void): void {
    invariant(
      this.#closed === undefined && this.#stop === undefined,
      'the socket is open and has no handler',
    );
    // An error on the socket (ENETDOWN: the interface went down or away) is met again by the next send.
    this.#stop = pollReadable(this.#fd, () => this.#drain(handler));
  }

  #drain(handler: (packet: ArpPacket) => void): void {
    for (let count = 0; count < DRAIN_MAX && this.#closed === undefined; count++) {
      const length = recv(this.#fd, receiveBytes, FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
      if (length < 0) return;
      const packet = parseArpFrame(receiveBytes.subarray(0, Math.min(length, FRAME_MAX)));
      if (packet.ok) handler(packet.value);
    }
  }

  /** Nothing is delivered any more; settles when the kernel has let go (16 ms of RCU, off the loop). */
  close(): Promise<void> {
    this.#closed ??= this.#closeOnce();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #closeOnce(): Promise<void> {
    this.#stop?.();
    await slowLane.run(() => closeOffLoop(this.#fd));
  }
}

/**
 * Opens it on an interface of `netns`, which it keeps alive until it is closed, for what concerns an address. Throws
 * SysError: ENODEV without the interface. One that is down is no error here.
 */
export function openArp(netns: NetNs, ifindex: number, about?: Ipv4): ArpSocket {
  const op = `open ARP on #${ifindex}`;
  return netns.run(() => {
    const filter = encodeBpf(about === undefined ? arpProgram() : arpAboutProgram(about));
    const options = { protocol: ETHERTYPE_ARP, ifindex, filter, receiveBuffer: RECEIVE_BUFFER };
    return new ArpSocket(openPacketSocket(op, options), ifindex, about);
  });
}
