import { invariant } from '../base/invariant.ts';
import { type Mac, macToBytes } from '../base/mac.ts';
import { SysError } from '../base/sys-error.ts';
import { check, errnoName } from './errno.ts';
import { closeOffLoop, errno, getsockname, getsockopt, recv } from './ffi.ts';
import { slowLane } from './lanes.ts';
import {
  attachFilter,
  ETH_P_ALL,
  openPacketSocket,
  PACKET_ADD_MEMBERSHIP,
  PACKET_DROP_MEMBERSHIP,
  PACKET_IGNORE_OUTGOING,
  PACKET_MR_UNICAST,
  packetMreq,
  sendFrame,
  SOCKADDR_LL_LENGTH,
  SOL_PACKET,
} from './packet-socket.ts';
import { pollReadable, type StopPolling } from './poll.ts';
import { intBytes, MSG_DONTWAIT, MSG_TRUNC, setBytesOption, setIntOption } from './socket-options.ts';

// linux/if_packet.h
const PACKET_STATISTICS = 6;
const PACKET_VNET_HDR = 15;
/** Where struct sockaddr_ll has the interface's index. */
const SLL_IFINDEX_WORD = 1;
// linux/virtio_net.h
const VIRTIO_NET_HDR_LENGTH = 10;
const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;

/** Before a frame that is sent: nothing is left to the device. */
const NO_OFFLOAD = new Uint8Array(VIRTIO_NET_HDR_LENGTH);

/** A full Ethernet frame with room for VLAN tags; longer ones (GSO) are no DHCP and are dropped. */
const FRAME_MAX = 2048;
/** Frames read per wake-up before others get their turn. */
const DRAIN_MAX = 256;
/** And for so long: to hand one on takes 0.1 to 0.5 ms in a burst. */
const TURN_MS = 2;
/** Holds the answers to a burst of a thousand exchanges. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

export type FrameInfo = {
  /** False when the sender left the checksum to the device, as on veth: then there is none to verify. */
  readonly checksumReady: boolean;
};

/** `frame` is a view that is valid only during the call: whoever keeps it copies it. */
export type FrameHandler = (frame: Uint8Array, info: FrameInfo) => void;

/** ENETDOWN: the interface went down or away. The tap goes on when it is up again, unless it is no longer `attached`. */
export type TapErrorHandler = (error: SysError) => void;

// Only for reads that end before the next begins.
const receiveBytes = new Uint8Array(VIRTIO_NET_HDR_LENGTH + FRAME_MAX);

/**
 * Sees what arrives on one interface, macvlan children included, before anybody else does: from the wire, and what one
 * child sends to another by unicast; not what leaves by it, such as what a child broadcasts.
 */
export class PacketTap {
  readonly #fd: number;
  readonly #ifindex: number;
  #stop: StopPolling | undefined;
  #dropped = 0;
  #closed: Promise<void> | undefined;

  constructor(fd: number, ifindex: number) {
    this.#fd = fd;
    this.#ifindex = ifindex;
  }

  /** Starts to receive; one handler per tap. */
  onFrame(handler: FrameHandler, onError?: TapErrorHandler): void {
    invariant(this.#closed === undefined && this.#stop === undefined, 'the tap is open and has no handler');
    this.#stop = pollReadable(this.#fd, (socketError) => {
      const reason = socketError === 0 ? this.#drain(handler) : errnoName(socketError);
      if (reason !== undefined) onError?.(new SysError('packet tap', reason));
    });
  }

  /**
   * The interface takes frames for this MAC address, too, until what is returned is called or the socket is closed; also if
   * the process dies nothing is left. Throws SysError: ENODEV, ENOBUFS.
   */
  letIn(address: Mac): () => void {
    invariant(this.#closed === undefined, 'the tap is open');
    const mreq = packetMreq(this.#ifindex, PACKET_MR_UNICAST, macToBytes(address));
    setBytesOption('let in a MAC address', this.#fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq);
    return () => {
      if (this.#closed !== undefined) return;
      setBytesOption('keep out a MAC address', this.#fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, mreq);
    };
  }

  /**
   * Puts another classic BPF program in the place of the one that it was opened with, or had since. No frame is lost between
   * the two. Throws SysError: EINVAL, ENOMEM (the program is too big for net.core.optmem_max), and keeps the old one.
   */
  filter(program: Uint8Array): void {
    invariant(this.#closed === undefined, 'the tap is open');
    attachFilter(`filter packet tap on #${this.#ifindex}`, this.#fd, program);
  }

  /** Sends a whole frame out of the interface, at once or not at all. Undefined when the kernel took it. */
  send(frame: Uint8Array): SysError | undefined {
    invariant(this.#closed === undefined, 'the tap is open');
    return sendFrame(this.#fd, this.#ifindex, frame, NO_OFFLOAD);
  }

  /** False when the interface was removed, whatever comes later under its name: a new tap is needed. */
  attached(): boolean {
    invariant(this.#closed === undefined, 'the tap is open');
    const address = new Int32Array(SOCKADDR_LL_LENGTH / Int32Array.BYTES_PER_ELEMENT);
    const length = intBytes(SOCKADDR_LL_LENGTH);
    check('getsockname', getsockname(this.#fd, new Uint8Array(address.buffer), length));
    // The kernel sets it to -1 (packet_notifier), without waking anybody.
    return (address[SLL_IFINDEX_WORD] ?? -1) > 0;
  }

  /** The name of the error that the socket had, which recv(2) gives only once. */
  #drain(handler: FrameHandler): string | undefined {
    const end = performance.now() + TURN_MS;
    for (let count = 0; count < DRAIN_MAX && this.#closed === undefined; count++) {
      if (count > 0 && performance.now() >= end) return undefined;
      const length = recv(this.#fd, receiveBytes, receiveBytes.length, MSG_DONTWAIT | MSG_TRUNC);
      const code = length < 0 ? errnoName(errno()) : undefined;
      // A frame whose offload the virtio header cannot describe; it is consumed and the next may be good.
      if (code === 'EINVAL') continue;
      if (code !== undefined) return code === 'EAGAIN' ? undefined : code;
      if (length <= VIRTIO_NET_HDR_LENGTH || length > receiveBytes.length) continue;
      const checksumReady = ((receiveBytes[0] ?? 0) & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0;
      handler(receiveBytes.subarray(VIRTIO_NET_HDR_LENGTH, length), { checksumReady });
    }
    return undefined;
  }

  /** Frames lost since the tap was opened because the receive buffer was full. */
  drops(): number {
    invariant(this.#closed === undefined, 'the tap is open');
    const statistics = new Uint32Array(2);
    const bytes = new Uint8Array(statistics.buffer);
    check(
      'getsockopt PACKET_STATISTICS',
      getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, bytes, intBytes(bytes.length)),
    );
    // Reading resets the kernel's counters.
    this.#dropped += statistics[1] ?? 0;
    return this.#dropped;
  }

  /** No frame is delivered any more; settles when the kernel has let go (16 ms of RCU, off the loop). */
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
 * Opens a tap on an interface of the daemon's own namespace (or of that where the thread is). `filterProgram` is a
 * classic BPF program as bytes (struct sock_filter[]), in force before the first frame; `receiveBuffer` in bytes. Throws
 * SysError.
 */
export function openTap(
  ifindex: number,
  filterProgram: Uint8Array,
  receiveBuffer = RECEIVE_BUFFER,
): PacketTap {
  const op = `open packet tap on #${ifindex}`;
  const fd = openPacketSocket(op, {
    protocol: ETH_P_ALL,
    ifindex,
    filter: filterProgram,
    receiveBuffer,
    tune: (socket) => {
      setIntOption(op, socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
      setIntOption(op, socket, SOL_PACKET, PACKET_VNET_HDR, 1);
    },
  });
  return new PacketTap(fd, ifindex);
}
