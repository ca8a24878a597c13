import { invariant } from '../base/invariant.ts';
import { between, instant, type Instant, millis } from '../base/time.ts';
import { now } from './clock.ts';
import { type HeapEntry, TimerHeap } from './timer-heap.ts';
import { BoottimeAlarm } from './timerfd.ts';

/** Callbacks per wake-up before sockets get their turn: after a suspend all leases of a node may be overdue at once. */
const CALLBACKS_MAX = 64;
/** And for so long: a renewal takes 0.2 ms, and much more on a machine with much to do. */
const TURN = millis(2);
const NEVER = instant(Number.POSITIVE_INFINITY);

/** What fires once. The real one is a BoottimeAlarm; a test's stands for a clock that jumps. */
export interface Alarm {
  set(at: Instant): void;
  clear(): void;
  /** While referenced it keeps the process alive. */
  ref(): void;
  unref(): void;
  close(): void;
}

export type TimersParts = {
  readonly now: () => Instant;
  readonly openAlarm: (onAlarm: () => void) => Alarm;
  /** Hears what a callback threw; the others are called all the same. */
  readonly onError: (error: unknown) => void;
};

type Entry = HeapEntry & { callback: (() => void) | undefined };

/**
 * Any number of timers on one alarm. The process lives on while one is pending, as with setTimeout, but the clock is
 * CLOCK_BOOTTIME: what came due in a suspend is called right after it.
 */
export class Timers implements Disposable {
  readonly #parts: TimersParts;
  readonly #alarm: Alarm;
  readonly #heap = new TimerHeap<Entry>();
  /** What the alarm is set to. It may be earlier than the first timer, when one was cancelled: that costs a wake-up. */
  #armedFor: Instant = NEVER;
  #order = 0;
  #calling = false;
  #open = true;

  constructor(parts: TimersParts) {
    this.#parts = parts;
    this.#alarm = parts.openAlarm(() => this.#onAlarm());
  }

  /** Calls back once, not before `at` and never within this call; returns what cancels it. */
  readonly at = (at: Instant, callback: () => void): (() => void) => {
    invariant(this.#open, 'the timers are open');
    invariant(!Number.isNaN(at), 'a timer has a time');
    const entry: Entry = { at, order: this.#order++, place: -1, callback };
    if (this.#heap.size === 0) this.#alarm.ref();
    this.#heap.add(entry);
    if (!this.#calling && at < this.#armedFor) this.#arm(at);
    return () => this.#cancel(entry);
  };

  get pending(): number {
    return this.#heap.size;
  }

  /** What is pending is not called any more. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#heap.clear();
    this.#alarm.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #cancel(entry: Entry): void {
    entry.callback = undefined;
    if (this.#heap.remove(entry) && this.#heap.size === 0 && !this.#calling) this.#alarm.unref();
  }

  #arm(at: Instant): void {
    this.#armedFor = at;
    this.#alarm.set(at);
  }

  #onAlarm(): void {
    // Taken out first: what the callbacks set anew, even for now, waits for the next wake-up.
    const begun = this.#parts.now();
    const due = this.#takeDue(begun);
    this.#calling = true;
    for (const [called, entry] of due.entries()) {
      if (called > 0 && this.#open && between(begun, this.#parts.now()) >= TURN) {
        // In their old order: the next turn begins with them.
        for (const left of due.slice(called)) if (left.callback !== undefined) this.#heap.add(left);
        break;
      }
      const { callback } = entry;
      if (callback === undefined || !this.#open) continue;
      entry.callback = undefined;
      try {
        callback();
      } catch (error) {
        this.#parts.onError(error);
      }
    }
    this.#calling = false;
    if (this.#open) this.#armForFirst();
  }

  #takeDue(time: Instant): readonly Entry[] {
    const due: Entry[] = [];
    while (due.length < CALLBACKS_MAX) {
      const first = this.#heap.first();
      if (first === undefined || first.at > time) break;
      this.#heap.remove(first);
      due.push(first);
    }
    return due;
  }

  /** What is overdue beyond the bound makes the alarm come again in the next turn of the loop. */
  #armForFirst(): void {
    const first = this.#heap.first();
    if (first !== undefined) {
      this.#arm(first.at);
      return;
    }
    this.#armedFor = NEVER;
    this.#alarm.clear();
    this.#alarm.unref();
  }
}

/** As for a callback of setTimeout: an 'uncaughtException' of the process. */
function throwLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/** Timers on the machine's own clock: one descriptor for all of them. Throws SysError (EMFILE). */
export function openTimers(onError: (error: unknown) => void = throwLater): Timers {
  return new Timers({ now, openAlarm: (onAlarm) => new BoottimeAlarm(onAlarm), onError });
}
