import { concat } from '../base/bytes.ts';
import { macFromBytes, type Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { IFF_RUNNING, IFF_UP } from '../wire/netlink/link.ts';
import { AF_INET } from '../wire/netlink/rtnetlink.ts';
import { check, lastError } from './errno.ts';
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
const MAC_LENGTH = 6;

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

/** The name of an interface, as bytes without the NUL; undefined when there is none of this index. */
export function nameOf(fd: number, index: number): Uint8Array | undefined {
  const bytes = new Uint8Array(IFREQ_LENGTH);
  new DataView(bytes.buffer).setInt32(IFNAMSIZ, index, true);
  if (ioctl(fd, SIOCGIFNAME, bytes) < 0) {
    const error = lastError(`SIOCGIFNAME #${index}`);
    if (error.code === 'ENODEV') return undefined;
    throw error;
  }
  const end = bytes.indexOf(0);
  return bytes.slice(0, Math.min(end < 0 ? IFNAMSIZ : end, IFNAMSIZ));
}

/** One ioctl about the interface of this name; returns what the kernel left in the union. */
export function ifreq(op: string, fd: number, code: number, nameBytes: Uint8Array): DataView {
  const bytes = concat([nameBytes, new Uint8Array(IFREQ_LENGTH - nameBytes.length)]);
  check(op, ioctl(fd, code, bytes));
  return new DataView(bytes.buffer, IFNAMSIZ);
}

/** For a socket that is bound to the interface: these ioctls run modprobe for a name that is missing (dev_load). */
export function readBrief(fd: number, name: string, nameBytes: Uint8Array): BriefLink {
  const request = (op: string, code: number): DataView => ifreq(`${op} ${name}`, fd, code, nameBytes);
  const flags = request('SIOCGIFFLAGS', SIOCGIFFLAGS).getUint16(0, true);
  const hardware = request('SIOCGIFHWADDR', SIOCGIFHWADDR);
  const link = {
    index: request('SIOCGIFINDEX', SIOCGIFINDEX).getInt32(0, true),
    name,
    mtu: request('SIOCGIFMTU', SIOCGIFMTU).getInt32(0, true),
    up: (flags & IFF_UP) !== 0,
    lowerUp: (flags & IFF_RUNNING) !== 0,
  };
  if (hardware.getUint16(0, true) !== ARPHRD_ETHER) return link;
  return { ...link, mac: macFromBytes(new Uint8Array(hardware.buffer, IFNAMSIZ + SA_DATA_AT, MAC_LENGTH)) };
}
