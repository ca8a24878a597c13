import { type Duration, later, seconds } from '../../base/time.ts';
import type { HostLink } from './ports.ts';
import type { UplinkRecord } from './record.ts';
import type { RepairBook } from './repairs.ts';
import { planShimSysctls, planUplinkSysctls, type SysctlStep, withSaved } from './sysctls.ts';
import type { HostWorld } from './world.ts';

/** Of forwarding and rp_filter the kernel tells at once (RTM_NEWNETCONF), of the others never: they are read so often. */
const ROUND: Duration = seconds(5);

export interface SysctlOwner {
  mayRepair(item: string): boolean;
  look(): void;
}

/** Keeps the sysctls of one uplink and its shim as they should be. */
export class SysctlKeeper {
  readonly #world: HostWorld;
  readonly #book: RepairBook;
  readonly #owner: SysctlOwner;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(world: HostWorld, book: RepairBook, owner: SysctlOwner) {
    this.#world = world;
    this.#book = book;
    this.#owner = owner;
  }

  /** The record with what `write` will change on the uplink; the same one when it has that already. */
  saving(record: UplinkRecord, uplink: HostLink): UplinkRecord {
    const { kernel, clock } = this.#world;
    const steps = this.#allowed(planUplinkSysctls(kernel, uplink.name));
    return withSaved(kernel, record, steps, { bootId: clock.bootId, index: uplink.index });
  }

  write(uplink: string, shim: string): void {
    const { kernel } = this.#world;
    const steps = [...planUplinkSysctls(kernel, uplink), ...planShimSysctls(kernel, shim)];
    for (const { sysctl, value, item } of this.#allowed(steps)) {
      kernel.writeSysctl(sysctl, value);
      this.#book.note(item);
    }
    this.#book.report();
  }

  #allowed(steps: readonly SysctlStep[]): readonly SysctlStep[] {
    return steps.filter(({ item }) => this.#owner.mayRepair(item));
  }

  /** From now on they are read now and then. */
  watch(uplink: string, shim: string): void {
    this.#cancel?.();
    if (this.#closed) return;
    const { timers, clock, kernel } = this.#world;
    this.#cancel = timers.at(later(clock.now(), ROUND), () => {
      const wrong = [...planShimSysctls(kernel, shim), ...planUplinkSysctls(kernel, uplink)];
      if (wrong.length > 0) this.#owner.look();
      this.watch(uplink, shim);
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }
}
