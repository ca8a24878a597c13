import { later, millis } from '../base/time.ts';
import type { LeaseClient } from './client.ts';
import type { LeaseWorld } from './ports.ts';

/** Two looks must agree that a pod is gone; the second one comes so soon after the first. */
const SECOND_LOOK = millis(500);
/** A pod of which something is just being done is looked at later; after so many tries by the next round. */
const MOST_TRIES = 4;

/**
 * What a look finds. `there`, or nobody can tell; `missing`: for the first time; `gone`: the lease is given back;
 * `busy`: nobody looked.
 */
export type Seen = 'there' | 'missing' | 'gone' | 'busy';

/** Looks at pods of which something says that they may be gone: at once, and again half a second later. */
export class Suspicions {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers'>;
  readonly #look: (client: LeaseClient) => Seen;
  /** No more than one look in half a second at each of them. */
  readonly #underWay = new Map<LeaseClient, () => void>();

  /** `look` may call `raise` for the same client: that is passed over. */
  constructor(world: Pick<LeaseWorld, 'clock' | 'timers'>, look: (client: LeaseClient) => Seen) {
    this.#world = world;
    this.#look = look;
  }

  /** A message could not be sent, or its link was removed, or it was missed once. `after` half a second or at once. */
  raise(client: LeaseClient, after: 'at-once' | 'half-a-second' = 'at-once'): void {
    if (this.#underWay.has(client)) return;
    this.#lookIn(client, after === 'at-once' ? millis(0) : SECOND_LOOK, MOST_TRIES);
  }

  #lookIn(client: LeaseClient, pause: typeof SECOND_LOOK, triesLeft: number): void {
    const { clock, timers } = this.#world;
    const cancel = timers.at(later(clock.now(), pause), () => {
      const found = this.#look(client);
      const isOpen = found === 'missing' || found === 'busy';
      if (isOpen && triesLeft > 1) this.#lookIn(client, SECOND_LOOK, triesLeft - 1);
      else this.#rest(client);
    });
    this.#underWay.set(client, cancel);
  }

  /** What a look puts right may fail in its turn, and raise the next suspicion. */
  #rest(client: LeaseClient): void {
    const { clock, timers } = this.#world;
    const end = (): void => void this.#underWay.delete(client);
    this.#underWay.set(client, timers.at(later(clock.now(), SECOND_LOOK), end));
  }

  close(): void {
    for (const cancel of this.#underWay.values()) cancel();
    this.#underWay.clear();
  }
}
