import type { Instant } from '../base/time.ts';

/** What waits for its time. `place` is the heap's own: where it lies, -1 for outside. */
export type HeapEntry = { readonly at: Instant; readonly order: number; place: number };

/** A binary heap, earliest first, equal times in the order in which they came; any entry can be taken out. */
export class TimerHeap<T extends HeapEntry> {
  readonly #entries: T[] = [];

  get size(): number {
    return this.#entries.length;
  }

  first(): T | undefined {
    return this.#entries[0];
  }

  add(entry: T): void {
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  /** False when it is not inside (any more). */
  remove(entry: T): boolean {
    const place = entry.place;
    if (this.#entries[place] !== entry) return false;
    entry.place = -1;
    const last = this.#entries.pop();
    // The last one fills the gap, and goes up or down from there.
    if (last !== undefined && last !== entry) {
      this.#rise(last, place);
      this.#sink(last, last.place);
    }
    return true;
  }

  clear(): void {
    for (const entry of this.#entries) entry.place = -1;
    this.#entries.length = 0;
  }

  #rise(entry: T, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.#entries[above];
      if (other === undefined || !before(entry, other)) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(entry, place);
  }

  #sink(entry: T, from: number): void {
    let place = from;
    for (;;) {
      const left = 2 * place + 1;
      const [one, two] = [this.#entries[left], this.#entries[left + 1]];
      if (one === undefined) break;
      const right = two !== undefined && before(two, one);
      const other = right ? two : one;
      if (!before(other, entry)) break;
      this.#put(other, place);
      place = right ? left + 1 : left;
    }
    this.#put(entry, place);
  }

  #put(entry: T, place: number): void {
    this.#entries[place] = entry;
    entry.place = place;
  }
}

function before(a: HeapEntry, b: HeapEntry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
