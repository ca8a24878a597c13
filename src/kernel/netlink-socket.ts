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
import { type CallResult, closeFd, errno, send, sendOffLoop } from './ffi.ts';
import { JoinedCalls } from './joined-calls.ts';
import { type Lane, quickLane, slowLane } from './lanes.ts';
import { rtnlCalls } from './loop-calls.ts';
import { type DumpLimit, NetlinkDumper, NODE_DUMP_LIMIT } from './netlink-dump.ts';
import { type NetlinkFd, openRequests, outcomeError, portIdOf, receive } from './netlink-fd.ts';
import type { SequenceNumbers } from './netlink-sequence.ts';
import type { NetNs } from './netns.ts';

/** Datagrams read in one go: more than this many are not waiting unless somebody floods the socket. */
const DRAIN_MAX = 1024;
/** Requests in one send: their acknowledgements fit into the receive buffer with room to spare. */
const BATCH_MAX = 64;
/** More requests than these are never sent on the loop. */
const ON_LOOP_MAX = 16;
/** Requests of several callers that one thread sends together. None hears its answer before all are done: 0.3 ms each. */
const JOINED_MAX = 8;

/**
 * What a request waits for: the RTNL lock, which is free most of the time; RCU grace periods under that lock; or nothing
 * at all, as those about ids of namespaces (rtnl_register with RTNL_FLAG_DOIT_UNLOCKED).
 */
export type NetlinkWait = 'lock' | 'rcu' | 'nothing';

type Answer = {
  readonly op: string;
  readonly messages: NetlinkMessage[];
  error: SysError | undefined;
  done: boolean;
};

/**
 * rtnetlink in one namespace. Most requests wait for the kernel's RTNL lock: they are sent from the loop where it seems
 * to be free (`LoopCalls`), else from the thread pool. The kernel answers inside send(2), so that the answers are there
 * when it returns. Any number of requests may be under way at once: their sequence numbers tell the answers apart. Dumps
 * have a descriptor of their own.
 */
export class NetlinkSocket implements AsyncDisposable {
  readonly #fd: number;
  readonly #sequence: SequenceNumbers;
  readonly #netns: NetNs | undefined;
  readonly #limit: DumpLimit;
  readonly #protocol: number | undefined;
  #dumper: NetlinkDumper | undefined;
  readonly #joined = new JoinedCalls(JOINED_MAX, (requests: readonly NetlinkRequest[]) =>
    this.#onThread(requests, quickLane),
  );
  readonly #answers = new Map<number, Answer>();
  #underWay = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(
    { fd, sequence }: NetlinkFd,
    netns: NetNs | undefined,
    limit: DumpLimit,
    protocol: number | undefined,
  ) {
    this.#fd = fd;
    this.#sequence = sequence;
    this.#netns = netns;
    this.#limit = limit;
    this.#protocol = protocol;
  }

  /**
   * Opened inside `netns`, or in the daemon's own namespace. The namespace stays open until the first dump, which
   * needs a descriptor of its own (most sockets never dump), and as long as dumps may be too long. `protocol`: another one
   * than NETLINK_ROUTE.
   */
  static open(netns?: NetNs, limit: DumpLimit = NODE_DUMP_LIMIT, protocol?: number): NetlinkSocket {
    return new NetlinkSocket(inside(netns, protocol), netns, limit, protocol);
  }

  /** See `portIdOf`; of all but dumps. */
  get portId(): number {
    return portIdOf(this.#fd);
  }

  /** One change. Rejects with SysError, whose detail is the kernel's own sentence. */
  async request(request: NetlinkRequest, wait: NetlinkWait = 'lock'): Promise<void> {
    const [answer] = await this.#exchange([request], wait);
    if (answer?.error !== undefined) throw answer.error;
  }

  /** A question that has one answer, or some; the acknowledgement is not among them. */
  async get(request: NetlinkRequest, wait: NetlinkWait = 'lock'): Promise<readonly NetlinkMessage[]> {
    const [answer] = await this.#exchange([request], wait);
    if (answer?.error !== undefined) throw answer.error;
    return answer?.messages ?? [];
  }

  /** Several changes by one system call, made in order, all of them even if one fails: one outcome each. */
  async batch(requests: readonly NetlinkRequest[]): Promise<readonly (SysError | undefined)[]> {
    const outcomes: (SysError | undefined)[] = [];
    for (let at = 0; at < requests.length; at += BATCH_MAX) {
      const answers = await this.#exchange(requests.slice(at, at + BATCH_MAX), 'lock');
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
    return inside(this.#netns, this.#protocol);
  }

  #exchange(requests: readonly NetlinkRequest[], wait: NetlinkWait): Promise<readonly Answer[]> {
    const op = requests[0]?.op ?? 'netlink';
    return this.#whileOpen(op, () => {
      if (wait === 'nothing') return this.#sendAndCollect(requests, (bytes) => this.#sendNow(bytes));
      if (wait === 'lock' && requests.length <= ON_LOOP_MAX && rtnlCalls.mayCall) {
        return this.#sendAndCollect(requests, (bytes) => rtnlCalls.here(() => this.#sendNow(bytes)));
      }
      return wait === 'rcu' ? this.#onThread(requests, slowLane) : this.#joined.add(requests);
    });
  }

  #onThread(requests: readonly NetlinkRequest[], lane: Lane): Promise<readonly Answer[]> {
    const sendOff = (bytes: Uint8Array): Promise<CallResult> => sendOffLoop(this.#fd, bytes, 0);
    return rtnlCalls.elsewhere(() => lane.run(() => this.#sendAndCollect(requests, sendOff)));
  }

  #sendNow(bytes: Uint8Array): CallResult {
    const result = send(this.#fd, bytes, bytes.length, 0);
    return { result, errno: result < 0 ? errno() : 0 };
  }

  async #sendAndCollect(
    requests: readonly NetlinkRequest[],
    sendBytes: (bytes: Uint8Array) => CallResult | Promise<CallResult>,
  ): Promise<readonly Answer[]> {
    const sent = requests.map((request) => {
      const seq = this.#sequence.next();
      const answer: Answer = { op: request.op, messages: [], error: undefined, done: false };
      this.#answers.set(seq, answer);
      return { request, seq, answer };
    });
    const bytes = concat(sent.map(({ request, seq }) => encodeRequest(request, seq, NLM_F_ACK)));
    const { result, errno: code } = await sendBytes(bytes);
    if (result >= 0) this.#drain();
    for (const { seq, answer } of sent) {
      this.#answers.delete(seq);
      if (answer.done) continue;
      // An answer that is not there now never comes: the receive buffer was full.
      answer.error =
        result < 0
          ? new SysError(answer.op, errnoName(code))
          : new SysError(answer.op, 'ENOBUFS', 'the answer was lost');
    }
    return sent.map(({ answer }) => answer);
  }

  #drain(): void {
    for (let count = 0; count < DRAIN_MAX && this.#isWaitedFor(); count++) {
      const received = receive(this.#fd);
      if (received.kind === 'empty') return;
      if (received.kind !== 'datagram') continue;
      const messages = decodeMessages(received.bytes);
      // Without an intact header it cannot be said whose answer it is; its owner reports it as lost.
      if (!messages.ok) continue;
      for (const message of messages.value) this.#file(message);
    }
  }

  #isWaitedFor(): boolean {
    return this.#answers.values().some(({ done }) => !done);
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

function inside(netns: NetNs | undefined, protocol: number | undefined): NetlinkFd {
  return netns === undefined ? openRequests(protocol) : netns.run(() => openRequests(protocol));
}
