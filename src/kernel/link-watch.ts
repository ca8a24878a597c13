import { type Mac, macFromBytes } from '../base/mac.ts';
import type { Result } from '../base/result.ts';
import {
  Attributes,
  decoding,
  type NetlinkProblem,
  NetlinkFormatError,
  StructReader,
} from '../wire/netlink/attributes.ts';
import {
  IFF_LOWER_UP,
  IFF_UP,
  IFINFOMSG_LENGTH,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_MTU,
  MAC_LENGTH,
  RTM_DELLINK,
  RTM_NEWLINK,
} from '../wire/netlink/link.ts';
import type { NetlinkMessage } from '../wire/netlink/message.ts';
import { AF_UNSPEC } from '../wire/netlink/rtnetlink.ts';
import { openNotices } from './netlink-notices.ts';

// linux/rtnetlink.h
export const RTNLGRP_LINK = 1;

/** What the kernel says of a link that came, changed or went; `removed` too when it was moved to another namespace. */
export type LinkNotice = {
  readonly index: number;
  readonly name: string;
  /** IFF_UP */
  readonly up: boolean;
  /** IFF_LOWER_UP: has a carrier. */
  readonly lowerUp: boolean;
  readonly removed: boolean;
  /** Undefined where the notice does not say: a wireless device tells its events without. */
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
};

/**
 * Tells of every change of a link in the daemon's own namespace (or that where the thread is), in order; a notice may
 * repeat what is known. `onLost`: notices are missing, so the caller looks itself; what comes after is newer than
 * that. Throws SysError. See `watchNetwork` for more than links.
 */
export function watchLinks(
  onChange: (notice: LinkNotice) => void,
  onLost: () => void,
): { readonly close: () => void } {
  const onMessage = (message: NetlinkMessage): boolean => tellLink(message, onChange);
  return openNotices('watch links', [RTNLGRP_LINK], { onMessage, onLost });
}

/** Hands a message about a link on; false when it cannot be read. */
export function tellLink({ type, payload }: NetlinkMessage, onChange: (notice: LinkNotice) => void): boolean {
  if (type !== RTM_NEWLINK && type !== RTM_DELLINK) return true;
  const notice = decodeNotice(payload, type === RTM_DELLINK);
  if (!notice.ok) return false;
  if (notice.value !== undefined) onChange(notice.value);
  return true;
}

/**
 * Undefined for a notice of another family: a bridge tells with RTM_DELLINK of AF_BRIDGE that a port left it. Not the
 * whole link: a wireless device tells its events (IFLA_WIRELESS) without an MTU.
 */
function decodeNotice(payload: Uint8Array, removed: boolean): Result<LinkNotice | undefined, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(payload, 'ifinfomsg', IFINFOMSG_LENGTH);
    if (header.u8(0) !== AF_UNSPEC) return undefined;
    const attributes = new Attributes(header.after(IFINFOMSG_LENGTH), 'ifinfomsg');
    const name = attributes.text(IFLA_IFNAME);
    if (name === undefined) throw new NetlinkFormatError('missing', 'IFLA_IFNAME');
    const flags = header.u32(8);
    const address = attributes.bytes(IFLA_ADDRESS);
    const mtu = attributes.u32(IFLA_MTU);
    return {
      index: header.i32(4),
      name,
      up: (flags & IFF_UP) !== 0,
      lowerUp: (flags & IFF_LOWER_UP) !== 0,
      removed,
      ...(address?.length === MAC_LENGTH ? { mac: macFromBytes(address) } : {}),
      ...(mtu === undefined ? {} : { mtu }),
    };
  });
}
