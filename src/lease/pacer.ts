import { invariant } from '../base/invariant.ts';
import { type Instant, later, millis } from '../base/time.ts';
import type { LeaseWorld } from './ports.ts';

/** The clock's timers are no finer than a millisecond. */
const MOST_PER_SECOND = 1000;

export type Pace = {
  readonly perSecond: number;
  /** Of one kind; more are refused. */
  readonly mostWaiting: number;
};

/** Must not throw. */
type Work = () => void;

/**
 * Does things one at a time at a bounded rate, from a timer and never within `add`: the first at once, the others as
 * their turn comes. Kinds take turns, so that a thousand of one do not hold up a single one of another; within a kind
 * first come is first served. An empty pacer costs no timer.
 */
export class Pacer {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers'>;
  readonly #pace: Pace;
  /** In the order in which the kinds have their next turn. Sets keep the order in which their members came. */
  readonly #waiting = new Map<string, Set<{ readonly work: Work }>>();
  #nextAt: Instant | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(world: Pick<LeaseWorld, 'clock' | 'timers'>, pace: Pace) {
    invariant(pace.perSecond > 0 && pace.perSecond <= MOST_PER_SECOND, 'a pace that timers can keep');
    this.#world = world;
    this.#pace = pace;
  }

  /** How much waits for its turn, of one kind or of all. */
  waiting(kind?: string): number {
    if (kind !== undefined) return this.#waiting.get(kind)?.size ?? 0;
    let all = 0;
    for (const queue of this.#waiting.values()) all += queue.size;
    return all;
  }

  /** Returns what cancels the work while it waits; undefined when too much of its kind waits, or after `close`. */
  add(kind: string, work: Work): (() => void) | undefined {
    if (this.#closed || this.waiting(kind) >= this.#pace.mostWaiting) return undefined;
    const queue = this.#waiting.get(kind) ?? new Set();
    const job = { work };
    this.#waiting.set(kind, queue.add(job));
    this.#arm();
    return () => {
      if (!queue.delete(job) || queue.size > 0) return;
      if (this.#waiting.get(kind) === queue) this.#waiting.delete(kind);
      this.#arm();
    };
  }

  #arm(): void {
    if (this.#waiting.size === 0) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
      return;
    }
    const now = this.#world.clock.now();
    const at = this.#nextAt === undefined || this.#nextAt < now ? now : this.#nextAt;
    this.#cancelTimer ??= this.#world.timers.at(at, () => this.#turn());
  }

  #turn(): void {
    this.#cancelTimer = undefined;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [kind, queue] = first;
    this.#waiting.delete(kind);
    const [job] = queue;
    if (job !== undefined) queue.delete(job);
    if (queue.size > 0) this.#waiting.set(kind, queue);
    this.#nextAt = later(this.#world.clock.now(), millis(1000 / this.#pace.perSecond));
    // Before the work, which may add more or be wrong.
    this.#arm();
    job?.work();
  }

  /** What waits is forgotten. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#arm();
  }
}
