import { receive } from './netlink-fd.ts';
import { pollReadable, type StopPolling } from './poll.ts';

/** Datagrams of notices read per wake-up before others get their turn. */
const DRAIN_MAX = 128;

export type DatagramHandlers = {
  /** False: it could not be read, so that a notice is missing. */
  readonly onDatagram: (bytes: Uint8Array) => boolean;
  /** Notices are missing, so the caller looks itself; what comes after is newer than that. */
  readonly onLost: () => void;
  readonly close: (fd: number) => void;
};

/** Reads a netlink socket that hears a group's notices, whatever family they are of. It owns the descriptor. */
export class NoticeSocket {
  readonly #fd: number;
  readonly #handlers: DatagramHandlers;
  readonly #stop: StopPolling;
  #open = true;
  /** Until the socket is empty: what still lies there is older than what was lost. */
  #lost = false;
  #isReading = false;

  constructor(fd: number, handlers: DatagramHandlers) {
    this.#fd = fd;
    this.#handlers = handlers;
    this.#stop = pollReadable(fd, (socketError) => void this.#drain(socketError));
  }

  /** False from `close` on, also within a datagram that is being read. */
  get isOpen(): boolean {
    return this.#open;
  }

  /**
   * Reads what lies there now. False: there is more of it than is read in one go, some is missing, or it is read already, by
   * who tells this caller.
   */
  hearNow(): boolean {
    return this.#open && !this.#isReading && this.#drain(0);
  }

  /** Whether all was read, and nothing is missing. */
  #drain(socketError: number): boolean {
    // The socket's error is taken either here or by the first read, and may be of no other kind than ENOBUFS.
    if (socketError !== 0) this.#lost = true;
    for (let count = 0; count < DRAIN_MAX && this.#open; count++) {
      const received = receive(this.#fd);
      if (received.kind === 'empty') return this.#drained();
      if (received.kind === 'overflow') this.#lost = true;
      if (received.kind !== 'datagram' || this.#lost) continue;
      this.#isReading = true;
      try {
        if (!this.#handlers.onDatagram(received.bytes)) this.#lost = true;
      } finally {
        this.#isReading = false;
      }
    }
    return false;
  }

  #drained(): boolean {
    if (!this.#lost) return true;
    this.#lost = false;
    this.#handlers.onLost();
    return false;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stop();
    this.#handlers.close(this.#fd);
  }
}
