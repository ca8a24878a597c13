import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { isSysError } from '../base/sys-error.ts';
import { later, millis } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { changeOf, configurationOf, withdrawalOf } from './configuration.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { InterfaceConfiguration, LeaseWorld, PodNamespace } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseRecord } from './record.ts';

/** Between tries to take a lost address off the interface. */
const INSIST_PAUSES = [millis(100), millis(1000)];
/** The namespace or the interface is gone, and what was on it went along. */
const PLACE_GONE = ['ENODEV', 'ENXIO', 'ENOENT', 'ENOTNS'];

/**
 * Carries out in the running pod and in the store what the machine of one lease decided, one thing after another. A
 * step that fails is counted and logged, and does not stop the next: resends, renewals and expiry go on.
 */
export class LeaseHands {
  readonly #world: LeaseWorld;
  readonly #identity: LeaseIdentity;
  readonly #record: () => LeaseRecord;
  #tail: Promise<void> = Promise.resolve();
  #underWay = 0;
  #removing = 0;
  #wanted = true;
  /** The last write failed: what is on disk is older than what is true. */
  #unstored = false;
  /** What could not be taken off the interface. */
  #undone: InterfaceConfiguration | undefined;

  /** `record` gives what is to be stored at that moment. */
  constructor(world: LeaseWorld, identity: LeaseIdentity, record: () => LeaseRecord) {
    this.#world = world;
    this.#identity = identity;
    this.#record = record;
  }

  /** An address is on its way out of the pod: what is sent without a source address waits (RFC 2131 4.1). */
  get removing(): boolean {
    return this.#removing > 0;
  }

  get busy(): boolean {
    return this.#underWay > 0;
  }

  /** Resolves when all that was asked for is done. */
  idle(): Promise<void> {
    return this.#tail;
  }

  /** The lease is given up: what still waits to be applied is not applied any more. */
  drop(): void {
    this.#wanted = false;
  }

  later(what: string, work: () => Promise<void> | void): void {
    this.#underWay += 1;
    this.#tail = this.#tail
      .then(work)
      .catch((error: unknown) => this.failed(what, error))
      .finally(() => {
        this.#underWay -= 1;
      });
  }

  /** A fault in one lease must not end the daemon and with it all the others. */
  failed(what: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#world.log.warn({ lease: keyText(this.#identity.key), error: text }, `could not ${what}`);
    this.#world.count('lease-work-failed');
  }

  /** Stores the record as it is then. */
  store(): void {
    this.later('store the lease', () => this.#store());
  }

  /** A lease that was got while the pod runs; `before` is what it replaces there. */
  apply(lease: Lease4, before: Lease4 | undefined): void {
    const { apply } = this.#identity;
    const wanted = before === undefined ? configurationOf(lease, apply) : changeOf(before, lease, apply);
    this.later('store the new lease', () => this.#store());
    this.#change('apply the new lease', { ...wanted, announce: this.#identity.link.mac });
  }

  /** Puts back what somebody took from the pod. */
  restore(lease: Lease4): void {
    const wanted = configurationOf(lease, this.#identity.apply);
    this.#change('restore the address', { ...wanted, announce: this.#identity.link.mac });
  }

  /** Takes a lease's address and routes off the interface, then stores that the lease is lost. */
  withdraw(lease: Lease4): void {
    this.#takeOff(withdrawalOf(lease, this.#identity.apply));
  }

  /** The same for an address of which nothing else is known. */
  withdrawAddress(address: Cidr<Ipv4>): void {
    this.#takeOff({ addresses: [], routes: [], removeAddresses: [address] });
  }

  #takeOff(change: InterfaceConfiguration): void {
    this.#removing += 1;
    this.later('remove the address', () => this.#insist(change));
    this.later('store that the lease is lost', async () => {
      this.#removing -= 1;
      await this.#store();
    });
  }

  /** An address that is lost must go: a kernel that is too busy for it is asked again, then at each look at the pod. */
  async #insist(change: InterfaceConfiguration): Promise<void> {
    const { clock, timers } = this.#world;
    for (const pause of INSIST_PAUSES) {
      try {
        await this.#inPod((pod) => pod.configure(this.#index, change));
        return;
      } catch (error) {
        if (!isSysError(error) || isSysError(error, ...PLACE_GONE)) throw error;
      }
      await new Promise<void>((resolve) => timers.at(later(clock.now(), pause), resolve));
    }
    this.#undone = change;
    await this.#inPod((pod) => pod.configure(this.#index, change));
    this.#undone = undefined;
  }

  /** Does again what failed: a write to the disk, or the removal of an address. */
  again(): void {
    if (this.#unstored) this.store();
    const undone = this.#undone;
    if (undone === undefined) return;
    this.#undone = undefined;
    this.#takeOff(undone);
  }

  #change(what: string, change: InterfaceConfiguration): void {
    this.later(what, async () => {
      // What is not wanted any more is not put there, but what should go still goes.
      const { removeRoutes, removeAddresses } = change;
      const wanted = this.#wanted ? change : { addresses: [], routes: [], removeRoutes, removeAddresses };
      await this.#inPod((pod) => pod.configure(this.#index, wanted));
    });
  }

  get #index(): number {
    return this.#identity.link.index;
  }

  async #inPod(work: (pod: PodNamespace) => Promise<void>): Promise<void> {
    const pod = openPodOf(this.#world, this.#identity);
    try {
      await work(pod);
    } finally {
      pod.close();
    }
  }

  async #store(): Promise<void> {
    if (!this.#wanted) return;
    try {
      await this.#world.store.put(this.#record());
      this.#unstored = false;
    } catch (error) {
      this.#unstored = true;
      this.#world.count('store-failed');
      throw error;
    }
  }
}
