import { SysError } from '../base/sys-error.ts';
import {
  decodeMessages,
  encodeRequest,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  type NetlinkMessage,
  type NetlinkRequest,
} from '../wire/netlink/message.ts';
import { errnoName } from './errno.ts';
import { closeFd, sendOffLoop } from './ffi.ts';
import { Lane, quickLane } from './lanes.ts';
import { rtnlCalls } from './loop-calls.ts';
import { type NetlinkFd, outcomeError, receiveOffLoop } from './netlink-fd.ts';

/** How often a table that changes while it is read is read again. */
const TRIES_MAX = 5;

/** What one dump may bring: more is an E2BIG. */
export type DumpLimit = { readonly messages: number; readonly bytes: number };

const MIB = 1024 * 1024;
/** A node's own tables are far smaller; a full Internet routing table is not for us. */
export const NODE_DUMP_LIMIT: DumpLimit = { messages: 65_536, bytes: 32 * MIB };
/** What is in a pod's namespace whoever runs there decides. */
export const POD_DUMP_LIMIT: DumpLimit = { messages: 4096, bytes: 2 * MIB };

type Dump = {
  readonly messages: NetlinkMessage[];
  bytes: number;
  /** NLM_F_DUMP_INTR: the table changed between two parts, so that an entry may be missing. */
  changed: boolean;
  tooLong: boolean;
};

/** Reads whole tables over a descriptor of its own, one after another: the kernel allows one dump per socket. */
export class NetlinkDumper {
  readonly #limit: DumpLimit;
  readonly #reopen: (() => NetlinkFd) | undefined;
  readonly #turns = new Lane(1);
  #socket: NetlinkFd | undefined;

  /**
   * `reopen`: a dump that brings too much is left at once, and the descriptor with it, since what is left would answer the
   * next question. Without, it is read to its end.
   */
  constructor(socket: NetlinkFd, limit: DumpLimit = NODE_DUMP_LIMIT, reopen?: () => NetlinkFd) {
    this.#socket = socket;
    this.#limit = limit;
    this.#reopen = reopen;
  }

  dump(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    const dump = (): Promise<readonly NetlinkMessage[]> => this.#untilConsistent(request);
    return this.#turns.run(() => rtnlCalls.elsewhere(() => quickLane.run(dump)));
  }

  /** Only when no dump is under way. */
  close(): void {
    if (this.#socket !== undefined) closeFd(this.#socket.fd);
    this.#socket = undefined;
  }

  async #untilConsistent(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const dump = await this.#once(request);
      if (dump.tooLong) throw this.#tooLong(request);
      if (!dump.changed) return dump.messages;
    }
    throw new SysError(request.op, 'EINTR', `the table changed during ${TRIES_MAX} readings`);
  }

  async #once(request: NetlinkRequest): Promise<Dump> {
    this.#socket ??= this.#reopen?.();
    if (this.#socket === undefined) throw new SysError(request.op, 'EBADF');
    const { fd, sequence } = this.#socket;
    const seq = sequence.next();
    const sent = await sendOffLoop(fd, encodeRequest(request, seq), 0);
    if (sent.result < 0) throw new SysError(request.op, errnoName(sent.errno));
    const dump: Dump = { messages: [], bytes: 0, changed: false, tooLong: false };
    for (;;) {
      const received = await receiveOffLoop(fd);
      if (received.kind === 'empty') throw new SysError(request.op, 'ENOBUFS', 'a part of the dump was lost');
      if (received.kind !== 'datagram') continue;
      const messages = decodeMessages(received.bytes);
      if (!messages.ok) throw new SysError(request.op, 'EBADMSG', messages.error.what);
      dump.bytes += received.bytes.length;
      for (const message of messages.value) {
        if (message.seq === seq && this.#isLast(request, dump, message)) return dump;
      }
      if (dump.tooLong && this.#reopen !== undefined) {
        this.close();
        return dump;
      }
    }
  }

  #isLast(request: NetlinkRequest, dump: Dump, message: NetlinkMessage): boolean {
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) dump.changed = true;
    if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
      const error = outcomeError(request.op, message);
      if (error !== undefined) throw error;
      return true;
    }
    dump.tooLong ||= dump.messages.length >= this.#limit.messages || dump.bytes > this.#limit.bytes;
    // What is too much is let go of: each message holds the datagram that it came in.
    if (dump.tooLong) dump.messages.length = 0;
    else dump.messages.push(message);
    return false;
  }

  #tooLong({ op }: NetlinkRequest): SysError {
    const { messages, bytes } = this.#limit;
    return new SysError(op, 'E2BIG', `more than ${messages} entries, or ${bytes / MIB} MiB of them`);
  }
}
