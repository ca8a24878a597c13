import { concat } from '../base/bytes.ts';
import { type Ipv4, ipv4ToBytes } from '../base/ipv4.ts';
import { isSysError } from '../base/sys-error.ts';
import { DHCP_CLIENT_PORT } from '../wire/dhcp4/udp-ports.ts';
import { AF_INET } from '../wire/netlink/rtnetlink.ts';
import { check, orClose } from './errno.ts';
import { bind, closeFd } from './ffi.ts';
import type { NetNs } from './netns.ts';
import {
  openSocket,
  setIntOption,
  SO_BINDTOIFINDEX,
  SO_RCVBUF,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOL_SOCKET,
} from './socket-options.ts';

/** struct sockaddr_in: family in host order, port and address in network order, padding. */
const SOCKADDR_IN_LENGTH = 16;

export function sockaddrIn(address: Ipv4, port: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_IN_LENGTH);
  bytes.set(new Uint8Array(Uint16Array.of(AF_INET).buffer), 0);
  bytes.set(concat([Uint8Array.of(port >> 8, port & 0xff), ipv4ToBytes(address)]), 2);
  return bytes;
}

// linux/in.h
const IPPROTO_IP = 0;
const IP_FREEBIND = 15;

export type HeldPort = {
  /** Whether the interface had the address at that moment. */
  readonly hasAddress: boolean;
  readonly end: () => void;
};

/**
 * Binds UDP port 68 of an address of one interface in `netns` and reads nothing from it. What comes there waits, a
 * datagram or two (the kernel's least buffer), or is dropped in silence, where the kernel would answer with ICMP port
 * unreachable (RFC 1122 4.1.3.1). A process that has the port stays the only one, and one that comes with SO_REUSEADDR
 * finds it free. An address that is not there, or whose interface is gone, is held as well: it may be put back before the
 * answer comes. Throws SysError: EADDRINUSE where a process has the port, EADDRNOTAVAIL where it has that of such an address.
 */
export function holdClientPort(netns: NetNs, ifindex: number, address: Ipv4): HeldPort {
  const op = `hold UDP port ${DHCP_CLIENT_PORT} of ${address}`;
  return netns.run(() => {
    const fd = openSocket(op, AF_INET, SOCK_DGRAM, 0);
    return orClose(fd, () => {
      setIntOption(op, fd, SOL_SOCKET, SO_RCVBUF, 0);
      setIntOption(op, fd, SOL_SOCKET, SO_BINDTOIFINDEX, ifindex);
      const hasAddress = bindToAddress(op, fd, address);
      // Not before: then it would share the port with who has it. From now on a process that shares may come.
      setIntOption(op, fd, SOL_SOCKET, SO_REUSEADDR, 1);
      let open = true;
      const end = (): void => {
        if (open) closeFd(fd);
        open = false;
      };
      return { hasAddress, end };
    });
  });
}

/** False when the address is not there: then it is bound all the same. */
function bindToAddress(op: string, fd: number, address: Ipv4): boolean {
  const local = sockaddrIn(address, DHCP_CLIENT_PORT);
  const bindNow = (): number => bind(fd, local, local.length);
  try {
    check(op, bindNow());
    return true;
  } catch (missing) {
    if (!isSysError(missing, 'EADDRNOTAVAIL')) throw missing;
    setIntOption(op, fd, IPPROTO_IP, IP_FREEBIND, 1);
    if (bindNow() < 0) throw missing;
    return false;
  }
}
