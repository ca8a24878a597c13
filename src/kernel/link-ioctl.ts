import { concat, utf8 } from '../base/bytes.ts';
import { macFromBytes, type Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { IFF_RUNNING, IFF_UP } from '../wire/netlink/link.ts';
import { AF_INET } from '../wire/netlink/rtnetlink.ts';
import { check } from './errno.ts';
import { closeFd, ioctl } from './ffi.ts';
import type { NetNs } from './netns.ts';
import { openSocket, setBytesOption, SO_BINDTODEVICE, SOCK_DGRAM, SOL_SOCKET } from './socket-options.ts';

// linux/sockios.h
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFMTU = 0x8921;
const SIOCGIFHWADDR = 0x8927;
const SIOCGIFINDEX = 0x8933;
// linux/if.h: struct ifreq is a name of IFNAMSIZ bytes and a union, the largest member of which is struct ifmap.
const IFNAMSIZ = 16;
const IFREQ_LENGTH = 40;
// linux/if_arp.h
const ARPHRD_ETHER = 1;

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
 * An interface by name, at once: these ioctls do not take the RTNL lock, for which a netlink request may wait behind
 * deletions, and so need no thread either. Undefined when there is none.
 */
export function readLink(name: string, netns?: NetNs): BriefLink | undefined {
  const nameBytes = utf8(name);
  if (name === '' || name.includes('\0') || nameBytes.length >= IFNAMSIZ) return undefined;
  const read = (): BriefLink | undefined => {
    const fd = openSocket(`look at ${name}`, AF_INET, SOCK_DGRAM, 0);
    try {
      return ask(fd, name, nameBytes);
    } catch (error) {
      if (isSysError(error, 'ENODEV', 'ENXIO')) return undefined;
      throw error;
    } finally {
      closeFd(fd);
    }
  };
  return netns === undefined ? read() : netns.run(read);
}

function ask(fd: number, name: string, nameBytes: Uint8Array): BriefLink {
  // Is there one at all? The ioctls themselves would run modprobe for a missing name (dev_load) and wait for it, and
  // take "eth0:1" for eth0.
  setBytesOption(`look at ${name}`, fd, SOL_SOCKET, SO_BINDTODEVICE, concat([nameBytes, Uint8Array.of(0)]));
  const request = (op: string, code: number): DataView => {
    const ifreq = concat([nameBytes, new Uint8Array(IFREQ_LENGTH - nameBytes.length)]);
    check(`${op} ${name}`, ioctl(fd, code, ifreq));
    return new DataView(ifreq.buffer, IFNAMSIZ);
  };
  const flags = request('SIOCGIFFLAGS', SIOCGIFFLAGS).getUint16(0, true);
  const hardware = request('SIOCGIFHWADDR', SIOCGIFHWADDR);
  const link = {
    index: request('SIOCGIFINDEX', SIOCGIFINDEX).getInt32(0, true),
    name,
    mtu: request('SIOCGIFMTU', SIOCGIFMTU).getInt32(0, true),
    up: (flags & IFF_UP) !== 0,
    lowerUp: (flags & IFF_RUNNING) !== 0,
  };
  // struct sockaddr: the family, here the hardware type, and the address.
  if (hardware.getUint16(0, true) !== ARPHRD_ETHER) return link;
  return { ...link, mac: macFromBytes(new Uint8Array(hardware.buffer, IFNAMSIZ + 2, 6)) };
}
