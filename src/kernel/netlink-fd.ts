import type { Result } from '../base/result.ts';
import { SysError } from '../base/sys-error.ts';
import type { NetlinkProblem } from '../wire/netlink/attributes.ts';
import { decodeOutcome, type NetlinkMessage } from '../wire/netlink/message.ts';
import { check, errnoName, orClose } from './errno.ts';
import { connect, errno, getsockname, recvfrom, recvfromOffLoop } from './ffi.ts';
import { SequenceNumbers } from './netlink-sequence.ts';
import {
  intBytes,
  MSG_DONTWAIT,
  MSG_TRUNC,
  openSocket,
  setIntOption,
  setReceiveBuffer,
  SOCK_RAW,
} from './socket-options.ts';

// linux/socket.h, linux/netlink.h
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
const SOL_NETLINK = 270;
const NETLINK_LISTEN_ALL_NSID = 8;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
/** struct sockaddr_nl: family, padding, port id, groups. */
const SOCKADDR_NL_LENGTH = 12;
const PORT_ID_WORD = 1;
const GROUPS_WORD = 2;

/** The kernel fills at most 32 KiB per part of a dump (netlink_dump), whatever the reader offers. */
const DATAGRAM_MAX = 32 * 1024;
const RECEIVE_BUFFER = 1024 * 1024;

/** A netlink socket in the namespace where the thread is: short acknowledgements, with text, filtered dumps. */
export function openNetlink(protocol = NETLINK_ROUTE): number {
  const op = 'open netlink socket';
  const fd = openSocket(op, AF_NETLINK, SOCK_RAW, protocol);
  return orClose(fd, () => {
    setIntOption(op, fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setIntOption(op, fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setIntOption(op, fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    setReceiveBuffer(op, fd, RECEIVE_BUFFER);
    return fd;
  });
}

/** A socket for requests, and the numbers of those: nothing but their answers gets into it. */
export type NetlinkFd = { readonly fd: number; readonly sequence: SequenceNumbers };

/** The same for requests alone. */
export function openRequests(protocol = NETLINK_ROUTE): NetlinkFd {
  const fd = openNetlink(protocol);
  return orClose(fd, () => {
    hearKernelOnly('open netlink socket', fd);
    return { fd, sequence: new SequenceNumbers() };
  });
}

/**
 * Who may administer the network of a container may send messages to any netlink socket in it, and so fill its receive
 * buffer until the kernel's answers are lost. One that is connected to the kernel is sent nothing by anybody else
 * (netlink_getsockbyportid). A socket filter would do as well, but the kernel compiles each anew: 14 us.
 */
export function hearKernelOnly(op: string, fd: number): void {
  const kernel = netlinkAddress(0);
  check(op, connect(fd, kernel, kernel.length));
}

/** From now on the socket also hears the notices of other namespaces, those that have an id in its own. */
export function listenToAllNamespaces(op: string, fd: number): void {
  setIntOption(op, fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1);
}

/**
 * struct sockaddr_nl of port id 0: in bind(2) the kernel chooses one, in connect(2) it is the kernel's own. `groups` are
 * bits (RTMGRP_*).
 */
export function netlinkAddress(groups: number): Uint8Array {
  const words = new Uint32Array(SOCKADDR_NL_LENGTH / Uint32Array.BYTES_PER_ELEMENT);
  words[GROUPS_WORD] = groups;
  const bytes = new Uint8Array(words.buffer);
  bytes.set(new Uint8Array(Uint16Array.of(AF_NETLINK).buffer), 0);
  return bytes;
}

/** One read. 'ignored': a datagram that is not the kernel's; 'overflow': the receive buffer was full meanwhile. */
export type Received =
  | { readonly kind: 'datagram'; readonly bytes: Uint8Array }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'overflow' }
  | { readonly kind: 'empty' };

type Buffers = {
  readonly bytes: Uint8Array;
  readonly from: Uint32Array;
  readonly fromBytes: Uint8Array;
  readonly length: Uint8Array;
};

const FROM_LENGTH = intBytes(SOCKADDR_NL_LENGTH);

function makeBuffers(): Buffers {
  const from = new Uint32Array(SOCKADDR_NL_LENGTH / Uint32Array.BYTES_PER_ELEMENT);
  const fromBytes = new Uint8Array(from.buffer);
  return { bytes: new Uint8Array(DATAGRAM_MAX), from, fromBytes, length: FROM_LENGTH.slice() };
}

function take(buffers: Buffers, result: number, code: number): Received {
  if (result < 0) {
    const name = errnoName(code);
    if (name === 'ENOBUFS') return { kind: 'overflow' };
    return { kind: name === 'EINTR' ? 'ignored' : 'empty' };
  }
  // Who may administer a container's network may also send us forged answers there: only port id 0 is the kernel.
  const forged = buffers.from[PORT_ID_WORD] !== 0;
  if (forged || result > buffers.bytes.length) return { kind: 'ignored' };
  return { kind: 'datagram', bytes: buffers.bytes.slice(0, result) };
}

// Only for reads that end before the next begins, which those on the loop do.
const shared = makeBuffers();

/** Reads without waiting, on the loop. The bytes are the caller's own. */
export function receive(fd: number): Received {
  const { bytes, fromBytes, length } = shared;
  length.set(FROM_LENGTH);
  const result = recvfrom(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_TRUNC, fromBytes, length);
  return take(shared, result, errno());
}

/** The same on the thread pool: reading one part of a dump makes the kernel fill the next, under its locks. */
export async function receiveOffLoop(fd: number): Promise<Received> {
  const own = makeBuffers();
  const { bytes, fromBytes, length } = own;
  const answer = await recvfromOffLoop(fd, bytes, MSG_DONTWAIT | MSG_TRUNC, fromBytes, length);
  return take(own, answer.result, answer.errno);
}

/** The kernel's word on one message as an error, undefined for success. */
export function outcomeError(op: string, message: NetlinkMessage): SysError | undefined {
  const outcome = decodeOutcome(message);
  if (!outcome.ok) return new SysError(op, 'EBADMSG', `${outcome.error.kind}: ${outcome.error.what}`);
  if (outcome.value.errno === 0) return undefined;
  return new SysError(op, errnoName(outcome.value.errno), outcome.value.text);
}

/** Decodes those messages that have the type wanted. The kernel's own bytes not being readable is an EBADMSG. */
export function decodeAll<T>(
  op: string,
  messages: readonly NetlinkMessage[],
  type: number,
  decode: (payload: Uint8Array) => Result<T, NetlinkProblem>,
): readonly T[] {
  return messages
    .filter((message) => message.type === type)
    .map((message) => {
      const decoded = decode(message.payload);
      if (decoded.ok) return decoded.value;
      throw new SysError(op, 'EBADMSG', `${decoded.error.kind}: ${decoded.error.what}`);
    });
}

/**
 * The port id of a netlink socket, which the kernel puts into the notices of what is changed by it (nlmsg_pid). It has one
 * since it was connected. Throws SysError.
 */
export function portIdOf(fd: number): number {
  const address = netlinkAddress(0);
  check('getsockname', getsockname(fd, address, intBytes(address.length)));
  return new Uint32Array(address.buffer)[PORT_ID_WORD] ?? 0;
}
