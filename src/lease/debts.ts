import { invariant } from '../base/invariant.ts';
import { type Duration, between, earliest, type Instant, later, millis, seconds } from '../base/time.ts';
import { heldBy, leaseOf } from '../protocol/dhcp4/state.ts';
import type { ArpEars } from './arp-question.ts';
import { DebtRecords } from './debt-records.ts';
import {
  lanOf,
  lookAt,
  nextHop,
  type Owed,
  releaseFromHost,
  type ReleaseOutcome,
  type Siblings,
} from './host-release.ts';
import { Pacer } from './pacer.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseKey, type LeaseRecord } from './record.ts';

/** A node that comes back after a power cut may owe all that it had; a few kilobytes each. */
const MOST_DEBTS = 16_384;
/** Gentle: a server behind a home router answers a few hundred packets a second, and pods that start come first. */
const RELEASES_PER_SECOND = 20;
const FIRST_PAUSE = seconds(30);
/** The kernel takes a namespace apart within a moment: a link that is still there after that is somebody's. */
const FIRST_PAUSE_FOR_LINK = seconds(2);
const LONGEST_PAUSE = seconds(600);
/** Pauses differ by up to this share, so that debts that failed together are not tried together. */
const JITTER_SHARE = 0.25;
/**
 * Sent to nobody in particular, a RELEASE may be lost, so it is sent again: to a server that restarts, or by a port of
 * a switch that forwards nothing for its first 30 s (twice the forward delay of IEEE 802.1D). Then no more to all.
 */
const BLIND_PAUSES = [seconds(2), seconds(8), seconds(32)] as const;
/** For a lease that does not end by itself. */
const PATIENCE = seconds(86_400);
const PACER_KIND = 'release';
const UNCONFIRMED = 'nobody answered ARP on the way to the server; sent to all of the LAN';

/** A lease that is to be released from the host. */
export type Owing = {
  readonly record: LeaseRecord;
  readonly why: string;
  /** The address was taken off the pod's link, which may go on without it. Not kept on disk. */
  readonly takenOff?: boolean;
};

/** A RELEASE that is owed, as it stands. */
export type Debt = {
  readonly record: LeaseRecord;
  readonly since: Instant;
  /** When it is given up: the lease has ended by itself then. */
  readonly until: Instant;
  readonly tries: number;
  /** What the last try failed for. */
  readonly why: string | undefined;
};

type Entry = Owed & {
  readonly text: string;
  readonly since: Instant;
  readonly until: Instant;
  tries: number;
  blind: number;
  why: string | undefined;
  pause: Duration;
  /** The same while the pod's link is still there. */
  pauseForLink: Duration;
  /** `waiting` for its time, `cut-off` for its time or the LAN, `queued` for its turn, `trying`. */
  phase: 'waiting' | 'cut-off' | 'queued' | 'trying';
  /** Ends what the phase has under way. */
  stop: () => void;
};

export type DebtsWorld = Pick<
  LeaseWorld,
  'clock' | 'timers' | 'random' | 'frames' | 'childMacs' | 'protect' | 'store' | 'log' | 'count'
>;

export type DebtsOptions = Siblings & { readonly most?: number };

/**
 * The RELEASEs that are owed to servers, for pods that are gone: tried one after another at a gentle rate, again while
 * the LAN cannot be reached, and given up when the lease has ended anyway. Kept on disk under the name of the
 * attachment, so that a restart or a reboot forgets none.
 */
export class Debts {
  readonly #world: DebtsWorld;
  readonly #ears: ArpEars;
  readonly #siblings: Siblings;
  readonly #most: number;
  readonly #pacer: Pacer;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #records: DebtRecords;
  #closed = false;
  #held = false;

  constructor(world: DebtsWorld, inbox: ArpEars, { most = MOST_DEBTS, ...siblings }: DebtsOptions) {
    this.#world = world;
    this.#ears = inbox;
    this.#siblings = siblings;
    this.#most = most;
    this.#records = new DebtRecords(world);
    this.#pacer = new Pacer(world, { perSecond: RELEASES_PER_SECOND, mostWaiting: most });
  }

  get size(): number {
    return this.#entries.size;
  }

  list(): readonly Debt[] {
    return [...this.#entries.values()].map(({ record, since, until, tries, why }) => {
      return { record, since, until, tries, why };
    });
  }

  recordOf(key: LeaseKey): LeaseRecord | undefined {
    return this.#entries.get(keyText(key))?.record;
  }

  /**
   * Takes over the lease of a pod that is gone, with the state in which it held the lease; the caller has it in his
   * own list no longer. True: its stored record is looked after from now on, and says so on disk, if that is possible,
   * when this returns. False: nothing can be done, or nothing is held; the record is of no use any more. The network
   * is not waited for. Never throws.
   */
  owe(owing: Owing): boolean {
    return this.#take(owing);
  }

  /** Takes up a stored debt of an earlier run. */
  resume(record: LeaseRecord): void {
    if (!this.#take({ record, why: undefined })) this.#records.remove(keyText(record.key), record);
  }

  /** `why` it is owed; undefined for what is on disk already. */
  #take({ why, takenOff, ...from }: Omit<Owing, 'why'> & { readonly why: string | undefined }): boolean {
    const record: LeaseRecord = { ...from.record, owner: 'gone' };
    const text = keyText(record.key);
    const known = this.#entries.get(text);
    if (known !== undefined) this.#drop(known);
    const held = heldBy(record.state);
    if (held === undefined) return false;
    const { address } = held.address;
    const { lan } = record;
    if (lan === undefined) {
      this.#world.count('release-lost');
      this.#world.log.warn(
        { lease: text, address, why },
        'the lease could not be released; the server keeps it until it expires',
      );
      return false;
    }
    if (why !== undefined) {
      this.#world.count('release-owed');
      this.#world.log.info({ lease: text, address, why }, 'a lease is released from the host');
      this.#records.put(text, record);
    }
    if (!this.#closed) this.#add({ record, held, lan, text, takenOff });
    return true;
  }

  #add(owed: Owed & { readonly text: string }): void {
    for (const oldest of this.#entries.values()) {
      if (this.#entries.size < this.#most) break;
      this.#end(oldest, 'release-dropped', 'too many RELEASEs are owed; the oldest is given up');
    }
    const now = this.#world.clock.now();
    const entry: Entry = {
      ...owed,
      since: now,
      until: endOf(owed.record, now, this.#world.clock.bootId),
      tries: 0,
      blind: 0,
      why: undefined,
      pause: FIRST_PAUSE,
      pauseForLink: FIRST_PAUSE_FOR_LINK,
      phase: 'waiting',
      stop: () => undefined,
    };
    this.#entries.set(owed.text, entry);
    this.#due(entry);
  }

  /** Nothing is sent until `begin`: while not all leases are known, nobody can tell what is in use. */
  hold(): void {
    this.#held = true;
  }

  begin(): void {
    if (!this.#held) return;
    this.#held = false;
    for (const entry of this.#entries.values()) if (entry.phase === 'waiting') this.#due(entry);
  }

  /** Its time has come: it waits for its turn, unless it is seen already that it would be in vain. */
  #due(entry: Entry): void {
    if (this.#held) return;
    if (this.#isOver(entry)) return;
    const lan = lanOf(this.#world, entry);
    if (lan.ok) this.#queue(entry);
    else this.#wait(entry, 'cut-off', lan.error);
  }

  #isOver(entry: Entry): boolean {
    if (this.#world.clock.now() < entry.until) return false;
    this.#end(entry, 'release-abandoned', 'a RELEASE that is owed is given up: its time has passed');
    return true;
  }

  #queue(entry: Entry): void {
    const cancel = this.#pacer.add(PACER_KIND, () => void this.#try(entry));
    invariant(cancel !== undefined, 'the pacer has room for all debts');
    entry.phase = 'queued';
    entry.stop = cancel;
  }

  async #try(entry: Entry): Promise<void> {
    if (this.#isOver(entry)) return;
    if (this.#siblings.isInUse(entry.record)) {
      this.#settle(entry, { kind: 'in-use', by: 'this node' });
      return;
    }
    const { abort, signal } = abortion();
    entry.phase = 'trying';
    entry.stop = abort;
    entry.tries += 1;
    const blindly = entry.blind <= BLIND_PAUSES.length;
    let outcome: ReleaseOutcome;
    try {
      outcome = await releaseFromHost(this.#world, this.#ears, entry, this.#siblings, { signal, blindly });
    } catch (error) {
      // A fault in one of them must not end the daemon.
      this.#world.count('release-failed');
      outcome = { kind: 'unreachable', why: error instanceof Error ? error.message : String(error) };
    }
    if (this.#entries.get(entry.text) === entry) this.#settle(entry, outcome);
  }

  #settle(entry: Entry, outcome: ReleaseOutcome): void {
    switch (outcome.kind) {
      case 'sent':
        this.#world.count('message-sent');
        this.#sent(entry, outcome.confirmed);
        break;
      case 'in-use':
        entry.why = `in use by ${outcome.by}`;
        this.#end(entry, 'release-unneeded', 'a lease is not released: somebody has its address or identity');
        break;
      case 'unreachable':
        this.#wait(entry, 'cut-off', outcome.why);
        break;
      case 'still-there':
        this.#outlast(entry, outcome.why);
        break;
      case 'cancelled':
        break;
    }
  }

  #sent(entry: Entry, confirmed: boolean): void {
    if (!confirmed) {
      const pause = BLIND_PAUSES[entry.blind];
      entry.blind += 1;
      if (pause !== undefined) {
        this.#waitFor(pause, entry, 'waiting', UNCONFIRMED);
        return;
      }
      // Nobody knows whether it was heard: from now on it is asked who is there, and sent once there is an answer.
      if (nextHop(entry) !== undefined) {
        this.#wait(entry, 'cut-off', UNCONFIRMED);
        return;
      }
    }
    entry.why = confirmed ? undefined : UNCONFIRMED;
    this.#end(entry, 'release-settled', 'the lease of a pod that is gone was released');
  }

  /** The pod's link is still there: once is no news, for the kernel is slower than a DEL. */
  #outlast(entry: Entry, why: string): void {
    const { pauseForLink } = entry;
    if (entry.why === why && pauseForLink === longer(FIRST_PAUSE_FOR_LINK)) {
      this.#world.count('link-outlives-pod');
      this.#world.log.warn(
        { ...described(entry), why },
        'a lease is not released: the interface of a pod that is gone lives on',
      );
    }
    entry.pauseForLink = longer(pauseForLink);
    this.#waitFor(pauseForLink, entry, 'waiting', why);
  }

  #wait(entry: Entry, phase: 'waiting' | 'cut-off', why: string): void {
    const { pause } = entry;
    entry.pause = longer(pause);
    this.#waitFor(pause, entry, phase, why);
  }

  #waitFor(pause: Duration, entry: Entry, phase: 'waiting' | 'cut-off', why: string): void {
    const { clock, timers, random, log } = this.#world;
    if (entry.why !== why) log.info({ ...described(entry), why }, 'a RELEASE is tried again later');
    entry.why = why;
    entry.phase = phase;
    const factor = 1 + (random() * 2 - 1) * JITTER_SHARE;
    const next = later(clock.now(), millis(pause * factor));
    entry.stop = timers.at(earliest(next, entry.until), () => this.#due(entry));
  }

  /**
   * An interface of the daemon's namespace has a carrier: what could not reach its LAN is tried in its turn. May be
   * called at every change of a link; all the others wait on.
   */
  linkUp(index: number): void {
    const { frames } = this.#world;
    const indexes = new Map<string, number | undefined>();
    for (const entry of this.#entries.values()) {
      const { lan, phase } = entry;
      if (phase !== 'cut-off') continue;
      if (!indexes.has(lan.name)) {
        const seen = lookAt(frames, lan.name);
        indexes.set(lan.name, seen.ok ? seen.value.index : undefined);
      }
      if (indexes.get(lan.name) !== index) continue;
      entry.stop();
      entry.pause = FIRST_PAUSE;
      this.#queue(entry);
    }
  }

  /**
   * The same attachment is added again: what it owed is its own once more. Resolves when nothing of the debt will be
   * written or removed any more; a new record of this attachment is stored after that. Never rejects.
   */
  async forget(key: LeaseKey): Promise<void> {
    const text = keyText(key);
    const entry = this.#entries.get(text);
    if (entry !== undefined) {
      this.#drop(entry);
      this.#records.remove(text, entry.record);
    }
    await this.#records.settled(text);
  }

  #drop(entry: Entry): void {
    entry.stop();
    this.#entries.delete(entry.text);
  }

  #end(entry: Entry, count: string, message: string): void {
    const { log } = this.#world;
    this.#drop(entry);
    this.#world.count(count);
    const fields = { ...described(entry), tries: entry.tries, why: entry.why };
    if (count === 'release-settled') log.info(fields, message);
    else log.warn(fields, message);
    this.#records.remove(entry.text, entry.record);
  }

  /** Nothing more is sent; the records stay for the next run. Resolves when the disk has what it should. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.stop();
    this.#entries.clear();
    this.#pacer.close();
    await this.#records.allSettled();
  }
}

function longer(pause: Duration): Duration {
  return millis(Math.min(pause * 2, LONGEST_PAUSE));
}

function abortion(): { readonly abort: () => void; readonly signal: AbortSignal } {
  const controller = new AbortController();
  return { abort: () => controller.abort(), signal: controller.signal };
}

function described({ text, held, lan }: Entry): object {
  return { lease: text, address: held.address.address, server: held.serverId, lan: lan.name };
}

/**
 * When a lease ends by itself. Instants of another boot mean nothing: how long the machine was off is not known, so
 * its whole length counts from now.
 */
function endOf(record: LeaseRecord, now: Instant, bootId: string): Instant {
  const lease = leaseOf(record.state);
  if (lease?.times === undefined) return later(now, PATIENCE);
  if (record.bootId === bootId) return lease.times.expiresAt;
  return later(now, between(lease.acquiredAt, lease.times.expiresAt));
}
