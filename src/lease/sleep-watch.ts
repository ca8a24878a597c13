import { type Duration, millis, seconds } from '../base/time.ts';
import type { Clock } from './ports.ts';

/** The two clocks are read one after the other: what lies between them is no sleep. */
const LEAST = seconds(1);

/**
 * Notices that the machine slept. A laptop that wakes elsewhere may find another network behind the same cable, and hosts may
 * have come meanwhile that nobody heard (RFC 5227 2.1, RFC 2131 3.7).
 */
export class SleepWatch {
  readonly #clock: Pick<Clock, 'slept'>;
  #known: Duration;

  constructor(clock: Pick<Clock, 'slept'>) {
    this.#clock = clock;
    this.#known = clock.slept();
  }

  /** How long the machine slept since this was asked last; undefined: it did not. */
  slept(): Duration | undefined {
    const all = this.#clock.slept();
    const lately = millis(all - this.#known);
    if (lately < LEAST) return undefined;
    this.#known = all;
    return lately;
  }
}
