import { between, type Duration, type Instant } from '../base/time.ts';
import type { Clock } from './ports.ts';

/** What the log says once in a while of each of a few: more of them are somebody's flood, and are not said. */
export class SaidLately {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #every: Duration;
  readonly #most: number;
  readonly #at = new Map<string, Instant>();

  constructor(clock: Pick<Clock, 'now'>, every: Duration, most: number) {
    this.#clock = clock;
    this.#every = every;
    this.#most = most;
  }

  /** Whether it is to be said now; then it counts as said. */
  isNews(what: string): boolean {
    const now = this.#clock.now();
    for (const [said, at] of this.#at) if (between(at, now) >= this.#every) this.#at.delete(said);
    if (this.#at.has(what) || this.#at.size >= this.#most) return false;
    this.#at.set(what, now);
    return true;
  }
}
