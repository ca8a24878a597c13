import { between, type Duration, instant, type Instant, seconds } from '../base/time.ts';
import type { Clock } from './ports.ts';

/** A cable that is back within this time leads to the same network as before. */
const SHORT_ABSENCE = seconds(10);
const LONG_AGO = instant(Number.NEGATIVE_INFINITY);

/** Away, or asleep, for so long that it may be another network now: leases are verified (RFC 2131 3.7). */
export function isLongAbsence(away: Duration): boolean {
  return away > SHORT_ABSENCE;
}

/** How an interface of the daemon's namespace is now. */
export type LanChange = {
  readonly index: number;
  readonly name: string;
  readonly lowerUp: boolean;
  readonly up: boolean;
  readonly removed: boolean;
};

/** Tells from what happens to the node's interfaces when a LAN can be reached again. */
export class Lans {
  readonly #clock: Clock;
  readonly #owner: {
    /** `verify`: away for so long that it may be another network now (RFC 2131 3.7). */
    up(index: number, verify: boolean): void;
    gone(index: number): void;
  };
  readonly #downSince = new Map<number, Instant>();

  constructor(clock: Clock, owner: { up(index: number, verify: boolean): void; gone(index: number): void }) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** A LAN of leases that are taken up, as it is found: how long one without a carrier has been away, nobody knows. */
  found(index: number, isUp: boolean): void {
    if (!isUp && !this.#downSince.has(index)) this.#downSince.set(index, LONG_AGO);
  }

  changed({ index, up, lowerUp, removed }: LanChange): void {
    const since = this.#downSince.get(index);
    if (removed) {
      this.#downSince.delete(index);
      this.#owner.gone(index);
    } else if (!up || !lowerUp) {
      if (since === undefined) this.#downSince.set(index, this.#clock.now());
    } else if (since !== undefined) {
      this.#downSince.delete(index);
      this.#owner.up(index, isLongAbsence(between(since, this.#clock.now())));
    }
  }
}
