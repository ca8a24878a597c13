import type { Mac } from '../base/mac.ts';
import { between, type Instant, later, seconds } from '../base/time.ts';
import type { LeaseClient } from './client.ts';
import type { LeaseWorld, PodLinkChange } from './ports.ts';

/** A link that goes on and off all the time gets its routes back, and is announced to the LAN, once in this time. */
const CALM = seconds(1);

/** What comes of a change of a pod's link. */
export interface PodLinkOwner {
  withMac(mac: Mac): Iterable<LeaseClient>;
  has(client: LeaseClient): boolean;
  /** Its link was removed, or moved to another namespace. */
  gone(client: LeaseClient): void;
  /** It is up again, and has lost all routes but those to its own networks, and all neighbours. */
  upAgain(client: LeaseClient): void;
}

/** Tells from what happens to links in pods' namespaces, and from what the rounds see of them, when a pod has lost something that it should have. */
export class PodLinks {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers'>;
  readonly #owner: PodLinkOwner;
  readonly #down = new WeakSet<LeaseClient>();
  readonly #lastAt = new WeakMap<LeaseClient, Instant>();
  /** Those whose turn is still to come. */
  readonly #due = new Map<LeaseClient, () => void>();

  constructor(world: Pick<LeaseWorld, 'clock' | 'timers'>, owner: PodLinkOwner) {
    this.#world = world;
    this.#owner = owner;
  }

  changed({ index, mac, up, removed }: PodLinkChange): void {
    if (mac === undefined) return;
    for (const client of this.#owner.withMac(mac)) {
      if (client.identity.link.index !== index) continue;
      if (removed) this.#owner.gone(client);
      else this.seen(client, up);
    }
  }

  /** Its link as a look finds it: it may have gone down before anybody listened, or a notice may be missed. */
  seen(client: LeaseClient, up: boolean): void {
    if (!up) this.#down.add(client);
    else if (this.#down.delete(client)) this.#isUpAgain(client);
  }

  #isUpAgain(client: LeaseClient): void {
    if (this.#due.has(client)) return;
    const { clock, timers } = this.#world;
    const lastAt = this.#lastAt.get(client);
    if (lastAt === undefined || between(lastAt, clock.now()) >= CALM) {
      this.#tell(client);
      return;
    }
    const cancel = timers.at(later(lastAt, CALM), () => {
      this.#due.delete(client);
      // Down again: its next coming up is told.
      if (!this.#down.has(client)) this.#tell(client);
    });
    this.#due.set(client, cancel);
  }

  #tell(client: LeaseClient): void {
    if (!this.#owner.has(client)) return;
    this.#lastAt.set(client, this.#world.clock.now());
    this.#owner.upAgain(client);
  }

  close(): void {
    for (const cancel of this.#due.values()) cancel();
    this.#due.clear();
  }
}
