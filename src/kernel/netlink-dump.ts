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
import { outcomeError, receiveOffLoop } from './netlink-fd.ts';

/** How often a table that changes while it is read is read again. */
const TRIES_MAX = 5;
/** A node's own tables are far smaller; a full Internet routing table is not for us. */
const MESSAGES_MAX = 65_536;

type Dump = {
  readonly messages: NetlinkMessage[];
  /** NLM_F_DUMP_INTR: the table changed between two parts, so that an entry may be missing. */
  changed: boolean;
  tooLong: boolean;
};

/** Reads whole tables over a descriptor of its own, one after another: the kernel allows one dump per socket. */
export class NetlinkDumper {
  readonly #fd: number;
  readonly #turns = new Lane(1);
  #seq = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  dump(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    return this.#turns.run(() => quickLane.run(() => this.#untilConsistent(request)));
  }

  /** Only when no dump is under way. */
  close(): void {
    closeFd(this.#fd);
  }

  async #untilConsistent(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const dump = await this.#once(request);
      if (dump.tooLong) throw new SysError(request.op, 'E2BIG', `more than ${MESSAGES_MAX} entries`);
      if (!dump.changed) return dump.messages;
    }
    throw new SysError(request.op, 'EINTR', `the table changed during ${TRIES_MAX} readings`);
  }

  async #once(request: NetlinkRequest): Promise<Dump> {
    this.#seq = (this.#seq + 1) >>> 0;
    const seq = this.#seq;
    const sent = await sendOffLoop(this.#fd, encodeRequest(request, seq), 0);
    if (sent.result < 0) throw new SysError(request.op, errnoName(sent.errno));
    const dump: Dump = { messages: [], changed: false, tooLong: false };
    for (;;) {
      const received = await receiveOffLoop(this.#fd);
      if (received.kind === 'empty') throw new SysError(request.op, 'ENOBUFS', 'a part of the dump was lost');
      if (received.kind !== 'datagram') continue;
      const messages = decodeMessages(received.bytes);
      if (!messages.ok) throw new SysError(request.op, 'EBADMSG', messages.error.what);
      for (const message of messages.value) {
        if (message.seq === seq && this.#isLast(request, dump, message)) return dump;
      }
    }
  }

  /** Reads on to the end even when there is too much: what is left would answer the next question. */
  #isLast(request: NetlinkRequest, dump: Dump, message: NetlinkMessage): boolean {
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) dump.changed = true;
    if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
      const error = outcomeError(request.op, message);
      if (error !== undefined) throw error;
      return true;
    }
    if (dump.messages.length < MESSAGES_MAX) dump.messages.push(message);
    else dump.tooLong = true;
    return false;
  }
}
