import { isSysError } from '../../base/sys-error.ts';
import { type Duration, millis, seconds } from '../../base/time.ts';
import type { HostWorld } from './world.ts';

/** After a look that failed; doubled each time. */
const FIRST_RETRY: Duration = millis(250);
const LAST_RETRY: Duration = seconds(30);

/** What keeps an uplink's side from being set up: said once, tried again more and more rarely. */
export class Trouble {
  readonly #world: Pick<HostWorld, 'log' | 'count'>;
  #retry: Duration = FIRST_RETRY;
  #problem: string | undefined;

  constructor(world: Pick<HostWorld, 'log' | 'count'>) {
    this.#world = world;
  }

  /** Undefined: all is well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** A look came to its end. */
  over(): void {
    this.#problem = undefined;
    this.#retry = FIRST_RETRY;
  }

  /** Gives the time to wait. A fault on one uplink must not end the daemon, and with it all leases. */
  met(error: unknown, of: { readonly uplink: string; readonly shim: string }): Duration {
    const problem = isSysError(error) ? error.message : unexpected(error);
    if (this.#problem !== problem) {
      const fields = { ...of, error: problem };
      this.#world.log.error(fields, "the node's side of an uplink cannot be set up; it is tried again");
    }
    this.#problem = problem;
    this.#world.count('host-repair-failed');
    const retry = this.#retry;
    this.#retry = millis(Math.min(retry * 2, LAST_RETRY));
    return retry;
  }
}

function unexpected(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
