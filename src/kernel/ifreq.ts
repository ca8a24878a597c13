import { macFromBytes, type Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { IFF_RUNNING, IFF_UP } from '../wire/netlink/link.ts';
import { AF_INET } from '../wire/netlink/rtnetlink.ts';
import { lastError } from './errno.ts';
import { closeFd, ioctl } from './ffi.ts';
import type { NetNs } from './netns.ts';
import { openSocket, SOCK_DGRAM } from './socket-options.ts';

// linux/sockios.h
const SIOCGIFNAME = 0x8910;
export const SIOCGIFFLAGS = 0x8913;
export const SIOCGIFADDR = 0x8915;
export const SIOCGIFMTU = 0x8921;
export const SIOCGIFHWADDR = 0x8927;
export const SIOCGIFINDEX = 0x8933;
// linux/if.h: struct ifreq is a name of IFNAMSIZ bytes and a union, the largest member of which is struct ifmap.
export const IFNAMSIZ = 16;
export const IFREQ_LENGTH = 40;
// linux/if_arp.h
const ARPHRD_ETHER = 1;
/** struct sockaddr, before its bytes: the family, here the hardware type. */
const SA_DATA_AT = 2;

/** What ioctl tells of an interface. `lowerUp` is IFF_RUNNING: the kernel's settled opinion about the carrier. */
export type BriefLink = {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
};

/**
 * Asks about an interface over a socket in `netns`, or in the daemon's own namespace. Undefined when the interface is
 * not there, or goes meanwhile. None of what is asked waits for the RTNL lock.
 */
export function askInterface<T>(
  op: string,
  netns: NetNs | undefined,
  ask: (fd: number) => T | undefined,
): T | undefined {
  let answer: T | undefined;
  const read = (): void => {
    const fd = openSocket(op, AF_INET, SOCK_DGRAM, 0);
    try {
      answer = ask(fd);
    } catch (error) {
      if (!isSysError(error, 'ENODEV', 'ENXIO')) throw error;
    } finally {
      closeFd(fd);
    }
  };
  if (netns === undefined) read();
  else netns.run(read);
  return answer;
}

// The kernel has read and written it when ioctl returns, and what is wanted of it is read before the next.
const request = new Uint8Array(IFREQ_LENGTH);
const union = new DataView(request.buffer, IFNAMSIZ);

/** The name of an interface, as bytes without the NUL; undefined when there is none of this index. */
export function nameOf(fd: number, index: number): Uint8Array | undefined {
  union.setInt32(0, index, true);
  if (ioctl(fd, SIOCGIFNAME, request) < 0) {
    const error = lastError(`SIOCGIFNAME #${index}`);
    if (error.code === 'ENODEV') return undefined;
    throw error;
  }
  const end = request.indexOf(0);
  return request.slice(0, Math.min(end < 0 ? IFNAMSIZ : end, IFNAMSIZ));
}

/** One ioctl about the interface of this name; what the kernel leaves is in `union`. */
function ifreq(op: string, fd: number, code: number, name: string, nameBytes: Uint8Array): void {
  request.fill(0);
  request.set(nameBytes);
  if (ioctl(fd, code, request) < 0) throw lastError(`${op} ${name}`);
}

/** For a socket that is bound to the interface: these ioctls run modprobe for a name that is missing (dev_load). */
export function readBrief(fd: number, name: string, nameBytes: Uint8Array): BriefLink {
  ifreq('SIOCGIFFLAGS', fd, SIOCGIFFLAGS, name, nameBytes);
  const flags = union.getUint16(0, true);
  ifreq('SIOCGIFINDEX', fd, SIOCGIFINDEX, name, nameBytes);
  const index = union.getInt32(0, true);
  ifreq('SIOCGIFMTU', fd, SIOCGIFMTU, name, nameBytes);
  const mtu = union.getInt32(0, true);
  ifreq('SIOCGIFHWADDR', fd, SIOCGIFHWADDR, name, nameBytes);
  const isEthernet = union.getUint16(0, true) === ARPHRD_ETHER;
  const mac = isEthernet ? { mac: macFromBytes(request, IFNAMSIZ + SA_DATA_AT) } : {};
  const [up, lowerUp] = [(flags & IFF_UP) !== 0, (flags & IFF_RUNNING) !== 0];
  return { index, name, ...mac, mtu, up, lowerUp };
}
