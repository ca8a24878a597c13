import { type Duration, instant, type Instant, millis } from '../../../src/base/time.ts';
import type { Timers } from '../../../src/lease/ports.ts';

type Timer = { readonly at: number; readonly order: number; callback: (() => void) | undefined };

const START_MS = 5_000_000;

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Virtual time with a heap: weeks of hundreds of pods are millions of timers. */
export class SimTime implements Timers {
  #now = START_MS;
  #order = 0;
  #slept = 0;
  readonly #heap: Timer[] = [];
  /** Timers that fired, for the totals of a run. */
  fired = 0;

  now(): Instant {
    return instant(this.#now);
  }

  slept(): Duration {
    return millis(this.#slept);
  }

  at(at: Instant, callback: () => void): () => void {
    const timer: Timer = { at, order: this.#order++, callback };
    this.#push(timer);
    return () => {
      timer.callback = undefined;
    };
  }

  after(ms: number, callback: () => void): () => void {
    return this.at(instant(this.#now + ms), callback);
  }

  /** Fires what is due within the next `ms`; `settled` is called whenever all that belongs to one moment is done. */
  async run(ms: number, settled: () => void): Promise<void> {
    const until = this.#now + ms;
    await promisesSettled();
    for (let next = this.#peek(); next !== undefined && next.at <= until; next = this.#peek()) {
      if (next.at > this.#now) {
        settled();
        this.#now = next.at;
      }
      this.#pop();
      this.fired += 1;
      next.callback?.();
      await promisesSettled();
    }
    settled();
    this.#now = until;
  }

  /** The machine sleeps: time goes on, timers do not. What is overdue fires with the next `run`, in its order. */
  sleep(ms: number): void {
    this.#now += ms;
    this.#slept += ms;
  }

  #peek(): Timer | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#pop();
    return this.#heap[0];
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !before(timer, parent)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const left = heap[2 * i + 1];
      const right = heap[2 * i + 2];
      if (left === undefined) break;
      const takeRight = right !== undefined && before(right, left);
      const child = takeRight ? right : left;
      if (!before(child, last)) break;
      heap[i] = child;
      i = 2 * i + (takeRight ? 2 : 1);
    }
    heap[i] = last;
  }
}

/** All promise callbacks, however long their chain, come before the event loop's next turn. */
export async function promisesSettled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
