import { concat, utf8 } from '../base/bytes.ts';
import { askInterface, type BriefLink, IFNAMSIZ, nameOf, readBrief } from './ifreq.ts';
import type { NetNs } from './netns.ts';
import { setBytesOption, SO_BINDTODEVICE, SOL_SOCKET } from './socket-options.ts';

export type { BriefLink } from './ifreq.ts';

/**
 * An interface by name, at once: these ioctls do not take the RTNL lock, for which a netlink request may wait behind
 * deletions, and so need no thread either. The kernel takes an alternative name that is short enough for one too: the
 * answer has the name itself. Undefined when there is none.
 */
export function readLink(name: string, netns?: NetNs): BriefLink | undefined {
  const nameBytes = utf8(name);
  if (name === '' || name.includes('\0') || nameBytes.length >= IFNAMSIZ) return undefined;
  const op = `look at ${name}`;
  return askInterface(op, netns, (fd) => {
    // Is there one at all? The ioctls themselves would run modprobe for a missing name (dev_load) and wait for it, and
    // take "eth0:1" for eth0.
    setBytesOption(op, fd, SOL_SOCKET, SO_BINDTODEVICE, concat([nameBytes, Uint8Array.of(0)]));
    const brief = readBrief(fd, name, nameBytes);
    const own = nameOf(fd, brief.index);
    return own && { ...brief, name: new TextDecoder().decode(own) };
  });
}
