import { check } from './errno.ts';
import { getsockopt, setsockopt, socket } from './ffi.ts';

// asm-generic/socket.h, linux/net.h
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_RCVBUF = 8;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_RCVBUFFORCE = 33;
export const SO_BINDTOIFINDEX = 62;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

const INT_LENGTH = 4;

/** A socket that never blocks the loop and that no child process inherits. */
export function openSocket(op: string, family: number, type: number, protocol: number): number {
  return check(op, socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
}

export function intBytes(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

// The kernel has read it when setsockopt(2) returns: one for all saves a buffer outside of the heap for each call.
const intOption = new Int32Array(1);
const intOptionBytes = new Uint8Array(intOption.buffer);

function setInt(fd: number, level: number, name: number, value: number): number {
  intOption[0] = value;
  return setsockopt(fd, level, name, intOptionBytes, INT_LENGTH);
}

export function setIntOption(op: string, fd: number, level: number, name: number, value: number): void {
  check(op, setInt(fd, level, name, value));
}

export function setBytesOption(
  op: string,
  fd: number,
  level: number,
  option: number,
  value: Uint8Array,
): void {
  check(op, setsockopt(fd, level, option, value, value.length));
}

/** Beyond net.core.rmem_max where the capability allows it, else up to there. The kernel doubles the number. */
export function setReceiveBuffer(op: string, fd: number, bytes: number): void {
  if (setInt(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) === 0) return;
  setIntOption(op, fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

/** The error that waits on the socket, as errno, 0 for none. Reading it clears it. */
export function takeSocketError(fd: number): number {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  check('getsockopt SO_ERROR', getsockopt(fd, SOL_SOCKET, SO_ERROR, bytes, intBytes(INT_LENGTH)));
  return value[0] ?? 0;
}
