import { invariant } from '../base/invariant.ts';
import { SysError } from '../base/sys-error.ts';
import { check, errnoName } from './errno.ts';
import { PACKET_OUTGOING } from '../wire/bpf.ts';
import { closeOffLoop, errno, getsockname, getsockopt, recvfrom } from './ffi.ts';
import { slowLane } from './lanes.ts';
import { openPacketSocket, SOCKADDR_LL_LENGTH } from './packet-socket.ts';
import { pollReadable, type StopPolling } from './poll.ts';
import { intBytes, MSG_DONTWAIT, MSG_TRUNC, setIntOption } from './socket-options.ts';

// linux/if_packet.h, linux/if_ether.h
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 0x0003;
/** Where struct sockaddr_ll has the interface's index. */
const SLL_IFINDEX_WORD = 1;
/** And where the kind of packet: a family, a protocol, an index and a hardware type come before it. */
const SLL_PKTTYPE_AT = 10;
// linux/virtio_net.h
const VIRTIO_NET_HDR_LENGTH = 10;
const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;

/** A full Ethernet frame with room for VLAN tags; longer ones (GSO) are no DHCP and are dropped. */
const FRAME_MAX = 2048;
/** Frames read per wake-up before others get their turn. */
const DRAIN_MAX = 256;
/** Holds the answers to a burst of a thousand exchanges. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

export type FrameInfo = {
  /** False when the sender left the checksum to the device, as on veth: then there is none to verify. */
  readonly checksumReady: boolean;
  /** It leaves by the interface: what the host, or a macvlan on it, sends. */
  readonly outgoing: boolean;
};

/** `frame` is a view that is valid only during the call: whoever keeps it copies it. */
export type FrameHandler = (frame: Uint8Array, info: FrameInfo) => void;

/** ENETDOWN: the interface went down or away. The tap goes on when it is up again, unless it is no longer `attached`. */
export type TapErrorHandler = (error: SysError) => void;

// Only for reads that end before the next begins.
const receiveBytes = new Uint8Array(VIRTIO_NET_HDR_LENGTH + FRAME_MAX);
const receiveFrom = new Uint8Array(SOCKADDR_LL_LENGTH);
const receiveFromLength = intBytes(SOCKADDR_LL_LENGTH);

/**
 * Sees what arrives on one interface, macvlan children included, before anybody else does: from the wire, and what one
 * child sends to another by unicast. What a child broadcasts leaves by the interface: see `hearOutgoing`.
 */
export class PacketTap {
  readonly #fd: number;
  #stop: StopPolling | undefined;
  #dropped = 0;
  #closed: Promise<void> | undefined;

  constructor(fd: number) {
    this.#fd = fd;
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
   * Whether what leaves by the interface is heard, too. Off at first: the kernel copies every packet for who hears that.
   * Throws SysError.
   */
  hearOutgoing(on: boolean): void {
    invariant(this.#closed === undefined, 'the tap is open');
    setIntOption('hear what leaves', this.#fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, on ? 0 : 1);
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
    for (let count = 0; count < DRAIN_MAX && this.#closed === undefined; count++) {
      receiveFromLength.set(intBytes(SOCKADDR_LL_LENGTH));
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      const length = recvfrom(
        this.#fd,
        receiveBytes,
        receiveBytes.length,
        flags,
        receiveFrom,
        receiveFromLength,
      );
      const code = length < 0 ? errnoName(errno()) : undefined;
      // A frame whose offload the virtio header cannot describe; it is consumed and the next may be good.
      if (code === 'EINVAL') continue;
      if (code !== undefined) return code === 'EAGAIN' ? undefined : code;
      if (length <= VIRTIO_NET_HDR_LENGTH || length > receiveBytes.length) continue;
      const checksumReady = ((receiveBytes[0] ?? 0) & VIRTIO_NET_HDR_F_NEEDS_CSUM) === 0;
      const outgoing = receiveFrom[SLL_PKTTYPE_AT] === PACKET_OUTGOING;
      handler(receiveBytes.subarray(VIRTIO_NET_HDR_LENGTH, length), { checksumReady, outgoing });
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
 * classic BPF program as bytes (struct sock_filter[]), in force before the first frame. Throws SysError.
 */
export function openTap(ifindex: number, filterProgram: Uint8Array): PacketTap {
  const op = `open packet tap on #${ifindex}`;
  const fd = openPacketSocket(op, {
    protocol: ETH_P_ALL,
    ifindex,
    filter: filterProgram,
    receiveBuffer: RECEIVE_BUFFER,
    tune: (socket) => {
      setIntOption(op, socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
      setIntOption(op, socket, SOL_PACKET, PACKET_VNET_HDR, 1);
    },
  });
  return new PacketTap(fd);
}
