import { type Cidr, formatCidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { isSysError } from '../base/sys-error.ts';
import { type Duration, type Instant, later, millis, seconds } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { leaseOf } from '../protocol/dhcp4/state.ts';
import { changeOf, configurationOf, prolongationOf, withdrawalOf } from './configuration.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { InterfaceConfiguration, LeaseWorld, PodNamespace } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseKey, type LeaseRecord, MOST_LEFTOVERS } from './record.ts';

/** Each pod is looked at more often than that, also when a look was missed. */
const NEXT_LOOK = seconds(60);
/** Between tries to take a lost address off the interface. */
const INSIST_PAUSES = [millis(100), millis(1000)];
/** Not there for the moment, or for good: that is for the next look at the pod to find out. */
const PLACE_GONE = ['ENODEV', 'ENXIO', 'ENOENT', 'ENOTNS'];

export type HandsParts = {
  readonly world: LeaseWorld;
  /** The pod was not there to be changed. */
  readonly suspect: (key: LeaseKey) => void;
  /** The pod's kernel has announced the address of its lease, once (RFC 5227 2.3 wants it twice). */
  readonly announced: (key: LeaseKey) => void;
};

/**
 * Carries out in the running pod and in the store what the machine of one lease decided, one thing after another. A
 * step that fails is counted and logged, and does not stop the next: resends, renewals and expiry go on.
 */
export class LeaseHands {
  readonly #world: LeaseWorld;
  readonly #identity: LeaseIdentity;
  readonly #record: () => LeaseRecord;
  readonly #suspect: HandsParts['suspect'];
  readonly #announced: HandsParts['announced'];
  #tail: Promise<void> = Promise.resolve();
  #underWay = 0;
  #removing = 0;
  #wanted = true;
  #sealed = false;
  /** The last write failed: what is on disk is older than what is true. */
  #unstored = false;
  /** The kernel may not know when the lease ends now. */
  #unprolonged: boolean;
  /** Addresses of ours that may be on the interface and have to go, by their text. */
  readonly #leftovers = new Map<string, Cidr<Ipv4>>();

  /** `record` gives what is to be stored at that moment; `leftovers` are those of an earlier run. */
  constructor(
    parts: HandsParts,
    identity: LeaseIdentity,
    record: () => LeaseRecord,
    leftovers: readonly Cidr<Ipv4>[] = [],
  ) {
    this.#world = parts.world;
    this.#suspect = parts.suspect;
    this.#announced = parts.announced;
    this.#identity = identity;
    this.#record = record;
    // Whoever made the interface puts the first address on it; only the daemon itself says when that ends.
    this.#unprolonged = !identity.link.owned;
    for (const address of leftovers) this.leave(address);
  }

  /** To be stored with the lease: whoever goes on after the end of this process removes them. */
  get leftovers(): readonly Cidr<Ipv4>[] | undefined {
    return this.#leftovers.size === 0 ? undefined : [...this.#leftovers.values()];
  }

  /** It has to go when something else is put in its place, now or by the next run. */
  leave(address: Cidr<Ipv4>): void {
    if (this.#leftovers.size < MOST_LEFTOVERS) this.#leftovers.set(formatCidr(address), address);
  }

  /** Wanted again, or gone. */
  #forgetLeftovers(addresses: readonly Cidr[]): void {
    for (const address of addresses) this.#leftovers.delete(formatCidr(address));
  }

  /** An address is on its way out of the pod: what is sent without a lease waits for that. */
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

  /** Nothing more is begun; what is under way goes on. */
  seal(): void {
    this.#sealed = true;
  }

  later(what: string, work: () => Promise<void> | void): void {
    if (this.#sealed) return;
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
    if (isSysError(error, ...PLACE_GONE)) this.#suspect(this.#identity.key);
  }

  /** Stores the record as it is then. */
  store(): void {
    this.later('store the lease', () => this.#store());
  }

  /** A lease that was got while the pod runs; `before` is what it replaces there. */
  apply(lease: Lease4, before: Lease4 | undefined): void {
    const { apply } = this.#identity;
    if (before !== undefined) this.leave(before.address);
    this.#forgetLeftovers([lease.address]);
    this.later('store the new lease', () => this.#store());
    this.#change('apply the new lease', (now) => ({
      ...(before === undefined ? configurationOf(lease, apply, now) : changeOf(before, lease, apply, now)),
      removeAddresses: this.leftovers ?? [],
    }));
  }

  /**
   * A lease of which nothing has changed but its end: stored, and told to the kernel. At the next look at the pod, if
   * the end that the kernel knows is far enough away: `left` until then.
   */
  extend(left: Duration | undefined): void {
    this.store();
    if (left === undefined || left > NEXT_LOOK) this.#unprolonged = true;
    else this.#prolong();
  }

  /** An earlier daemon may have stored a lease and died before it told the kernel: done at the next look at the pod. */
  doubtEnd(): void {
    this.#unprolonged = true;
  }

  /** Puts back what somebody took from the pod. */
  restore(lease: Lease4): void {
    this.#forgetLeftovers([lease.address]);
    this.#change('restore the address', (now) => configurationOf(lease, this.#identity.apply, now));
  }

  /**
   * Stores that the lease is lost, then takes its address and routes off the interface. `contested`: somebody else has the
   * address now, and the connections from it are reset before that (RFC 5227 2.4).
   */
  withdraw(lease: Lease4, contested: boolean): void {
    this.leave(lease.address);
    const { address } = lease.address;
    this.#takeOff(withdrawalOf(lease, this.#identity.apply), contested ? address : undefined);
  }

  /** The same for an address of which nothing else is known. */
  withdrawAddress(address: Cidr<Ipv4>): void {
    this.leave(address);
    this.#takeOff({ addresses: [], routes: [], removeAddresses: [address] });
  }

  /** Tells the kernel the end of an address that another DHCP client gave none. */
  limit(address: Cidr<Ipv4>, validFor: Duration): void {
    this.later('give the address an end', () =>
      this.#inPod((pod) => pod.configure(this.#index, { addresses: [address], routes: [], validFor })),
    );
  }

  /** `contested`: an address of which the connections are reset before it goes. */
  #takeOff(change: InterfaceConfiguration, contested?: Ipv4): void {
    this.#removing += 1;
    // First, so that the next run removes what this one could not.
    this.later('store what has to go', () => this.#store());
    this.later('remove the address', async () => {
      try {
        if (contested !== undefined) await this.#resetConnections(contested);
        await this.#insist(change);
        this.#forgetLeftovers(change.removeAddresses ?? []);
        this.#world.changed?.(this.#identity.key);
      } finally {
        this.#removing -= 1;
      }
    });
    this.later('store that it is gone', () => this.#store());
  }

  /** Whatever comes of it: the address goes. */
  async #resetConnections(from: Ipv4): Promise<void> {
    const lease = keyText(this.#identity.key);
    try {
      await this.#inPod(async (pod) => {
        const connections = await pod.resetConnections(from);
        if (connections === 0) return;
        this.#world.count('connections-reset');
        this.#world.log.info(
          { lease, address: from, connections },
          'the connections from an address that another host has were reset',
        );
      });
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#world.count('connections-not-reset');
      this.#world.log.debug({ lease, address: from, error: error.message }, 'connections were not reset');
    }
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
    await this.#inPod((pod) => pod.configure(this.#index, change));
  }

  /** Takes off what has still to go. */
  clear(): void {
    const { leftovers } = this;
    if (leftovers !== undefined) this.#takeOff({ addresses: [], routes: [], removeAddresses: leftovers });
  }

  /** Does again what failed: a write to the disk, the end of the lease, or the removal of an address. */
  again(): void {
    if (this.#leftovers.size > 0) this.clear();
    else if (this.#unstored) this.store();
    if (this.#unprolonged) this.#prolong();
  }

  #change(what: string, changeAt: (now: Instant) => InterfaceConfiguration): void {
    this.later(what, async () => {
      const change = { ...changeAt(this.#world.clock.now()), announce: this.#identity.link.mac };
      // What is not wanted any more is not put there, but what should go still goes.
      const { removeRoutes, removeAddresses } = change;
      const wanted = this.#wanted ? change : { addresses: [], routes: [], removeRoutes, removeAddresses };
      // It would know the end only if all of this went well.
      this.#unprolonged = true;
      await this.#inPod((pod) => pod.configure(this.#index, wanted));
      this.#unprolonged = false;
      this.#world.changed?.(this.#identity.key);
      if (wanted.addresses.length > 0) this.#announced(this.#identity.key);
      if (this.#leftovers.size === 0) return;
      this.#forgetLeftovers(removeAddresses ?? []);
      await this.#store();
    });
  }

  /** The kernel is told when the lease of that moment ends: it takes the address off then, if nobody is there to. */
  #prolong(): void {
    this.later('prolong the address', async () => {
      const lease = leaseOf(this.#record().state);
      this.#unprolonged = this.#wanted && lease !== undefined;
      if (!this.#wanted || lease === undefined) return;
      await this.#inPod(async (pod) => {
        // Not there yet, or taken away. A look at the pod puts it back with its routes; alone it would hide their loss.
        if (!pod.hasAddress(this.#index, lease.address.address)) return;
        await pod.configure(
          this.#index,
          prolongationOf(lease, this.#identity.apply, this.#world.clock.now()),
        );
        this.#unprolonged = false;
      });
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
