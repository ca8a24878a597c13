import { invariant } from '../base/invariant.ts';
import { macToBytes, type Mac, isMulticastMac } from '../base/mac.ts';
import type { SysError } from '../base/sys-error.ts';
import type { Instant } from '../base/time.ts';
import { encodeBpf } from '../wire/bpf-assembler.ts';
import { probeProgram } from '../wire/bpf.ts';
import { now } from './clock.ts';
import { addressOf, closeOffLoop, recvmsg } from './ffi.ts';
import { slowLane } from './lanes.ts';
import {
  ETH_P_ALL,
  openPacketSocket,
  PACKET_ADD_MEMBERSHIP,
  PACKET_IGNORE_OUTGOING,
  PACKET_MR_UNICAST,
  packetMreq,
  sendFrame,
  SOL_PACKET,
} from './packet-socket.ts';
import { pollReadable, type StopPolling } from './poll.ts';
import { MSG_DONTWAIT, MSG_TRUNC, setBytesOption, setIntOption } from './socket-options.ts';

// linux/if_packet.h
const PACKET_AUXDATA = 8;
const PACKET_MR_MULTICAST = 0;
const PACKET_MR_PROMISC = 1;
const TP_STATUS_CSUMNOTREADY = 1 << 3;
const TP_STATUS_VLAN_VALID = 1 << 4;
const VLAN_ID_MASK = 0x0fff;
/** struct tpacket_auxdata: status, length, captured length as u32, then u16: mac, net, tci, tpid. */
const AUX = { status: 0, tci: 16, bytes: 20 } as const;
/** struct cmsghdr on a 64-bit machine: u64 length, int level, int type. */
const CMSG = { level: 8, type: 12, data: 16 } as const;
/** struct msghdr on a 64-bit machine, as words of eight bytes: name, its length, iov, its count, control, its length, flags. */
const MSGHDR = { iov: 2, iovCount: 3, control: 4, controlLength: 5, flags: 6, words: 7 } as const;

/** A whole frame of an Ethernet without jumbo frames; of longer ones the start is enough. */
const FRAME_MAX = 2048;
/** Frames read per wake-up before others get their turn. */
const DRAIN_MAX = 64;
/** A second of a LAN's broadcasts. */
const RECEIVE_BUFFER = 256 * 1024;

/** As doctor/ports.ts has it. */
export type HeardFrame = {
  readonly bytes: Uint8Array;
  readonly at: Instant;
  readonly vlan: number | undefined;
  readonly checksumReady: boolean;
};

export type Membership = { readonly addresses: readonly Mac[]; readonly promiscuous: boolean };

// Only for reads that end before the next begins.
const frameBytes = new Uint8Array(FRAME_MAX);
const controlBytes = new Uint8Array(64);
const controlView = new DataView(controlBytes.buffer);
const iovec = new BigUint64Array(2);
const iovecBytes = new Uint8Array(iovec.buffer);
const header = new BigUint64Array(MSGHDR.words);
const headerBytes = new Uint8Array(header.buffer);

/** Written for each call: what no function mentions any more the garbage collector takes, pointers to it or not. */
function pointAtBuffers(): void {
  iovec[0] = addressOf(frameBytes);
  iovec[1] = BigInt(FRAME_MAX);
  header[MSGHDR.iov] = addressOf(iovecBytes);
  header[MSGHDR.iovCount] = 1n;
  header[MSGHDR.control] = addressOf(controlBytes);
  header[MSGHDR.controlLength] = BigInt(controlBytes.length);
  header[MSGHDR.flags] = 0n;
}

/** recvmsg(2), with what the kernel says beside the frame. Undefined when there is none, or an error, which sends meet. */
function receive(fd: number): HeardFrame | undefined {
  pointAtBuffers();
  const length = recvmsg(fd, headerBytes, MSG_DONTWAIT | MSG_TRUNC);
  if (length < 0) return undefined;
  const bytes = frameBytes.subarray(0, Math.min(length, FRAME_MAX));
  const told = Number(header[MSGHDR.controlLength] ?? 0n) >= CMSG.data + AUX.bytes;
  const auxdata =
    told &&
    controlView.getInt32(CMSG.level, true) === SOL_PACKET &&
    controlView.getInt32(CMSG.type, true) === PACKET_AUXDATA;
  if (!auxdata) return { bytes, at: now(), vlan: undefined, checksumReady: true };
  const status = controlView.getUint32(CMSG.data + AUX.status, true);
  const tag = controlView.getUint16(CMSG.data + AUX.tci, true) & VLAN_ID_MASK;
  const tagged = (status & TP_STATUS_VLAN_VALID) !== 0 && tag !== 0;
  return {
    bytes,
    at: now(),
    vlan: tagged ? tag : undefined,
    checksumReady: (status & TP_STATUS_CSUMNOTREADY) === 0,
  };
}

/** Sends whole frames out of one interface, and hears what a probe of the LAN wants to hear (wire/bpf.ts). */
export class ProbeSocket implements AsyncDisposable {
  readonly #fd: number;
  readonly #ifindex: number;
  #stop: StopPolling | undefined;
  #closed: Promise<void> | undefined;

  constructor(fd: number, ifindex: number) {
    this.#fd = fd;
    this.#ifindex = ifindex;
  }

  /** At once or not at all. Undefined when the kernel took it; ENETDOWN, ENXIO, EMSGSIZE, ENOBUFS. */
  send(frame: Uint8Array): SysError | undefined {
    invariant(this.#closed === undefined, 'the probe socket is open');
    return sendFrame(this.#fd, this.#ifindex, frame);
  }

  /** Begins to listen; one handler per socket. The bytes are valid during the call only. */
  onFrame(handler: (frame: HeardFrame) => void): void {
    invariant(
      this.#closed === undefined && this.#stop === undefined,
      'the probe socket is open and has no handler',
    );
    // An error on the socket (ENETDOWN: the interface went down or away) is met again by the next send.
    this.#stop = pollReadable(this.#fd, () => {
      for (let count = 0; count < DRAIN_MAX && this.#closed === undefined; count++) {
        const frame = receive(this.#fd);
        if (frame === undefined) return;
        handler(frame);
      }
    });
  }

  /** Nothing is heard any more; settles when the kernel has let go (16 ms of RCU, off the loop). */
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
 * Opens it on an interface of the namespace where the thread is. The device lets in what `membership` says until the
 * socket is closed, also if the process dies: nothing is left behind. Throws SysError: EPERM without CAP_NET_RAW,
 * ENODEV without the interface.
 */
export function openProbeSocket(ifindex: number, membership: Membership): ProbeSocket {
  const op = `listen on #${ifindex}`;
  const join = (fd: number, type: number, address: Uint8Array): void =>
    setBytesOption(op, fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, packetMreq(ifindex, type, address));
  const fd = openPacketSocket(op, {
    protocol: ETH_P_ALL,
    ifindex,
    filter: encodeBpf(probeProgram()),
    receiveBuffer: RECEIVE_BUFFER,
    tune: (socket) => {
      setIntOption(op, socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
      setIntOption(op, socket, SOL_PACKET, PACKET_AUXDATA, 1);
      for (const address of membership.addresses) {
        join(socket, isMulticastMac(address) ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST, macToBytes(address));
      }
      if (membership.promiscuous) join(socket, PACKET_MR_PROMISC, new Uint8Array());
    },
  });
  return new ProbeSocket(fd, ifindex);
}
