/** More names than these are never made by the program; a bound, so that no bug fills the memory. */
const MOST_NAMES = 512;

/** Counts what happened, by name: why a packet was dropped, what was sent, what was done. */
export class Counters {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    const before = this.#counts.get(name);
    if (before === undefined && this.#counts.size >= MOST_NAMES) return;
    this.#counts.set(name, (before ?? 0) + 1);
  }

  /** By name, in alphabetical order. */
  snapshot(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}
