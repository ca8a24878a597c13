import { between, type Instant } from '../base/time.ts';
import type { Clock } from './ports.ts';

/**
 * Messages that leave by the pods' own interfaces beside the uplink. Each is copied to all siblings by the kernel, 0.25 ms
 * with 250 of them: so a burst stays off that way, and a server in a pod is found all the same, one after another.
 */
export const BESIDE_PER_SECOND = 20;
/** Pods that ask their siblings by ARP whether somebody put on their address by hand. A probe costs the same. */
export const SIBLINGS_ASKED_PER_SECOND = 10;

/** How much one second gives back. */
const SECOND_MS = 1000;

/** A bounded number of something in each second, and not more than that at once; who asks in vain does without. */
export class Allowance {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #perSecond: number;
  #left: number;
  #since: Instant;

  constructor(clock: Pick<Clock, 'now'>, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#since = clock.now();
  }

  take(): boolean {
    const now = this.#clock.now();
    const earned = (between(this.#since, now) * this.#perSecond) / SECOND_MS;
    this.#left = Math.min(this.#perSecond, this.#left + earned);
    this.#since = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
