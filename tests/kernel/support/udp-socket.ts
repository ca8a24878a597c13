import { utf8 } from '../../../src/base/bytes.ts';
import { invariant } from '../../../src/base/invariant.ts';
import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { SysError } from '../../../src/base/sys-error.ts';
import { sockaddrIn } from '../../../src/kernel/client-port.ts';
import { check, lastError, orClose } from '../../../src/kernel/errno.ts';
import { bind, closeFd, connect, getsockopt, recv, sendto } from '../../../src/kernel/ffi.ts';
import type { NetNs } from '../../../src/kernel/netns.ts';
import { pollReadable, type StopPolling } from '../../../src/kernel/poll.ts';
import {
  intBytes,
  MSG_DONTWAIT,
  openSocket,
  setBytesOption,
  setIntOption,
  SO_BINDTODEVICE,
  SO_ERROR,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../../../src/kernel/socket-options.ts';
import { AF_INET } from '../../../src/wire/netlink/rtnetlink.ts';

// asm-generic/socket.h
const SO_BROADCAST = 6;
const DATAGRAM_MAX = 2048;

export type UdpOptions = {
  readonly ifname: string;
  readonly localPort: number;
  /** SO_REUSEADDR. */
  readonly shared?: boolean;
};

/** A UDP socket of a process in a pod, or of a server: it belongs to one interface of one namespace. */
class UdpSocket implements Disposable {
  readonly #fd: number;
  #stop: StopPolling | undefined;
  #open = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Sends at once or not at all; what went wrong is the answer. */
  send(bytes: Uint8Array, address: Ipv4, port: number): SysError | undefined {
    invariant(this.#open, 'the socket is open');
    const to = sockaddrIn(address, port);
    const sent = sendto(this.#fd, bytes, bytes.length, MSG_DONTWAIT, to, to.length);
    return sent < 0 ? lastError(`send to ${address}:${port}`) : undefined;
  }

  /** Reads what comes; `handler` is called for each datagram. */
  onMessage(handler: () => void): void {
    const bytes = new Uint8Array(DATAGRAM_MAX);
    this.#stop = pollReadable(this.#fd, () => {
      while (this.#open && recv(this.#fd, bytes, bytes.length, MSG_DONTWAIT) >= 0) handler();
    });
  }

  /** From now on the socket speaks with one address only, and hears of it by ICMP. */
  connect(address: Ipv4, port: number): void {
    const to = sockaddrIn(address, port);
    check('connect', connect(this.#fd, to, to.length));
  }

  /** The error that the socket has had since this was asked last (SO_ERROR); 0: none. */
  takeError(): number {
    const value = new Int32Array(1);
    const bytes = new Uint8Array(value.buffer);
    check('SO_ERROR', getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, bytes, intBytes(bytes.length)));
    return value[0] ?? 0;
  }

  /** A second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    // libuv must not watch a number that the next socket may get.
    this.#stop?.();
    closeFd(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Opens it inside `netns`. Throws SysError: ENODEV without the interface, EADDRINUSE. */
export function openUdp(netns: NetNs, { ifname, localPort, shared = true }: UdpOptions): UdpSocket {
  const op = `open UDP ${localPort} on ${ifname}`;
  return netns.run(() => {
    const fd = openSocket(op, AF_INET, SOCK_DGRAM, 0);
    return orClose(fd, () => {
      setBytesOption(op, fd, SOL_SOCKET, SO_BINDTODEVICE, utf8(`${ifname}\0`));
      setIntOption(op, fd, SOL_SOCKET, SO_REUSEADDR, shared ? 1 : 0);
      setIntOption(op, fd, SOL_SOCKET, SO_BROADCAST, 1);
      const local = sockaddrIn(IPV4_ANY, localPort);
      check(op, bind(fd, local, local.length));
      return new UdpSocket(fd);
    });
  });
}
