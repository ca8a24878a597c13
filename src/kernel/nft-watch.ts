import { NFNLGRP_NFTABLES } from '../wire/nftables/message.ts';
import { readNotices } from '../wire/nftables/notice.ts';
import { closeOffLoop } from './ffi.ts';
import { GUARD_TABLE, INET_TABLE, NAT_TABLE, NETDEV_TABLE } from './guard-table.ts';
import { isOwnSocket, openNetfilter, ownSocketKey } from './netfilter-fd.ts';
import { receive } from './netlink-fd.ts';
import type { NetNs } from './netns.ts';
import { pollReadable, type StopPolling } from './poll.ts';

/** Datagrams read per wake-up before others get their turn: a datagram has up to a page of notices. */
const DRAIN_MAX = 128;
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
  const { fd } = openNetfilter(netns, 1 << (NFNLGRP_NFTABLES - 1));
  const isOwn = (portId: number): boolean => isOwnSocket(ownSocketKey(portId, netns));
  const watch = new NftWatch(fd, isOwn, onChange, onLost);
  return { close: () => watch.close() };
}

class NftWatch {
  readonly #fd: number;
  readonly #isOwn: (portId: number) => boolean;
  readonly #onChange: () => void;
  readonly #onLost: () => void;
  readonly #stop: StopPolling;
  #open = true;
  #lost = false;
  /** By the transaction that is being read: its end says whose it is. */
  #touched = false;

  constructor(fd: number, isOwn: (portId: number) => boolean, onChange: () => void, onLost: () => void) {
    this.#fd = fd;
    this.#isOwn = isOwn;
    this.#onChange = onChange;
    this.#onLost = onLost;
    this.#stop = pollReadable(fd, (socketError) => this.#drain(socketError));
  }

  #drain(socketError: number): void {
    if (socketError !== 0) this.#lost = true;
    for (let count = 0; count < DRAIN_MAX && this.#open; count++) {
      const received = receive(this.#fd);
      if (received.kind === 'empty') {
        this.#drained();
        return;
      }
      if (received.kind === 'overflow') this.#lost = true;
      if (received.kind === 'datagram' && !this.#lost) this.#read(received.bytes);
    }
  }

  #drained(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#touched = false;
    this.#onLost();
  }

  #read(datagram: Uint8Array): void {
    const notices = readNotices(datagram, GUARD_TABLE, FAMILIES);
    if (notices === undefined) this.#lost = true;
    for (const notice of notices ?? []) {
      if (notice.kind === 'touches') {
        this.#touched = true;
        continue;
      }
      const tell = this.#touched && !this.#isOwn(notice.portId);
      this.#touched = false;
      if (tell && this.#open) this.#onChange();
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stop();
    // The kernel makes it wait for whoever changes rules.
    void closeOffLoop(this.#fd);
  }
}
