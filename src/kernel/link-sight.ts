import { equalBytes } from '../base/bytes.ts';
import { ipToBytes } from '../base/ip.ts';
import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { AF_INET } from '../wire/netlink/rtnetlink.ts';
import { check, errnoName } from './errno.ts';
import { errno, ioctl, setsockopt } from './ffi.ts';
import {
  askInterface,
  type BriefLink,
  IFNAMSIZ,
  IFREQ_LENGTH,
  nameOf,
  readBrief,
  SIOCGIFADDR,
} from './ifreq.ts';
import type { NetNs } from './netns.ts';
import { setIntOption, SOL_SOCKET } from './socket-options.ts';

// asm-generic/socket.h
const SO_BINDTOIFINDEX = 62;
// linux/in.h
const IPPROTO_IP = 0;
const IP_MULTICAST_IF = 32;
/** struct sockaddr_in in the union of struct ifreq: family, port, address. */
const SIN_ADDR_AT = 4;
const IPV4_LENGTH = 4;
/** It can be renamed between two questions, but nobody does that over and over. */
const TRIES_MAX = 3;

/** What lease/ports.ts calls a LinkSight. */
export type LinkSight = BriefLink & {
  /** Of this interface, in whatever state it is; false when none was asked about. */
  readonly hasAddress: boolean;
};

/**
 * An interface by index, whatever it is called now, and whether it has an address: at once, without the RTNL lock.
 * Undefined when it is gone.
 */
export function readSight(
  index: number,
  address: Ipv4 | undefined,
  netns: NetNs | undefined,
): LinkSight | undefined {
  return askInterface(`look at #${index}`, netns, (fd) => {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const brief = byIndex(fd, index);
      if (brief === 'gone') return undefined;
      if (brief === 'renamed') continue;
      return { ...brief, hasAddress: address !== undefined && hasAddress(fd, index, address) };
    }
    return undefined;
  });
}

/** Whether the interface with this index of the namespace where the thread is has an address. */
export function interfaceHas(index: number, address: Ipv4): boolean {
  const ask = (fd: number): boolean => hasAddress(fd, index, address);
  return askInterface(`look for ${address} on #${index}`, undefined, ask) ?? false;
}

function byIndex(fd: number, index: number): BriefLink | 'gone' | 'renamed' {
  const nameBytes = nameOf(fd, index);
  if (nameBytes === undefined) return 'gone';
  const name = new TextDecoder().decode(nameBytes);
  try {
    const brief = readBrief(fd, name, nameBytes);
    return brief.index === index ? brief : 'renamed';
  } catch (error) {
    if (isSysError(error, 'ENODEV', 'ENXIO')) return 'renamed';
    throw error;
  }
}

/**
 * SIOCGIFADDR would wait for the RTNL lock (devinet_ioctl). IP_MULTICAST_IF by address does not: the kernel looks up
 * which interface has it (ip_dev_find), and compares that with the one that the socket is bound to.
 */
function hasAddress(fd: number, index: number, address: Ipv4): boolean {
  const op = `look for ${address} on #${index}`;
  setIntOption(op, fd, SOL_SOCKET, SO_BINDTOIFINDEX, index);
  const bytes = ipToBytes(address);
  // The kernel takes it for "any interface".
  if (address === IPV4_ANY) return false;
  if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, bytes, bytes.length) === 0) return true;
  const code = errnoName(errno());
  if (code === 'EADDRNOTAVAIL') return false;
  // Another interface has it. This one may have it too, which only the slow way can tell.
  if (code === 'EINVAL') return firstIs(fd, index, bytes);
  throw new SysError(op, code);
}

/** SIOCGIFADDR with the address filled in answers with that one if the interface has it, else with its first. */
function firstIs(fd: number, index: number, address: Uint8Array): boolean {
  const name = nameOf(fd, index);
  if (name === undefined) return false;
  const bytes = new Uint8Array(IFREQ_LENGTH);
  bytes.set(name);
  bytes.set(new Uint8Array(Uint16Array.of(AF_INET).buffer), IFNAMSIZ);
  bytes.set(address, IFNAMSIZ + SIN_ADDR_AT);
  const op = `SIOCGIFADDR #${index}`;
  try {
    check(op, ioctl(fd, SIOCGIFADDR, bytes));
  } catch (error) {
    if (isSysError(error, 'EADDRNOTAVAIL')) return false;
    throw error;
  }
  return equalBytes(bytes.subarray(IFNAMSIZ + SIN_ADDR_AT, IFNAMSIZ + SIN_ADDR_AT + IPV4_LENGTH), address);
}
