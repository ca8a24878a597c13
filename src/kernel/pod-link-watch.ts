import { type Mac, macFromBytes } from '../base/mac.ts';
import type { Result } from '../base/result.ts';
import { isSysError } from '../base/sys-error.ts';
import { Attributes, decoding, type NetlinkProblem, StructReader } from '../wire/netlink/attributes.ts';
import {
  IFF_UP,
  IFINFOMSG_LENGTH,
  IFLA_ADDRESS,
  MAC_LENGTH,
  RTM_DELLINK,
  RTM_NEWLINK,
} from '../wire/netlink/link.ts';
import type { NetlinkMessage } from '../wire/netlink/message.ts';
import { AF_UNSPEC } from '../wire/netlink/rtnetlink.ts';
import { RTNLGRP_LINK } from './link-watch.ts';
import { openNotices } from './netlink-notices.ts';
import { NetNs } from './netns.ts';

/**
 * A pod that may configure its links can have the kernel tell of them as fast as it likes. One that is deleted causes
 * two notices: its link goes down, and is gone.
 */
const MOST_PER_SECOND = 4000;
const SECOND_MS = 1000;
const OP = 'watch the links of pods';

/** As lease/ports.ts has it. */
export type PodLinkNotice = {
  readonly index: number;
  readonly mac: Mac | undefined;
  /** IFF_UP */
  readonly up: boolean;
  readonly removed: boolean;
};

type Handlers = {
  readonly onChange: (notice: PodLinkNotice) => void;
  /** Notices are missing. */
  readonly onLost: () => void;
};

type Options = { readonly netns?: NetNs; readonly mostPerSecond?: number };

/**
 * Tells of every change of a link in any namespace that has an id in the daemon's own, or in `netns` (see
 * `Rtnl.nameNamespace`), and of those in that one as well: which of them, nobody says, so index and MAC address have to
 * do. One socket for all pods. Beyond MOST_PER_SECOND it is deaf for the rest of that second, which counts as lost. Throws SysError.
 */
export function watchPodLinks(
  { onChange, onLost }: Handlers,
  { netns = NetNs.self(), mostPerSecond = MOST_PER_SECOND }: Options = {},
): { readonly close: () => void } {
  let socket: { readonly close: () => void } | undefined;
  let again: NodeJS.Timeout | undefined;
  let count = 0;
  let since = performance.now();
  const listen = (): { readonly close: () => void } =>
    netns.run(() => openNotices(OP, [RTNLGRP_LINK], { onMessage, onLost }, { allNamespaces: true }));
  const onMessage = (message: NetlinkMessage): boolean => {
    const now = performance.now();
    if (now - since >= SECOND_MS) {
      since = now;
      count = 0;
    }
    count += 1;
    if (count <= mostPerSecond) return tell(message, onChange);
    socket?.close();
    socket = undefined;
    again = setTimeout(listenAgain, SECOND_MS - (now - since));
    return true;
  };
  const listenAgain = (): void => {
    since = performance.now();
    count = 0;
    try {
      socket = listen();
      onLost();
    } catch (error) {
      if (!isSysError(error)) throw error;
      // No descriptor is left for the moment.
      again = setTimeout(listenAgain, SECOND_MS);
    }
  };
  socket = listen();
  return {
    close: () => {
      clearTimeout(again);
      socket?.close();
    },
  };
}

function tell({ type, payload }: NetlinkMessage, onChange: Handlers['onChange']): boolean {
  if (type !== RTM_NEWLINK && type !== RTM_DELLINK) return true;
  const notice = decodeNotice(payload, type === RTM_DELLINK);
  if (!notice.ok) return false;
  if (notice.value !== undefined) onChange(notice.value);
  return true;
}

/** Undefined for a notice of another family, as of a bridge that a port left. */
function decodeNotice(
  payload: Uint8Array,
  removed: boolean,
): Result<PodLinkNotice | undefined, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(payload, 'ifinfomsg', IFINFOMSG_LENGTH);
    if (header.u8(0) !== AF_UNSPEC) return undefined;
    const address = new Attributes(header.after(IFINFOMSG_LENGTH), 'ifinfomsg').bytes(IFLA_ADDRESS);
    return {
      index: header.i32(4),
      mac: address?.length === MAC_LENGTH ? macFromBytes(address) : undefined,
      up: (header.u32(8) & IFF_UP) !== 0,
      removed,
    };
  });
}
