import assert from 'node:assert/strict';
import { type Duration, instant, type Instant, millis } from '../../../src/base/time.ts';
import type { Clock, Timers } from '../../../src/lease/ports.ts';

type Timer = { readonly at: Instant; readonly callback: () => void };

/** A clock and timers that stand still until they are run. Between two timers, all promises get their turn. */
export class VirtualTime implements Clock, Timers {
  readonly bootId: string;
  #now = instant(5_000_000);
  #slept = 0;
  #timers = new Set<Timer>();

  constructor(bootId: string) {
    this.bootId = bootId;
  }

  now(): Instant {
    return this.#now;
  }

  slept(): Duration {
    return millis(this.#slept);
  }

  /** The machine sleeps: time goes on, timers do not. What is overdue fires with the next `run`, in its order. */
  sleep(ms: number): void {
    this.#now = instant(this.#now + ms);
    this.#slept += ms;
  }

  get pending(): number {
    return this.#timers.size;
  }

  at(at: Instant, callback: () => void): () => void {
    const timer = { at, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.at < next.at) next = timer;
    return next;
  }

  /** Fires all that is due within the next `ms`, then stands at the end of it. */
  async run(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await promisesSettled();
      const next = this.#next();
      if (next === undefined || next.at > until) break;
      this.#fire(next);
    }
    this.#now = instant(until);
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    this.#now = instant(Math.max(this.#now, timer.at));
    timer.callback();
  }

  /** Runs until the promise is settled, and gives its value. Fails when nothing is left that could settle it. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = promise.finally(() => {
      settled = true;
    });
    done.catch(() => undefined);
    for (;;) {
      await promisesSettled();
      if (settled) return done;
      const next = this.#next();
      assert.ok(next !== undefined, 'something is left that may settle the promise');
      this.#fire(next);
    }
  }
}

/** All promise callbacks, however long their chain, come before the event loop's next turn. */
async function promisesSettled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
