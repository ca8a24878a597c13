import { decodeMessages, type NetlinkMessage } from '../wire/netlink/message.ts';
import { check, orClose } from './errno.ts';
import { bind, closeFd } from './ffi.ts';
import { listenToAllNamespaces, netlinkAddress, openNetlink } from './netlink-fd.ts';
import { NoticeSocket } from './notice-socket.ts';
import { attachFilter } from './packet-socket.ts';

export type NoticeHandlers = {
  /** False: it could not be read, so that a notice is missing. */
  readonly onMessage: (message: NetlinkMessage) => boolean;
  /** Notices are missing, so the caller looks itself; what comes after is newer than that. */
  readonly onLost: () => void;
};

export type NoticeScope = {
  /** A classic BPF program that sees the datagram, so its first header at 0. */
  readonly filter?: Uint8Array;
  /** Also the notices of all namespaces that have an id in this one; takes CAP_NET_BROADCAST there. */
  readonly allNamespaces?: boolean;
};

/**
 * Hears rtnetlink's notices of some groups (RTNLGRP_*, 1 to 32) where the thread is. `hearNow`: see `NoticeSocket`.
 * Throws SysError.
 */
export function openNotices(
  op: string,
  groups: readonly number[],
  handlers: NoticeHandlers,
  { filter, allNamespaces = false }: NoticeScope = {},
): { readonly hearNow: () => boolean; readonly close: () => void } {
  const fd = openNetlink();
  return orClose(fd, () => {
    if (allNamespaces) listenToAllNamespaces(op, fd);
    if (filter !== undefined) attachFilter(op, fd, filter);
    // Bound, which gives it a port id: a notice goes to nobody whose id is the kernel's, 0.
    const bits = groups.reduce((all, group) => all | (1 << (group - 1)), 0);
    const address = netlinkAddress(bits);
    check(op, bind(fd, address, address.length));
    const socket: NoticeSocket = new NoticeSocket(fd, {
      onDatagram: (bytes) => {
        const messages = decodeMessages(bytes);
        return messages.ok && tell(messages.value, handlers, () => socket.isOpen);
      },
      onLost: handlers.onLost,
      close: closeFd,
    });
    return { hearNow: () => socket.hearNow(), close: () => socket.close() };
  });
}

/** All of them, also behind one that cannot be read. False when there was such a one. */
function tell(
  messages: readonly NetlinkMessage[],
  { onMessage }: NoticeHandlers,
  isOpen: () => boolean,
): boolean {
  let wasRead = true;
  for (const message of messages) if (isOpen() && !onMessage(message)) wasRead = false;
  return wasRead;
}
