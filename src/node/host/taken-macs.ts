import type { Mac } from '../../base/mac.ts';
import { type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';

/** New MAC addresses for the shim one after another, all of them taken: from then on there are pauses between them. */
const MOST_IN_A_ROW = 4;
/** Doubled each time. */
const FIRST_PAUSE: Duration = seconds(1);
const LONGEST_PAUSE: Duration = seconds(60);

/** The MAC addresses of one shim that other interfaces on its device had: two cannot be up with the same there. */
export class TakenMacs {
  #known: Mac | undefined;
  #inARow = 0;
  #pause: Duration = FIRST_PAUSE;
  #notBefore: Instant | undefined;

  /** The shim cannot be up with this one. False: another one is not to be tried yet. */
  take(mac: Mac, now: Instant): boolean {
    if (this.#notBefore !== undefined && now < this.#notBefore) return false;
    this.#known ??= mac;
    this.#inARow += 1;
    if (this.#inARow >= MOST_IN_A_ROW) {
      this.#notBefore = later(now, this.#pause);
      this.#pause = millis(Math.min(this.#pause * 2, LONGEST_PAUSE));
    }
    return true;
  }

  /** The shim is up: gives the address that pods still know, when that is another one. */
  over(): Mac | undefined {
    const known = this.#known;
    this.#known = undefined;
    this.#inARow = 0;
    this.#pause = FIRST_PAUSE;
    this.#notBefore = undefined;
    return known;
  }
}
