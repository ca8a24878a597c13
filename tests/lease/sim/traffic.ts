import assert from 'node:assert/strict';

/** Counts events in sliding windows and remembers the most that any window held. */
export class Traffic {
  readonly #windowsMs: readonly number[];
  readonly #times: number[] = [];
  readonly #heads: number[];
  readonly most: number[];

  constructor(windowsMs: readonly number[]) {
    this.#windowsMs = windowsMs;
    this.#heads = windowsMs.map(() => 0);
    this.most = windowsMs.map(() => 0);
  }

  /** Gives how many there were in each window that ends now. */
  add(now: number): readonly number[] {
    this.#times.push(now);
    const counts = this.#windowsMs.map((window, i) => {
      let head = this.#heads[i] ?? 0;
      while ((this.#times[head] ?? now) <= now - window) head += 1;
      this.#heads[i] = head;
      const count = this.#times.length - head;
      this.most[i] = Math.max(this.most[i] ?? 0, count);
      return count;
    });
    const unused = Math.min(...this.#heads);
    if (unused > 1000) {
      this.#times.splice(0, unused);
      this.#heads.forEach((head, i) => (this.#heads[i] = head - unused));
    }
    return counts;
  }
}

/** Fails when more than `bound` of something were in a window. */
export function assertWithin(counts: readonly number[], bounds: readonly number[], what: string): void {
  counts.forEach((count, i) => {
    const bound = bounds[i] ?? Infinity;
    assert.ok(count <= bound, `${what}: ${count} messages in window ${i}, more than ${bound}`);
  });
}
