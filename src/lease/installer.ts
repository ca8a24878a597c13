import { type Cidr, formatCidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { ok } from '../base/result.ts';
import { between, type Instant, seconds } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { AddressGuard, type Checked, type GuardParts } from './guard.ts';
import type { LeaseHands } from './hands.ts';
import type { Inbox } from './inbox.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';
import type { Strangers } from './strangers.ts';
import type { Waiter } from './waiter.ts';

/** A lease time that many servers give, and the Go client where one gives none. */
const ADOPTION_LIMIT = seconds(3600);
/** As long as probing in the background takes (RFC 5227 1.1: 1 + 2 * 2 + 2 s), and a little. */
const PROBING = seconds(10);
/**
 * What began to probe so lately goes on, and is not begun again: the first of its three probes waits for up to a second, so
 * that at least two are still to come (RFC 5227 1.1). RFC 4436 2.1 has the same damping for links that flap.
 */
const CALM = seconds(1);

export type InstallerParts = {
  readonly world: LeaseWorld;
  readonly inbox: Inbox;
  readonly hands: LeaseHands;
  readonly waiter: Waiter;
  readonly strangers: Strangers;
  readonly siblingsAsked: GuardParts['siblingsAsked'];
};

/** What it needs to know of the client whose leases it installs. */
export interface Grantee {
  /** Not closed and not given up. */
  readonly lives: () => boolean;
  /** Another host has the address that was granted. */
  readonly conflict: (by: Mac) => void;
}

/** A lease that is not in use yet, while it is looked whether another host has its address. */
type Pending = { lease: Lease4; readonly replaces: Lease4 | undefined };

/**
 * What becomes of a lease that a server grants: the address is looked for on the LAN, whoever waits is told, the running
 * pod gets it, and it is looked after. What a running pod gets is looked for first, unless `conflictCheck` is off: nobody
 * waits for it, and the pod itself may have sent the answer.
 */
export class Installer {
  readonly #world: LeaseWorld;
  readonly #identity: LeaseIdentity;
  readonly #hands: LeaseHands;
  readonly #waiter: Waiter;
  readonly #guard: AddressGuard;
  readonly #grantee: Grantee;
  #pending: Pending | undefined;
  #isContested = false;
  /** An address that the pod has from an earlier life, until the machine has a lease for it. */
  #present: Cidr<Ipv4> | undefined;
  /** When probes in the background began last; undefined: not for the address that is watched. */
  #probedAt: Instant | undefined;
  /** The LAN was away while an address was looked for: nobody may have heard that. */
  #askedInVain = false;

  /** `present`: what a record of an earlier run says of it. */
  constructor(
    parts: InstallerParts,
    identity: LeaseIdentity,
    grantee: Grantee,
    present: Cidr<Ipv4> | undefined,
  ) {
    this.#world = parts.world;
    this.#identity = identity;
    this.#hands = parts.hands;
    this.#waiter = parts.waiter;
    this.#grantee = grantee;
    this.#present = present;
    this.#guard = new AddressGuard(parts, identity, (by) => this.#contest(by));
  }

  /** Another host has the address that is in use: it is withdrawn within. */
  #contest(by: Mac): void {
    this.#isContested = true;
    this.#grantee.conflict(by);
    this.#isContested = false;
  }

  get present(): Cidr<Ipv4> | undefined {
    return this.#present;
  }

  /** Of the lease that the machine holds, what the pod may use: what it replaces, while it is looked at. */
  inUse(held: Lease4 | undefined): Lease4 | undefined {
    return this.#pending === undefined ? held : this.#pending.replaces;
  }

  get looking(): boolean {
    return this.#pending !== undefined;
  }

  /**
   * Goes on with an address that the pod has already. Until a server has confirmed it nobody knows how long it is good
   * for: the kernel takes it away after an hour.
   */
  adopt(present: Cidr<Ipv4>): void {
    this.#present = present;
    this.#hands.limit(present, ADOPTION_LIMIT);
  }

  /** The first lease belongs to the ADD that waits for it; later ones are applied to the running pod. */
  install(lease: Lease4, replaced: Lease4 | undefined): void {
    const replaces = this.#pending === undefined ? replaced : this.#pending.replaces;
    if (this.#pending?.lease.address.address === lease.address.address) {
      this.#pending.lease = lease;
      return;
    }
    const wasLooking = this.looking;
    this.#pending = undefined;
    const moved = lease.address.address !== replaces?.address.address;
    // One that the pod has from an earlier life is in use: there is nothing to look for before that.
    const isNew = moved && lease.address.address !== this.#present?.address;
    if (isNew && this.#looksFirst) {
      this.#pending = { lease, replaces };
      // On the disk for whatever stores the record meanwhile.
      if (replaces !== undefined) this.#hands.leave(replaces.address);
      void this.#lookFirst(this.#pending);
      return;
    }
    const announced = this.#isAnnounced;
    this.#use(lease, replaces);
    if (moved || wasLooking) this.watch(lease, true, announced);
  }

  /** Whether the address is announced when it is put on: by a plugin of ours for its pod, and by `LeaseHands`. */
  get #isAnnounced(): boolean {
    return !this.#waiter.waiting || this.#identity.link.owned;
  }

  /** The same lease for longer. */
  extended(lease: Lease4): void {
    if (this.#pending !== undefined) this.#pending.lease = lease;
  }

  get #looksFirst(): boolean {
    const { conflictCheck } = this.#identity;
    return this.#waiter.waiting ? conflictCheck === 'before' : conflictCheck !== 'off';
  }

  async #lookFirst(pending: Pending): Promise<void> {
    this.#askedInVain = false;
    let found: Checked = 'free';
    try {
      found = await this.#guard.checkHere(pending.lease.address.address);
    } catch (error) {
      this.#hands.failed('look whether the address is free', error);
    }
    if (!this.#grantee.lives() || this.#pending !== pending) return;
    if (found !== 'free') {
      this.#grantee.conflict(found.conflict);
      return;
    }
    this.#pending = undefined;
    this.#use(pending.lease, pending.replaces);
    this.watch(pending.lease, this.#askedInVain);
  }

  #use(lease: Lease4, replaces: Lease4 | undefined): void {
    if (this.#waiter.settle(ok(lease))) return;
    if (lease.address.address !== replaces?.address.address) this.#sayMoved(lease, replaces);
    if (replaces !== undefined) this.#world.count('lease-changed');
    this.#hands.apply(lease, replaces);
    if (this.#present !== undefined && formatCidr(this.#present) === formatCidr(lease.address)) {
      this.#present = undefined;
    }
    this.dropPresent();
  }

  /** Whoever finds the pod by its address (Endpoints, DNS, a firewall) does not hear of it otherwise. */
  #sayMoved({ address: { address }, serverId }: Lease4, replaces: Lease4 | undefined): void {
    const before = replaces?.address.address ?? this.#present?.address;
    if (before === address) return;
    this.#world.count('address-changed');
    this.#world.log.warn(
      { lease: keyText(this.#identity.key), before, address, server: serverId },
      'a running pod gets another address',
    );
  }

  /** The lease is lost: what the pod has of it goes, and that is the one before while it was only looked at. */
  withdraw(lease: Lease4): void {
    this.#guard.end();
    const there = this.inUse(lease);
    this.#pending = undefined;
    this.dropPresent();
    if (there === undefined) return;
    this.#world.log.warn(
      { lease: keyText(this.#identity.key), address: there.address.address },
      'the lease is lost: its address leaves the pod',
    );
    this.#hands.withdraw(there, this.#isContested);
  }

  /** An adopted address that the server does not grant is none. */
  dropPresent(): void {
    if (this.#present === undefined) return;
    this.#hands.withdrawAddress(this.#present);
    this.#present = undefined;
  }

  /**
   * Looks after an address that is in use. `probe`: nobody has looked yet whether it is free; `announced`: it is announced
   * by whoever puts it on.
   */
  watch(lease: Lease4, probe: boolean, announced = false): void {
    const { conflictCheck } = this.#identity;
    if (conflictCheck === 'off') return;
    this.#probedAt = probe ? this.#world.clock.now() : undefined;
    this.#guard.watch(lease.address.address, { probe, announced });
  }

  /**
   * The pod is connected again: its address may be another host's by now, and is probed as a new one is (RFC 5227 2.1). It
   * stays in use meanwhile, and who is found to have it is a conflict.
   */
  probeAgain(lease: Lease4): void {
    if (this.looking) {
      this.#askedInVain = true;
      return;
    }
    const { clock } = this.#world;
    if (this.#probedAt !== undefined && between(this.#probedAt, clock.now()) < CALM) return;
    if (this.#identity.conflictCheck !== 'off') this.#world.count('probed-again');
    this.watch(lease, true);
  }

  /** The same for one of an earlier run, which may not have come to the end of its probes. */
  watchAgain(lease: Lease4): void {
    this.watch(lease, between(lease.acquiredAt, this.#world.clock.now()) < PROBING);
  }

  /** Nothing is looked after any more. Gives an address that the pod still has beside what the machine holds. */
  end(): Cidr<Ipv4> | undefined {
    const left = this.#pending?.replaces?.address;
    this.#pending = undefined;
    this.#guard.end();
    return left;
  }
}
