import type { Mac } from '../base/mac.ts';
import { type Instant, later, seconds } from '../base/time.ts';
import {
  FORCE_RENEW_REFUSALS,
  type ForceRenew,
  type ForceRenewRefusal,
} from '../protocol/dhcp4/force-renew.ts';
import type { Dhcp4Event } from '../protocol/dhcp4/step.ts';
import { Allowance } from './allowance.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';
import { SaidLately } from './said-lately.ts';

/**
 * A lease is renewed no more often than that because its server wants it: who can read the nonce on the LAN could have
 * the pods ask it to death. One that comes sooner is obeyed when the time has come, so that no change is missed.
 */
const CALM = seconds(10);
/** FORCERENEWs that are looked at for one lease; a digest costs time, and bogus ones come in floods (RFC 3203 6.1). */
const LOOKED_AT_PER_SECOND = 10;
/** Senders that are named one by one in the log, each for each reason. */
const MOST_NAMED = 16;
/** The same one is named again after so long. */
const NAMED_AGAIN = seconds(600);

/** A client, as far as it is renewed here. */
export interface Renewable {
  readonly identity: LeaseIdentity;
  dispatch(event: Dhcp4Event): void;
}

/** Those whose interface has a MAC address. */
export interface Renewables {
  withMac(mac: Mac): Iterable<Renewable>;
}

export type ForcedWorld = Pick<LeaseWorld, 'clock' | 'timers' | 'log' | 'count'>;

/** Of a client that has heard of a FORCERENEW once. */
type Forced = {
  readonly allowance: Allowance;
  renewedAt: Instant | undefined;
  /** A renewal that was asked for has not had its turn. */
  waiting: boolean;
};

/**
 * Has leases renewed when their server says so (RFC 3203). Whether it is the server that says so is for the machine to
 * decide; here is when: at once for one, in turn for many, and rarely for the same one.
 */
export class ForcedRenewals {
  readonly #world: ForcedWorld;
  readonly #clients: Renewables;
  readonly #pace: (work: () => void) => void;
  /** Goes with the client. */
  readonly #forced = new WeakMap<Renewable, Forced>();
  /** Senders that were named, with the reason. */
  readonly #named: SaidLately;

  /** `pace`: see `ClientParts`. */
  constructor(world: ForcedWorld, clients: Renewables, pace: (work: () => void) => void) {
    this.#world = world;
    this.#clients = clients;
    this.#pace = pace;
    this.#named = new SaidLately(world.clock, NAMED_AGAIN, MOST_NAMED);
  }

  /** A FORCERENEW that an uplink's tap heard; `toMac` is the destination of the frame. */
  hear(heard: ForceRenew, toMac: Mac): void {
    for (const client of this.#clients.withMac(toMac)) {
      if (this.#of(client).allowance.take()) client.dispatch({ type: 'force-renew', heard });
      else this.#world.count('forcerenew:too-many');
    }
  }

  #of(client: Renewable): Forced {
    let forced = this.#forced.get(client);
    if (forced === undefined) {
      const allowance = new Allowance(this.#world.clock, LOOKED_AT_PER_SECOND);
      forced = { allowance, renewedAt: undefined, waiting: false };
      this.#forced.set(client, forced);
    }
    return forced;
  }

  /** Whether a renewal that a server wants has still to have its turn. */
  isWaiting(client: Renewable): boolean {
    return this.#forced.get(client)?.waiting === true;
  }

  /** What a client made of it. */
  judged(client: Renewable, refusal: ForceRenewRefusal | undefined, source: ForceRenew['source']): void {
    const { log } = this.#world;
    this.#world.count(`forcerenew:${refusal ?? 'accepted'}`);
    const lease = keyText(client.identity.key);
    if (refusal === undefined) {
      // What the server has changed by then comes with the same ACK.
      if (this.isWaiting(client)) return;
      log.info({ lease, ...source }, 'the server wants the lease to be renewed (FORCERENEW)');
      this.#renew(client);
    } else if (this.#named.isNews(`${refusal} ${source.address} ${source.mac}`)) {
      const why = FORCE_RENEW_REFUSALS[refusal];
      log.warn({ lease, ...source, why }, 'a FORCERENEW is not obeyed');
    }
  }

  #renew(client: Renewable): void {
    const forced = this.#of(client);
    forced.waiting = true;
    const { clock, timers } = this.#world;
    const now = clock.now();
    const due = forced.renewedAt === undefined ? now : later(forced.renewedAt, CALM);
    const inTurn = (): void =>
      this.#pace(() => {
        forced.waiting = false;
        forced.renewedAt = clock.now();
        client.dispatch({ type: 'renew' });
      });
    if (due <= now) inTurn();
    else timers.at(due, inTurn);
  }
}
