import { GuardKeeper } from './guard-keeper.ts';
import type { GuardSpec, RuleNotice } from './ports.ts';
import type { Repairs } from './repairs.ts';
import { RuleKeeper, type RulesWanted } from './rule-keeper.ts';
import type { HostWorld } from './world.ts';

/**
 * What keeps service traffic off the LAN: nftables, which sees all of it, and policy rules for what pods send by the
 * shim, which stay when somebody flushes nftables.
 */
export class Barriers {
  readonly #guard: GuardKeeper;
  readonly #rules: RuleKeeper;

  /** `wanted`: what they have to say at that moment. */
  constructor(world: HostWorld, repairs: Repairs, wanted: () => GuardSpec & RulesWanted) {
    this.#guard = new GuardKeeper(world, repairs, wanted);
    this.#rules = new RuleKeeper(world, repairs, wanted);
  }

  /** Why service traffic is not kept off the LAN; undefined when it is. */
  get problem(): string | undefined {
    return this.#guard.problem;
  }

  /** They say what is wanted when this resolves, or there is a problem. `anew`: a device of theirs came back. */
  async ensure(anew = false): Promise<void> {
    await Promise.all([this.#rules.ensure(), this.#guard.ensure(anew)]);
  }

  /** Somebody else changed our tables, or removed them. */
  tablesChanged(): void {
    this.#guard.changed();
  }

  ruleChanged(notice: RuleNotice): void {
    this.#rules.notice(notice);
  }

  /** Notices were lost. */
  changed(): void {
    this.#guard.changed();
    this.#rules.changed();
  }

  /** Leaves them as they are. */
  async close(): Promise<void> {
    await Promise.all([this.#guard.close(), this.#rules.close()]);
  }
}
