import { decodeMessages, type NetlinkMessage } from '../wire/netlink/message.ts';
import { check, orClose } from './errno.ts';
import { bind, closeFd } from './ffi.ts';
import { netlinkAddress, openNetlink, receive } from './netlink-fd.ts';
import { attachFilter } from './packet-socket.ts';
import { pollReadable, type StopPolling } from './poll.ts';

/** Notices read per wake-up before others get their turn. */
const DRAIN_MAX = 128;

export type NoticeHandlers = {
  /** False: it could not be read, so that a notice is missing. */
  readonly onMessage: (message: NetlinkMessage) => boolean;
  /** Notices are missing, so the caller looks itself; what comes after is newer than that. */
  readonly onLost: () => void;
};

/**
 * Hears rtnetlink's notices of some groups (RTNLGRP_*, 1 to 32) in the namespace where the thread is. `filter`: a
 * classic BPF program that sees the datagram, so its first header at 0. Throws SysError.
 */
export function openNotices(
  op: string,
  groups: readonly number[],
  handlers: NoticeHandlers,
  filter?: Uint8Array,
): { readonly close: () => void } {
  const fd = openNetlink();
  return orClose(fd, () => {
    if (filter !== undefined) attachFilter(op, fd, filter);
    // Bound, which gives it a port id: a notice goes to nobody whose id is the kernel's, 0.
    const bits = groups.reduce((all, group) => all | (1 << (group - 1)), 0);
    const address = netlinkAddress(bits);
    check(op, bind(fd, address, address.length));
    const notices = new Notices(fd, handlers);
    return { close: () => notices.close() };
  });
}

class Notices {
  readonly #fd: number;
  readonly #handlers: NoticeHandlers;
  readonly #stop: StopPolling;
  #open = true;
  /** Until the socket is empty: what still lies there is older than what was lost. */
  #lost = false;

  constructor(fd: number, handlers: NoticeHandlers) {
    this.#fd = fd;
    this.#handlers = handlers;
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
    this.#handlers.onLost();
  }

  #tell(messages: readonly NetlinkMessage[]): void {
    for (const message of messages) {
      if (this.#open && !this.#handlers.onMessage(message)) this.#lost = true;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stop();
    closeFd(this.#fd);
  }
}
