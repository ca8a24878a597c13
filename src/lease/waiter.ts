import { err, type Result } from '../base/result.ts';
import type { SysError } from '../base/sys-error.ts';
import { type Duration, later } from '../base/time.ts';
import { describeAcquisition, type Outcome, outcomeOf } from '../protocol/dhcp4/diagnosis.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import type { Acquisition } from '../protocol/dhcp4/state.ts';
import type { LeaseWorld } from './ports.ts';

/** Why an acquisition ended without a lease. */
export type AcquireFailure =
  | { readonly kind: 'no-lease'; readonly outcome: Outcome; readonly text: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'send-failed'; readonly error: SysError };

/** What was got: a lease, or the word of the network that it is IPv6 only (RFC 8925), which is undefined. */
export type Acquired = Result<Lease4 | undefined, AcquireFailure>;

/** The ADD that waits for the first lease of a client, if there is one. */
export class Waiter {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers'>;
  #settle: ((result: Acquired) => void) | undefined;

  constructor(world: Pick<LeaseWorld, 'clock' | 'timers'>) {
    this.#world = world;
  }

  get waiting(): boolean {
    return this.#settle !== undefined;
  }

  /**
   * Until `settle` is called, `deadline` has passed (with a diagnosis from `account` then) or `signal` aborts. `begin` is
   * called once somebody waits.
   */
  async wait(
    deadline: Duration,
    signal: AbortSignal,
    client: { readonly begin: () => void; readonly account: () => Acquisition | undefined },
  ): Promise<Acquired> {
    const { clock, timers } = this.#world;
    const cancelled = (): void => {
      this.settle(err({ kind: 'cancelled' }));
    };
    const cancelDeadline = timers.at(later(clock.now(), deadline), () => {
      this.settle(err(this.#diagnose(client.account())));
    });
    signal.addEventListener('abort', cancelled, { once: true });
    try {
      return await new Promise((resolve) => {
        this.#settle = resolve;
        if (signal.aborted) cancelled();
        else client.begin();
      });
    } finally {
      cancelDeadline();
      signal.removeEventListener('abort', cancelled);
    }
  }

  /** True when somebody was waiting. */
  settle(result: Acquired): boolean {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(result);
    return settle !== undefined;
  }

  #diagnose(account: Acquisition | undefined): AcquireFailure {
    if (account === undefined) return { kind: 'cancelled' };
    return {
      kind: 'no-lease',
      outcome: outcomeOf(account),
      text: describeAcquisition(account, this.#world.clock.now()),
    };
  }
}
