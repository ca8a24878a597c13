import { concat, utf8 } from '../../../src/base/bytes.ts';
import { invariant } from '../../../src/base/invariant.ts';
import { IPV4_ANY, ipv4FromBytes, ipv4ToBytes, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { SysError } from '../../../src/base/sys-error.ts';
import { AF_INET } from '../../../src/wire/netlink/rtnetlink.ts';
import { check, lastError, orClose } from '../../../src/kernel/errno.ts';
import { bind, closeFd, ioctl, recvfrom, sendto } from '../../../src/kernel/ffi.ts';
import type { NetNs } from '../../../src/kernel/netns.ts';
import { pollReadable, type StopPolling } from '../../../src/kernel/poll.ts';
import {
  intBytes,
  MSG_DONTWAIT,
  MSG_TRUNC,
  openSocket,
  setBytesOption,
  setIntOption,
  setReceiveBuffer,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../../../src/kernel/socket-options.ts';

// linux/sockios.h: bytes that were sent and have not left the host yet.
const SIOCOUTQ = 0x5411;
/** struct sockaddr_in: family in host order, port and address in network order, padding. */
const SOCKADDR_IN_LENGTH = 16;
/** DHCP messages fit into an Ethernet frame; what is longer is not for us and is dropped. */
const DATAGRAM_MAX = 2048;
/** Datagrams read per wake-up, so that a flood in one container does not starve the others. */
const DRAIN_MAX = 32;
/** A few dozen datagrams: nobody else's memory may be filled from a container. */
const RECEIVE_BUFFER = 64 * 1024;

export type UdpOptions = {
  readonly ifname: string;
  readonly localPort: number;
  /** The address that datagrams come from and are received on; any if left out. */
  readonly localAddress?: Ipv4 | undefined;
  /** Whether 255.255.255.255 may be sent to. */
  readonly broadcast: boolean;
};

/** `bytes` are the receiver's to keep. */
export type MessageHandler = (bytes: Uint8Array, from: Ipv4, port: number) => void;

function sockaddrIn(address: Ipv4, port: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_IN_LENGTH);
  bytes.set(new Uint8Array(Uint16Array.of(AF_INET).buffer), 0);
  bytes.set(concat([Uint8Array.of(port >> 8, port & 0xff), ipv4ToBytes(address)]), 2);
  return bytes;
}

// Only for reads that end before the next begins.
const receiveBytes = new Uint8Array(DATAGRAM_MAX);
const receiveFrom = new Uint8Array(SOCKADDR_IN_LENGTH);
const receiveFromLength = intBytes(SOCKADDR_IN_LENGTH);

/** A UDP socket that belongs to one interface of one namespace, whether that has an address or not. */
export class UdpSocket implements Disposable {
  readonly #fd: number;
  #stop: StopPolling | undefined;
  #open = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Sends at once or not at all; what went wrong is the answer (ENETUNREACH, ENOBUFS, ENODEV ...). */
  send(bytes: Uint8Array, address: Ipv4, port: number): SysError | undefined {
    invariant(this.#open, 'the socket is open');
    const to = sockaddrIn(address, port);
    const sent = sendto(this.#fd, bytes, bytes.length, MSG_DONTWAIT, to, to.length);
    return sent < 0 ? lastError(`send to ${address}:${port}`) : undefined;
  }

  /** Starts to receive; one handler per socket. */
  onMessage(handler: MessageHandler): void {
    invariant(this.#open && this.#stop === undefined, 'the socket is open and has no handler');
    // An error on the socket concerns some datagram sent before: the machines above resend by their own clocks.
    this.#stop = pollReadable(this.#fd, () => this.#drain(handler));
  }

  #drain(handler: MessageHandler): void {
    for (let count = 0; count < DRAIN_MAX && this.#open; count++) {
      receiveFromLength.set(intBytes(SOCKADDR_IN_LENGTH));
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      const length = recvfrom(this.#fd, receiveBytes, DATAGRAM_MAX, flags, receiveFrom, receiveFromLength);
      if (length < 0) return;
      if (length > DATAGRAM_MAX) continue;
      const port = ((receiveFrom[2] ?? 0) << 8) | (receiveFrom[3] ?? 0);
      handler(receiveBytes.slice(0, length), ipv4FromBytes(receiveFrom, 4), port);
    }
  }

  /**
   * Bytes (with the kernel's overhead) that were sent and wait, for ARP or in the device's queue. 0: all of it has
   * left. Closing before that may lose a RELEASE whose server's MAC is still being asked for.
   */
  pendingBytes(): number {
    invariant(this.#open, 'the socket is open');
    const value = new Int32Array(1);
    check('ioctl SIOCOUTQ', ioctl(this.#fd, SIOCOUTQ, new Uint8Array(value.buffer)));
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

/** Opens it inside `netns`. Throws SysError: ENODEV without the interface, EADDRNOTAVAIL without the address. */
export function openUdp(netns: NetNs, options: UdpOptions): UdpSocket {
  const op = `open UDP ${options.localPort} on ${options.ifname}`;
  return netns.run(() => {
    const fd = openSocket(op, AF_INET, SOCK_DGRAM, 0);
    return orClose(fd, () => {
      setReceiveBuffer(op, fd, RECEIVE_BUFFER);
      setBytesOption(op, fd, SOL_SOCKET, SO_BINDTODEVICE, utf8(`${options.ifname}\0`));
      // The container may run a DHCP client of its own on port 68, and a lease's old socket may still send its last.
      setIntOption(op, fd, SOL_SOCKET, SO_REUSEADDR, 1);
      if (options.broadcast) setIntOption(op, fd, SOL_SOCKET, SO_BROADCAST, 1);
      const local = sockaddrIn(options.localAddress ?? IPV4_ANY, options.localPort);
      check(op, bind(fd, local, local.length));
      return new UdpSocket(fd);
    });
  });
}
