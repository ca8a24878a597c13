import { type ThreadSwitches, threadSwitches } from './thread-switches.ts';

/** Threads make the calls for so long after that; for twice as long when it happens again soon. */
const AWAY_MS = 1000;
const WINDOW_MS = 5;

type Patience = {
  /** A call that took longer waited for somebody, if it had the processor. */
  readonly patienceMs: number;
  /** In five milliseconds no further call after so many of them. */
  readonly shareMs: number;
  /** The longest that threads make the calls before one is tried on the loop. */
  readonly mostAwayMs: number;
};

/** Calls that find the lock free take 0.02 to 0.5 ms (measured), and ADDs one after another need one millisecond of five or less. */
const LOCK: Patience = { patienceMs: 2, shareMs: 2, mostAwayMs: 64_000 };
/**
 * One call in five hundred takes over 2 ms on a disk that others write to. A record costs 0.15 ms more on threads, five
 * hops: so they get it only when the disk is what the loop waits for.
 */
const DISK: Patience = { patienceMs: 5, shareMs: Number.POSITIVE_INFINITY, mostAwayMs: 2000 };

type Means = { readonly now: () => number; readonly switches: () => ThreadSwitches };

const MEANS: Means = { now: () => performance.now(), switches: threadSwitches };

/**
 * Short system calls that may wait for a lock, of which the kernel does not say whether it is free: where they are made. A
 * hop to a thread and back costs more than most of them take, and a call that waits costs all others their turn. So one
 * is made on the loop if no other is under way, which has or wants the lock, if they have not had their share of the
 * loop's time, and if none has waited lately: then somebody else needs the lock, such as a runtime that takes down its own
 * pods.
 */
export class LoopCalls {
  readonly #means: Means;
  readonly #patience: Patience;
  #elsewhere = 0;
  #window = { begun: Number.NEGATIVE_INFINITY, spentMs: 0 };
  #away = { ms: AWAY_MS, until: Number.NEGATIVE_INFINITY };

  constructor(means: Means = MEANS, patience: Patience = LOCK) {
    this.#means = means;
    this.#patience = patience;
  }

  /** Whether the next call may be made on the loop. */
  get mayCall(): boolean {
    if (this.#elsewhere > 0) return false;
    const now = this.#means.now();
    if (now >= this.#window.begun + WINDOW_MS) this.#window = { begun: now, spentMs: 0 };
    return this.#window.spentMs < this.#patience.shareMs && now >= this.#away.until;
  }

  /** Makes it now, on the loop. */
  here<T>(call: () => T): T {
    const { now, switches } = this.#means;
    const before = switches();
    const begun = now();
    const result = call();
    const ended = now();
    this.#window.spentMs += ended - begun;
    if (ended - begun > this.#patience.patienceMs && !isOnlyPreempted(before, switches()))
      this.#goAway(ended);
    return result;
  }

  /** One that is made on a thread; also for those that are known to wait. */
  async elsewhere<T>(call: () => Promise<T>): Promise<T> {
    this.#elsewhere++;
    try {
      return await call();
    } finally {
      this.#elsewhere--;
    }
  }

  #goAway(now: number): void {
    const { ms: before, until } = this.#away;
    const isAgain = now < until + before;
    const next = isAgain ? Math.min(before * 2, this.#patience.mostAwayMs) : AWAY_MS;
    this.#away = { ms: next, until: now + next };
  }
}

/** On a machine with much to do a call takes long too, without a lock that is held. */
function isOnlyPreempted(before: ThreadSwitches, after: ThreadSwitches): boolean {
  return after.waited === before.waited && after.preempted !== before.preempted;
}

/** For calls that may wait for the journal of a file system. */
export const diskCalls = new LoopCalls(MEANS, DISK);

/** Of the whole process, for the RTNL lock is one for the whole machine. */
export const rtnlCalls = new LoopCalls();
