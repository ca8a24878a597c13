import { concat } from '../base/bytes.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import {
  decodeMessages,
  encodeRequest,
  NLM_F_ACK,
  NLMSG_DONE,
  NLMSG_ERROR,
  type NetlinkMessage,
  type NetlinkRequest,
} from '../wire/netlink/message.ts';
import { errnoName } from './errno.ts';
import { closeFd, sendOffLoop } from './ffi.ts';
import { quickLane, slowLane, type Lane } from './lanes.ts';
import { type DumpLimit, NetlinkDumper, NODE_DUMP_LIMIT } from './netlink-dump.ts';
import { type NetlinkFd, openRequests, outcomeError, portIdOf, receive } from './netlink-fd.ts';
import type { SequenceNumbers } from './netlink-sequence.ts';
import type { NetNs } from './netns.ts';

/** Datagrams read in one go: more than this many are not waiting unless somebody floods the socket. */
const DRAIN_MAX = 1024;
/** Requests in one send: their acknowledgements fit into the receive buffer with room to spare. */
const BATCH_MAX = 64;

type Answer = {
  readonly op: string;
  readonly messages: NetlinkMessage[];
  error: SysError | undefined;
  done: boolean;
};

/**
 * rtnetlink in one namespace. Every request is sent from the thread pool, because most wait for the kernel's RTNL
 * lock; the kernel answers inside send(2), so that the answers are there when it returns. Any number of requests may
 * be under way at once: their sequence numbers tell the answers apart. Dumps have a descriptor of their own.
 */
export class NetlinkSocket implements AsyncDisposable {
  readonly #fd: number;
  readonly #sequence: SequenceNumbers;
  readonly #netns: NetNs | undefined;
  readonly #limit: DumpLimit;
  #dumper: NetlinkDumper | undefined;
  readonly #answers = new Map<number, Answer>();
  #underWay = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor({ fd, sequence }: NetlinkFd, netns: NetNs | undefined, limit: DumpLimit) {
    this.#fd = fd;
    this.#sequence = sequence;
    this.#netns = netns;
    this.#limit = limit;
  }

  /**
   * Opened inside `netns`, or in the daemon's own namespace. The namespace stays open until the first dump, which
   * needs a descriptor of its own (most sockets never dump), and as long as dumps may be too long.
   */
  static open(netns?: NetNs, limit: DumpLimit = NODE_DUMP_LIMIT): NetlinkSocket {
    return new NetlinkSocket(inside(netns), netns, limit);
  }

  /** See `portIdOf`; of all but dumps. */
  get portId(): number {
    return portIdOf(this.#fd);
  }

  /** One change. Rejects with SysError, whose detail is the kernel's own sentence. `slow`: waits for RCU. */
  async request(request: NetlinkRequest, lane: 'quick' | 'slow' = 'quick'): Promise<void> {
    const [answer] = await this.#exchange([request], lane === 'slow' ? slowLane : quickLane);
    if (answer?.error !== undefined) throw answer.error;
  }

  /** A question that has one answer, or some; the acknowledgement is not among them. */
  async get(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    const [answer] = await this.#exchange([request], quickLane);
    if (answer?.error !== undefined) throw answer.error;
    return answer?.messages ?? [];
  }

  /** Several changes with one hop to the thread pool, made in order, all of them even if one fails: one outcome each. */
  async batch(requests: readonly NetlinkRequest[]): Promise<readonly (SysError | undefined)[]> {
    const outcomes: (SysError | undefined)[] = [];
    for (let at = 0; at < requests.length; at += BATCH_MAX) {
      const answers = await this.#exchange(requests.slice(at, at + BATCH_MAX), quickLane);
      outcomes.push(...answers.map((answer) => answer.error));
    }
    return outcomes;
  }

  /**
   * A whole table; an error in `emptyOn` means that it is empty. EINTR when it kept changing under the reader, E2BIG when
   * it is longer than the socket's limit.
   */
  async dump(request: NetlinkRequest, emptyOn: readonly string[] = []): Promise<readonly NetlinkMessage[]> {
    try {
      return await this.#whileOpen(request.op, () => {
        const open = (): NetlinkFd => this.#openAgain(request.op);
        this.#dumper ??= new NetlinkDumper(open(), this.#limit, open);
        return this.#dumper.dump(request);
      });
    } catch (error) {
      if (emptyOn.length > 0 && isSysError(error, ...emptyOn)) return [];
      throw error;
    }
  }

  /** Refuses what comes later with EBADF, waits for what is under way, and only then gives the descriptors back. */
  close(): Promise<void> {
    this.#closed ??= this.#closeWhenIdle();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#underWay > 0) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    closeFd(this.#fd);
    this.#dumper?.close();
  }

  async #whileOpen<T>(op: string, work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new SysError(op, 'EBADF', 'the netlink socket is closed');
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#idle?.resolve();
    }
  }

  /** What waited for a dump that was too long may find the socket closed meanwhile, and its namespace too. */
  #openAgain(op: string): NetlinkFd {
    if (this.#closed !== undefined) throw new SysError(op, 'EBADF', 'the netlink socket is closed');
    return inside(this.#netns);
  }

  #exchange(requests: readonly NetlinkRequest[], lane: Lane): Promise<readonly Answer[]> {
    const op = requests[0]?.op ?? 'netlink';
    return this.#whileOpen(op, () => lane.run(() => this.#sendAndCollect(requests)));
  }

  async #sendAndCollect(requests: readonly NetlinkRequest[]): Promise<readonly Answer[]> {
    const sent = requests.map((request) => {
      const seq = this.#sequence.next();
      const answer: Answer = { op: request.op, messages: [], error: undefined, done: false };
      this.#answers.set(seq, answer);
      return { request, seq, answer };
    });
    const bytes = concat(sent.map(({ request, seq }) => encodeRequest(request, seq, NLM_F_ACK)));
    const { result, errno } = await sendOffLoop(this.#fd, bytes, 0);
    if (result >= 0) this.#drain();
    for (const { seq, answer } of sent) {
      this.#answers.delete(seq);
      if (answer.done) continue;
      // An answer that is not there now never comes: the receive buffer was full.
      answer.error =
        result < 0
          ? new SysError(answer.op, errnoName(errno))
          : new SysError(answer.op, 'ENOBUFS', 'the answer was lost');
    }
    return sent.map(({ answer }) => answer);
  }

  #drain(): void {
    for (let count = 0; count < DRAIN_MAX; count++) {
      const received = receive(this.#fd);
      if (received.kind === 'empty') return;
      if (received.kind !== 'datagram') continue;
      const messages = decodeMessages(received.bytes);
      // Without an intact header it cannot be said whose answer it is; its owner reports it as lost.
      if (!messages.ok) continue;
      for (const message of messages.value) this.#file(message);
    }
  }

  #file(message: NetlinkMessage): void {
    const answer = this.#answers.get(message.seq);
    if (answer === undefined) return;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
      answer.error = outcomeError(answer.op, message);
      answer.done = true;
    } else {
      answer.messages.push(message);
    }
  }
}

function inside(netns: NetNs | undefined): NetlinkFd {
  return netns === undefined ? openRequests() : netns.run(openRequests);
}
