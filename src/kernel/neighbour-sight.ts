import { closeSync, openSync, readSync } from 'node:fs';
import type { Ipv4 } from '../base/ipv4.ts';
import { type Mac, parseMac } from '../base/mac.ts';
import { fromNodeError } from './errno.ts';
import { readSight } from './link-sight.ts';
import type { NetNs } from './netns.ts';

/** proc_pid_net(5); of the thread, because only its namespace is another one. */
const ARP_TABLE = '/proc/thread-self/net/arp';
/** Some 800 lines, which is nearly all that the kernel keeps (gc_thresh3, 1024, for all namespaces together). */
const MOST_BYTES = 65_536;
// linux/if_arp.h: the entry has an Ethernet address.
const ATF_COM = 0x02;

/**
 * The Ethernet address at which the kernel would reach an IPv4 address of the link, however old that knowledge is
 * (any of NUD_VALID); undefined when it would have to ask first, or when there are too many entries to find it. At
 * once: unlike RTM_GETNEIGH this does not wait for the RTNL lock. Throws SysError.
 */
export function readNeighbour(netns: NetNs, index: number, address: Ipv4): Mac | undefined {
  const device = readSight(index, undefined, netns)?.name;
  if (device === undefined) return undefined;
  for (const line of readTable(netns).split('\n')) {
    // IP address, HW type, Flags, HW address, Mask, Device. A name may hold no white space (dev_valid_name).
    const [ip, , flags, mac, , on] = line.split(/ +/);
    if (ip === address && on === device) {
      return (Number(flags) & ATF_COM) === 0 ? undefined : parseMac(mac ?? '');
    }
  }
  return undefined;
}

// A read ends before the next begins.
const bytes = new Uint8Array(MOST_BYTES);

function readTable(netns: NetNs): string {
  try {
    const length = netns.run(() => {
      const fd = openSync(ARP_TABLE, 'r');
      try {
        return readWhole(fd);
      } finally {
        closeSync(fd);
      }
    });
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch (error) {
    throw fromNodeError(`read ${ARP_TABLE}`, error);
  }
}

/** The kernel gives a page at a time. */
function readWhole(fd: number): number {
  let length = 0;
  while (length < bytes.length) {
    const read = readSync(fd, bytes, length, bytes.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return length;
}
