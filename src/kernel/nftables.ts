import { concat } from '../base/bytes.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import type { Result } from '../base/result.ts';
import { textAttr, type NetlinkProblem } from '../wire/netlink/attributes.ts';
import {
  decodeMessages,
  encodeRequest,
  NLM_F_ACK,
  NLMSG_ERROR,
  type NetlinkMessage,
  type NetlinkRequest,
  renumber,
} from '../wire/netlink/message.ts';
import {
  countChains,
  isTableAsSpecified,
  nftAttributes,
  type ChainCount,
  type TableDump,
} from '../wire/nftables/compare.ts';
import { BATCH_BEGIN, BATCH_END, nftDump, NFTA_TABLE, nftType } from '../wire/nftables/message.ts';
import { readTable, type SeenTable } from '../wire/nftables/seen-table.ts';
import {
  addTableRequests,
  getTableRequest,
  isSameTable,
  NFTA_SET_ELEM_LIST_SET,
  putTableRequests,
  removeTableRequests,
  type TableName,
  type TableSpec,
} from '../wire/nftables/table.ts';
import { errnoName } from './errno.ts';
import { closeFd, closeOffLoop, sendOffLoop } from './ffi.ts';
import { Lane, quickLane } from './lanes.ts';
import {
  forgetOwnSocket,
  noteOwnSocket,
  openNetfilter,
  ownSocketKey,
  type NetfilterFd,
} from './netfilter-fd.ts';
import { type DumpLimit, NetlinkDumper } from './netlink-dump.ts';
import { outcomeError, receive } from './netlink-fd.ts';
import type { NetNs } from './netns.ts';

/** By then the kernel has destroyed what was deleted: it waits for RCU grace periods, some 10 ms each. */
const DESTROYED_MS = 200;

/** Errors and acknowledgements of one batch: at most one for each of its messages, so far more than there can be. */
const DRAIN_MAX = 4096;

/**
 * nf_tables in one namespace: whole tables put and removed, each as one transaction, and looked at. Everything leaves
 * from the thread pool, closing too: the kernel makes a caller wait for whoever else changes that namespace's rules.
 * An EOPNOTSUPP or EAFNOSUPPORT says that the kernel lacks nf_tables, a family or a hook; it becomes EOPNOTSUPP.
 */
export class Nftables implements AsyncDisposable {
  readonly #socket: NetfilterFd;
  readonly #key: string;
  readonly #dumper: NetlinkDumper;
  /** Dumps and batches share the descriptor, one at a time. */
  readonly #turns = new Lane(1);
  #hasDeleted = false;
  #closed: Promise<void> | undefined;

  private constructor(netns: NetNs | undefined, limit?: DumpLimit) {
    this.#socket = unsupportedAsSuch(() => openNetfilter(netns));
    this.#dumper = new NetlinkDumper(this.#socket, limit);
    this.#key = ownSocketKey(this.#socket.portId, netns);
    noteOwnSocket(this.#key);
  }

  /** Opened inside `netns`, or in the daemon's own namespace; `limit` is of each dump. Throws SysError. */
  static open(netns?: NetNs, limit?: DumpLimit): Nftables {
    return new Nftables(netns, limit);
  }

  /** Makes these tables what they should be, all of them or none; whatever is there of them goes. */
  put(tables: readonly TableSpec[]): Promise<void> {
    const [first, ...others] = tables;
    if (first !== undefined && others.length === 0)
      return this.#transact(keptBatch(puts, first, putTableRequests));
    return this.#transact(encodeBatch(tables.flatMap(putTableRequests)));
  }

  /** False when there is one of this name already. Nothing is deleted, and so nobody waits for that. */
  async add(table: TableSpec): Promise<boolean> {
    try {
      await this.#transact(keptBatch(adds, table, addTableRequests));
      return true;
    } catch (error) {
      if (isSysError(error, 'EEXIST')) return false;
      throw error;
    }
  }

  /** No error for a table that is not there. */
  remove(tables: readonly TableName[]): Promise<void> {
    return this.#transact(encodeBatch(tables.flatMap(removeTableRequests)));
  }

  /** Whether the table is there and just as specified: no rule, set or element more or less. */
  async isAsSpecified(table: TableSpec): Promise<boolean> {
    const sets = await this.#attributes('SET', table, [textAttr(NFTA_TABLE, table.name)]);
    // None: the table is not there, which is what a new pod has. And the elements below would be asked of no set.
    if (sets.length !== table.sets.length) return false;
    const chains = await this.#attributes('CHAIN', table, []);
    const rules = await this.#attributes('RULE', table, [textAttr(NFTA_TABLE, table.name)]);
    const elements = new Map<string, readonly Uint8Array[]>();
    for (const { name } of table.sets.filter((set) => set.elements !== undefined)) {
      const which = [textAttr(NFTA_TABLE, table.name), textAttr(NFTA_SET_ELEM_LIST_SET, name)];
      elements.set(name, await this.#attributes('SETELEM', table, which));
    }
    const dump: TableDump = { sets, chains, rules, elements };
    return orThrow(`compare ${table.family} ${table.name}`, isTableAsSpecified(table, dump));
  }

  /** Whether there is a table of this name, whatever is in it. */
  async has(table: TableName): Promise<boolean> {
    const request = getTableRequest(table);
    return (await this.#whileOpen(request.op, () => quickLane.run(() => this.#get(request)))) !== undefined;
  }

  /** What the kernel tells of a table by its name, however many there are; undefined when there is none. */
  async see(table: TableName): Promise<SeenTable | undefined> {
    const request = getTableRequest(table);
    const answer = await this.#whileOpen(request.op, () => quickLane.run(() => this.#get(request)));
    return answer === undefined ? undefined : orThrow(request.op, readTable(answer.payload));
  }

  /** Whether there is a table of this name, with the same comment and as many chains and sets: at a glance. */
  async isSame(table: TableSpec): Promise<boolean> {
    const request = getTableRequest(table);
    const answer = await this.#whileOpen(request.op, () => quickLane.run(() => this.#get(request)));
    return answer !== undefined && orThrow(request.op, isSameTable(table, answer.payload));
  }

  /** What the counters of a table's chains say; of a table that is not there, nothing. */
  async counters(table: TableName): Promise<readonly ChainCount[]> {
    const rules = await this.#attributes('RULE', table, [textAttr(NFTA_TABLE, table.name)]);
    return orThrow(`read counters of ${table.family} ${table.name}`, countChains(rules));
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    this.#closed ??= this.#turns.run(async () => {
      forgetOwnSocket(this.#key);
      await closeOffLoop(this.#socket.fd);
    });
    return this.#closed;
  }

  /**
   * For one who does not wait, when nothing is under way. Closing waits for the destruction of what was deleted
   * (nft_rcv_nl_event), with a thread for it: so then it comes when that is over.
   */
  closeSoon(): void {
    if (this.#hasDeleted) {
      setTimeout(() => void this.close(), DESTROYED_MS).unref();
      return;
    }
    this.#closed ??= Promise.resolve();
    forgetOwnSocket(this.#key);
    closeFd(this.#socket.fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #whileOpen<T>(op: string, work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) {
      return Promise.reject(new SysError(op, 'EBADF', 'the netfilter socket is closed'));
    }
    return this.#turns.run(work);
  }

  async #attributes(
    what: 'SET' | 'CHAIN' | 'RULE' | 'SETELEM',
    { family, name }: TableName,
    which: readonly Uint8Array[],
  ): Promise<readonly Uint8Array[]> {
    const request = nftDump(`GET${what}`, family, name, which);
    try {
      const messages = await this.#whileOpen(request.op, () => this.#dumper.dump(request));
      return messages
        .filter(({ type }) => type === nftType(`NEW${what}`))
        .map(({ payload }) => nftAttributes(payload));
    } catch (error) {
      if (isSysError(error, 'ENOENT')) return [];
      throw asUnsupported(error);
    }
  }

  #transact(batch: Batch): Promise<void> {
    return this.#whileOpen(batch.op, () => quickLane.run(() => this.#sendBatch(batch)));
  }

  async #sendBatch({ op, bytes, ops, deletes }: Batch): Promise<void> {
    this.#hasDeleted ||= deletes;
    const opOf = new Map(ops.map((name) => [this.#socket.sequence.next(), name]));
    const { result, errno } = await sendOffLoop(this.#socket.fd, renumber(bytes, [...opOf.keys()]), 0);
    const error = result < 0 ? new SysError(op, errnoName(errno)) : this.#firstError(op, opOf);
    if (error === undefined) return;
    // What was made of a refused batch is destroyed in the same way.
    this.#hasDeleted = true;
    throw asUnsupported(error);
  }

  /** The kernel answers inside send(2). After a first failure it goes on to look for others, and does nothing. */
  #firstError(first: string, ops: ReadonlyMap<number, string>): SysError | undefined {
    const answers = this.#drain().filter(({ seq, type }) => type === NLMSG_ERROR && ops.has(seq));
    if (answers.length === 0) return new SysError(first, 'ENOBUFS', 'the answer was lost');
    for (const answer of answers) {
      const error = outcomeError(ops.get(answer.seq) ?? first, answer);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** The one answer to a question that is no dump; undefined for ENOENT. */
  async #get(request: NetlinkRequest): Promise<NetlinkMessage | undefined> {
    const seq = this.#socket.sequence.next();
    const { result, errno } = await sendOffLoop(this.#socket.fd, encodeRequest(request, seq), 0);
    if (result < 0) throw new SysError(request.op, errnoName(errno));
    const answer = this.#drain().find((message) => message.seq === seq);
    if (answer === undefined) throw new SysError(request.op, 'ENOBUFS', 'the answer was lost');
    const error = answer.type === NLMSG_ERROR ? outcomeError(request.op, answer) : undefined;
    if (isSysError(error, 'ENOENT')) return undefined;
    if (error !== undefined) throw asUnsupported(error);
    return answer;
  }

  #drain(): readonly NetlinkMessage[] {
    const messages: NetlinkMessage[] = [];
    for (let count = 0; count < DRAIN_MAX; count++) {
      const received = receive(this.#socket.fd);
      if (received.kind === 'empty') break;
      if (received.kind !== 'datagram') continue;
      const some = decodeMessages(received.bytes);
      if (some.ok) messages.push(...some.value);
    }
    return messages;
  }
}

/** A transaction as bytes, which are the same for every socket but for the sequence numbers. */
type Batch = {
  /** Of its first message. */
  readonly op: string;
  readonly bytes: Uint8Array;
  /** What errors call each of its messages, in order. */
  readonly ops: readonly string[];
  readonly deletes: boolean;
};

function encodeBatch(requests: readonly NetlinkRequest[]): Batch {
  const all = [BATCH_BEGIN, ...requests, BATCH_END];
  const bytes = all.map((request, at) =>
    // One acknowledgement says that there was an answer; what fails answers in any case.
    encodeRequest(request, 0, at === requests.length ? NLM_F_ACK : 0),
  );
  const deletes = requests.some(({ type }) => type === nftType('DELTABLE'));
  return {
    op: requests[0]?.op ?? BATCH_BEGIN.op,
    bytes: concat(bytes),
    ops: all.map(({ op }) => op),
    deletes,
  };
}

/** A pod's table is the same for every pod, and it takes longer to write down than the kernel takes to read it. */
const puts = new WeakMap<TableSpec, Batch>();
const adds = new WeakMap<TableSpec, Batch>();

function keptBatch(
  kept: WeakMap<TableSpec, Batch>,
  table: TableSpec,
  requestsOf: (table: TableSpec) => readonly NetlinkRequest[],
): Batch {
  const batch = kept.get(table) ?? encodeBatch(requestsOf(table));
  kept.set(table, batch);
  return batch;
}

/** What a kernel without nf_tables, without the family or without the hook says. */
const UNSUPPORTED = ['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'EOPNOTSUPP'];

function asUnsupported(error: unknown): unknown {
  if (!isSysError(error, ...UNSUPPORTED)) return error;
  return new SysError(error.op, 'EOPNOTSUPP', error.detail ?? 'the kernel lacks it');
}

function unsupportedAsSuch<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw asUnsupported(error);
  }
}

function orThrow<T>(op: string, result: Result<T, NetlinkProblem>): T {
  if (result.ok) return result.value;
  throw new SysError(op, 'EBADMSG', `${result.error.kind}: ${result.error.what}`);
}
