import { NFNLGRP_NFTABLES } from '../wire/nftables/message.ts';
import { readNotices } from '../wire/nftables/notice.ts';
import { closeOffLoop } from './ffi.ts';
import { GUARD_TABLE, INET_TABLE, NAT_TABLE, NETDEV_TABLE } from './guard-table.ts';
import { isOwnSocket, openNetfilterNotices, ownSocketKey } from './netfilter-fd.ts';
import type { NetNs } from './netns.ts';
import { NoticeSocket } from './notice-socket.ts';

const FAMILIES = [INET_TABLE.family, NAT_TABLE.family, NETDEV_TABLE.family];

/**
 * Tells once for every transaction of somebody else that changed the guard's tables (inet, ip or netdev "leasehold") in
 * the daemon's own namespace, or in `netns`. `onLost`: notices are missing, so the caller looks itself. Ours are known
 * by the netlink port of their socket, which the kernel puts into its notices: the process id that it tells
 * (NFTA_GEN_PROC_PID) is that of a thread, and a number of the machine's, not of a container's. Throws SysError.
 */
export function watchNftables(
  onChange: () => void,
  onLost: () => void,
  netns?: NetNs,
): { readonly close: () => void } {
  const fd = openNetfilterNotices(netns, 1 << (NFNLGRP_NFTABLES - 1));
  const isOwn = (portId: number): boolean => isOwnSocket(ownSocketKey(portId, netns));
  /** By the transaction that is being read: its end says whose it is. */
  let touched = false;
  const socket: NoticeSocket = new NoticeSocket(fd, {
    onDatagram: (bytes) => {
      const notices = readNotices(bytes, GUARD_TABLE, FAMILIES);
      for (const notice of notices ?? []) {
        if (notice.kind === 'touches') {
          touched = true;
          continue;
        }
        const isTold = touched && !isOwn(notice.portId);
        touched = false;
        if (isTold && socket.isOpen) onChange();
      }
      return notices !== undefined;
    },
    onLost: () => {
      touched = false;
      onLost();
    },
    // The kernel makes it wait for whoever changes rules.
    close: (open) => void closeOffLoop(open),
  });
  return { close: () => socket.close() };
}
