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
  IFLA_IFNAME,
  RTM_DELLINK,
  RTM_NEWLINK,
} from '../wire/netlink/link.ts';
import { decodeMessages, type NetlinkMessage } from '../wire/netlink/message.ts';
import { AF_UNSPEC } from '../wire/netlink/rtnetlink.ts';
import { check, orClose } from './errno.ts';
import { bind, closeFd } from './ffi.ts';
import { netlinkAddress, openNetlink, receive } from './netlink-fd.ts';
import { pollReadable, type StopPolling } from './poll.ts';

// linux/rtnetlink.h
const RTNLGRP_LINK = 1;
/** Notices read per wake-up before others get their turn. */
const DRAIN_MAX = 128;

/** What the kernel says of a link that came, changed or went; `removed` too when it was moved to another namespace. */
export type LinkNotice = {
  readonly index: number;
  readonly name: string;
  /** IFF_UP */
  readonly up: boolean;
  /** IFF_LOWER_UP: has a carrier. */
  readonly lowerUp: boolean;
  readonly removed: boolean;
};

/**
 * Tells of every change of a link in the daemon's own namespace (or that where the thread is), in order; a notice may
 * repeat what is known. `onLost`: notices are missing, so the caller looks itself; what comes after is newer than
 * that. Throws SysError.
 */
export function watchLinks(
  onChange: (notice: LinkNotice) => void,
  onLost: () => void,
): { readonly close: () => void } {
  const fd = openNetlink();
  return orClose(fd, () => {
    // Bound, which gives it a port id: a notice goes to nobody whose id is the kernel's, 0.
    const address = netlinkAddress(1 << (RTNLGRP_LINK - 1));
    check('bind RTNLGRP_LINK', bind(fd, address, address.length));
    const watch = new LinkWatch(fd, onChange, onLost);
    return { close: () => watch.close() };
  });
}

class LinkWatch {
  readonly #fd: number;
  readonly #onChange: (notice: LinkNotice) => void;
  readonly #onLost: () => void;
  readonly #stop: StopPolling;
  #open = true;
  /** Until the socket is empty: what still lies there is older than what was lost. */
  #lost = false;

  constructor(fd: number, onChange: (notice: LinkNotice) => void, onLost: () => void) {
    this.#fd = fd;
    this.#onChange = onChange;
    this.#onLost = onLost;
    this.#stop = pollReadable(fd, (socketError) => this.#drain(socketError));
  }

  #drain(socketError: number): void {
    // The socket's error is taken either here or by the first read, and may be of no other kind than ENOBUFS.
    if (socketError !== 0) this.#lost = true;
    for (let count = 0; count < DRAIN_MAX && this.#open; count++) {
      const received = receive(this.#fd);
      if (received.kind === 'empty') {
        this.#drained();
        return;
      }
      if (received.kind === 'overflow') this.#lost = true;
      if (received.kind !== 'datagram' || this.#lost) continue;
      const messages = decodeMessages(received.bytes);
      if (!messages.ok) this.#lost = true;
      else this.#tell(messages.value);
    }
  }

  #drained(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#onLost();
  }

  #tell(messages: readonly NetlinkMessage[]): void {
    for (const { type, payload } of messages) {
      if (type !== RTM_NEWLINK && type !== RTM_DELLINK) continue;
      const notice = decodeNotice(payload, type === RTM_DELLINK);
      if (!notice.ok) this.#lost = true;
      else if (notice.value !== undefined && this.#open) this.#onChange(notice.value);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stop();
    closeFd(this.#fd);
  }
}

/**
 * Undefined for a notice of another family: a bridge tells with RTM_DELLINK of AF_BRIDGE that a port left it. Not the
 * whole link: a wireless device tells its events (IFLA_WIRELESS) without an MTU.
 */
function decodeNotice(payload: Uint8Array, removed: boolean): Result<LinkNotice | undefined, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(payload, 'ifinfomsg', IFINFOMSG_LENGTH);
    if (header.u8(0) !== AF_UNSPEC) return undefined;
    const name = new Attributes(header.after(IFINFOMSG_LENGTH), 'ifinfomsg').text(IFLA_IFNAME);
    if (name === undefined) throw new NetlinkFormatError('missing', 'IFLA_IFNAME');
    const flags = header.u32(8);
    return {
      index: header.i32(4),
      name,
      up: (flags & IFF_UP) !== 0,
      lowerUp: (flags & IFF_LOWER_UP) !== 0,
      removed,
    };
  });
}
