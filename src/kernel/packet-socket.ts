import { concat } from '../base/bytes.ts';
import { SysError } from '../base/sys-error.ts';
import { check, lastError, orClose } from './errno.ts';
import { addressOf, bind, sendto } from './ffi.ts';
import {
  intBytes,
  MSG_DONTWAIT,
  openSocket,
  setBytesOption,
  setReceiveBuffer,
  SO_ATTACH_FILTER,
  SOCK_RAW,
  SOL_SOCKET,
} from './socket-options.ts';

// What packet sockets have in common: linux/socket.h, linux/if_packet.h, linux/if_ether.h, linux/filter.h.
export const AF_PACKET = 17;
export const SOL_PACKET = 263;
export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_DROP_MEMBERSHIP = 2;
export const PACKET_IGNORE_OUTGOING = 23;
export const PACKET_MR_UNICAST = 3;
export const ETH_P_ALL = 0x0003;
const ETHERTYPE_AT = 12;
/** struct packet_mreq has eight bytes for the address. */
const MREQ_ADDRESS_BYTES = 8;
/** struct sockaddr_ll: family, protocol in network order, interface index; the rest is for cooked sockets. */
export const SOCKADDR_LL_LENGTH = 20;
/** struct sock_fprog: u16 count, pointer; and struct sock_filter. */
const SOCK_FPROG_LENGTH = 16;
const SOCK_FILTER_LENGTH = 8;

export function sockaddrLl(protocol: number, ifindex: number): Uint8Array {
  const head = concat([
    new Uint8Array(Uint16Array.of(AF_PACKET).buffer),
    Uint8Array.of(protocol >> 8, protocol & 0xff),
    intBytes(ifindex),
  ]);
  return concat([head, new Uint8Array(SOCKADDR_LL_LENGTH - head.length)]);
}

/** struct packet_mreq: interface index, type, length of the address, address. */
export function packetMreq(ifindex: number, type: number, address: Uint8Array): Uint8Array {
  const rest = new Uint8Array(MREQ_ADDRESS_BYTES - address.length);
  const kind = new Uint8Array(Uint16Array.of(type, address.length).buffer);
  return concat([intBytes(ifindex), kind, address, rest]);
}

/**
 * Sends a whole Ethernet frame out of an interface by a raw packet socket, at once or not at all. `header`: what the socket
 * wants before each frame (PACKET_VNET_HDR). Undefined when the kernel took it; else ENXIO without the interface, ENETDOWN
 * when it is down, EMSGSIZE, EINVAL for less than an Ethernet header, ENOBUFS.
 */
export function sendFrame(
  fd: number,
  ifindex: number,
  frame: Uint8Array,
  header?: Uint8Array,
): SysError | undefined {
  const etherType = ((frame[ETHERTYPE_AT] ?? 0) << 8) | (frame[ETHERTYPE_AT + 1] ?? 0);
  const to = sockaddrLl(etherType, ifindex);
  const bytes = header === undefined ? frame : concat([header, frame]);
  const sent = sendto(fd, bytes, bytes.length, MSG_DONTWAIT, to, to.length);
  return sent < 0 ? lastError(`send a frame out of #${ifindex}`) : undefined;
}

/** Puts a classic BPF program, as encodeBpf gives it, in the place of the one before. Throws SysError EINVAL. */
export function attachFilter(op: string, fd: number, program: Uint8Array): void {
  if (program.length === 0 || program.length % SOCK_FILTER_LENGTH !== 0) {
    throw new SysError(op, 'EINVAL', 'the filter program is not a list of instructions');
  }
  // A copy: its memory stays where it is until the kernel has read it, which it does in the call.
  const instructions = Uint8Array.from(program);
  const fprog = new BigUint64Array(SOCK_FPROG_LENGTH / BigUint64Array.BYTES_PER_ELEMENT);
  const bytes = new Uint8Array(fprog.buffer);
  bytes.set(new Uint8Array(Uint16Array.of(program.length / SOCK_FILTER_LENGTH).buffer), 0);
  fprog[1] = addressOf(instructions);
  setBytesOption(op, fd, SOL_SOCKET, SO_ATTACH_FILTER, bytes);
  // Mentioned after the call: what nobody mentions any more may be collected, pointers to it or not.
  instructions.fill(0);
}

export type PacketSocketOptions = {
  /** An EtherType, or ETH_P_ALL. */
  readonly protocol: number;
  readonly ifindex: number;
  /** A classic BPF program, in force before the first frame. */
  readonly filter: Uint8Array;
  readonly receiveBuffer: number;
  /** Further options, set before it hears anything. */
  readonly tune?: (fd: number) => void;
};

/** A raw packet socket that hears one interface of the namespace where the thread is. Throws SysError. */
export function openPacketSocket(op: string, options: PacketSocketOptions): number {
  const { protocol, ifindex, filter, receiveBuffer, tune } = options;
  // Protocol 0 receives nothing until bind: no unfiltered frame gets in, and socket(2) costs no grace period.
  const fd = openSocket(op, AF_PACKET, SOCK_RAW, 0);
  return orClose(fd, () => {
    attachFilter(op, fd, filter);
    tune?.(fd);
    setReceiveBuffer(op, fd, receiveBuffer);
    const address = sockaddrLl(protocol, ifindex);
    check(op, bind(fd, address, address.length));
    return fd;
  });
}
