import { type Cidr, formatCidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { err, ok } from '../base/result.ts';
import { between, type Duration, type Instant, seconds } from '../base/time.ts';
import { step } from '../protocol/dhcp4/client.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { type Dhcp4State, heldBy, leaseOf, wakeAt } from '../protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event } from '../protocol/dhcp4/step.ts';
import { validFor } from './configuration.ts';
import { Exchange, type Listener } from './exchange.ts';
import { AddressGuard, type Checked } from './guard.ts';
import { LeaseHands } from './hands.ts';
import type { Inbox } from './inbox.ts';
import { partFrom, type Send } from './parting.ts';
import type { LeaseWorld, LinkSight, PodNamespace } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseRecord } from './record.ts';
import { Sender } from './sender.ts';
import type { ServerNotes } from './server-notes.ts';
import { storedState } from './stored.ts';
import { type Acquired, Waiter } from './waiter.ts';

/** What all clients of a manager share. */
export type ClientParts = {
  readonly world: LeaseWorld;
  readonly inbox: Inbox;
  readonly notes: ServerNotes;
  /** So many pods that a message costs the kernel more than a hop to another thread costs us. */
  readonly isCrowded: () => boolean;
  /** Does something in its turn, among all that wants to be sent at the same moment. */
  readonly pace: (work: () => void) => void;
};

/** A lease time that many servers give, and the Go client where one gives none. */
const ADOPTION_LIMIT = seconds(3600);
/** A timer that fires so much too late: the machine slept, and all others are as late. */
const LATE = seconds(1);
/** As long as probing in the background takes (RFC 5227 1.1: 1 + 2 * 2 + 2 s), and a little. */
const PROBING = seconds(10);

/**
 * Runs the protocol machine of one lease: one timer, one socket while an exchange is under way, effects in order.
 * All decisions are the machine's; this is its nerves, and `LeaseHands` what touches pod and store.
 */
export class LeaseClient {
  readonly identity: LeaseIdentity;
  readonly #parts: ClientParts;
  readonly #world: LeaseWorld;
  readonly #exchange: Exchange;
  readonly #hands: LeaseHands;
  readonly #guard: AddressGuard;
  readonly #waiter: Waiter;
  readonly #sender: Sender;
  #state: Dhcp4State;
  #cancelTimer: (() => void) | undefined;
  /** What is to be sent once the lease is given up, from an address that may have to be put back for it. */
  readonly #parting: Send[] = [];
  /** An address that the pod has from an earlier life, until the machine has a lease for it. */
  #present: Cidr<Ipv4> | undefined;
  /** Addresses that were given up because somebody else had them, since a lease was last extended. */
  #conflicts = 0;
  /** `given-up`: a lease that still waits to be applied is not wanted any more. */
  #life: 'running' | 'closed' | 'given-up' = 'running';

  /** `earlier`: what a record of an earlier run says of the interface. */
  constructor(
    parts: ClientParts,
    identity: LeaseIdentity,
    state: Dhcp4State,
    earlier: Pick<LeaseRecord, 'leftovers' | 'adopting'> = {},
  ) {
    const { world, inbox, isCrowded } = parts;
    this.#parts = parts;
    this.#world = world;
    this.identity = identity;
    this.#state = state;
    const recipient: Listener = {
      xid: () => ('xid' in this.#state ? this.#state.xid : undefined),
      deliver: (message, source) => this.dispatch({ type: 'message', message, source }),
      deliverGarbled: () => this.dispatch({ type: 'garbled' }),
    };
    this.#exchange = new Exchange(world, inbox, identity, recipient, isCrowded);
    this.#hands = new LeaseHands(world, identity, () => this.record(), earlier.leftovers);
    this.#present = earlier.adopting;
    this.#waiter = new Waiter(world);
    this.#sender = new Sender({ ...parts, exchange: this.#exchange, hands: this.#hands }, identity, {
      state: () => this.#state,
      lives: () => this.#life === 'running',
      isWaitedFor: () => this.#waiter.waiting,
      placeGone: (error) => void this.#waiter.settle(err({ kind: 'send-failed', error })),
    });
    this.#guard = new AddressGuard(world, inbox, identity, (by) => this.#conflict(by));
  }

  get state(): Dhcp4State {
    return this.#state;
  }

  get lease(): Lease4 | undefined {
    return leaseOf(this.#state);
  }

  /** Nobody is about to change what the pod has. */
  get settled(): boolean {
    return this.#life === 'running' && !this.#waiter.waiting && !this.#hands.busy;
  }

  record(): LeaseRecord {
    const { leftovers } = this.#hands;
    return {
      ...this.identity,
      state: storedState(this.#state),
      leftovers,
      adopting: this.#present,
    };
  }

  /**
   * Seeks a lease until `deadline` has passed or `signal` aborts; `hint` is wished for. The caller gives back what a
   * failure leaves held.
   */
  acquire(deadline: Duration, signal: AbortSignal, hint?: Ipv4): Promise<Acquired> {
    return this.#waiter.wait(deadline, signal, {
      begin: () => this.dispatch({ type: 'start', hint }),
      state: () => this.#state,
    });
  }

  /**
   * Goes on with an address that the pod has already. Until a server has confirmed it nobody knows how long it is good
   * for: the kernel takes it away after an hour.
   */
  adopt(present: Cidr<Ipv4>): void {
    this.#present = present;
    this.#hands.limit(present, ADOPTION_LIMIT);
  }

  /** Asks the server for the address that was adopted, and obeys what it says. */
  begin(): void {
    this.dispatch({ type: 'start' });
  }

  /**
   * Goes on from a stored state. What has ended is withdrawn now; what else is overdue is done in its turn.
   * A lease that was lost is sought again.
   */
  resume(): void {
    const { lease } = this;
    const { pace } = this.#parts;
    this.#hands.doubtEnd();
    this.#hands.clear();
    if (lease !== undefined) this.#watch(lease, this.#isNew(lease));
    if (this.#state.kind === 'init') pace(() => this.dispatch({ type: 'start' }));
    else if ((wakeAt(this.#state) ?? Infinity) > this.#world.clock.now()) this.#arm();
    else this.#catchUp();
  }

  /** What is overdue is so for many leases at once. An address that has ended goes now, what is sent has its turn. */
  #catchUp(): void {
    const { lease } = this;
    const { pace } = this.#parts;
    if (lease?.times !== undefined && this.#world.clock.now() >= lease.times.expiresAt) {
      this.#state = { kind: 'init', last: lease.address.address };
      this.#perform({ type: 'withdraw', lease }, lease);
      this.#armAt(undefined);
      pace(() => this.dispatch({ type: 'start' }));
      return;
    }
    this.#armAt(lease?.times?.expiresAt);
    pace(() => this.dispatch({ type: 'wake' }));
  }

  /**
   * Goes on with an interface that was made again in place of one that is gone: stores where the lease is now, puts
   * what it gives onto the interface, then asks the server, for behind the new uplink may be another network.
   */
  async relinked(): Promise<void> {
    this.#hands.store();
    const { lease } = this;
    if (lease !== undefined) this.#hands.restore(lease);
    this.#arm();
    await this.#hands.idle();
    if (lease !== undefined && this.lease === lease && this.#life === 'running') this.#watch(lease, true);
    this.#parts.pace(() =>
      this.dispatch(this.#state.kind === 'init' ? { type: 'start' } : { type: 'link-up', verify: true }),
    );
  }

  /** Does again what the disk or the kernel refused: a restart, or the pod, would go on with what was true before. */
  again(): void {
    this.#hands.again();
  }

  /** The lease as the pod should have it is put back where something of it is missing. */
  restore(): void {
    const { lease } = this;
    if (lease === undefined) return;
    this.#world.count('address-restored');
    this.#world.log.warn(
      { lease: keyText(this.identity.key), address: lease.address.address },
      'the address of a running pod was gone and is put back',
    );
    this.#hands.restore(lease);
  }

  /** One event through the machine, and all that follows from it. Never throws. */
  dispatch(event: Dhcp4Event): void {
    if (this.#life !== 'running' && event.type !== 'release') return;
    const before = this.#state;
    const { clock, random, protect, log } = this.#world;
    const next = step(this.identity.config, before, event, { now: clock.now(), random, protect });
    this.#state = next.state;
    log.debug(
      {
        lease: keyText(this.identity.key),
        from: before.kind,
        event: event.type,
        to: next.state.kind,
        effects: next.effects.map((effect) => effect.type),
      },
      'dhcp step',
    );
    for (const effect of next.effects) {
      try {
        this.#perform(effect, leaseOf(before));
      } catch (error) {
        this.#hands.failed(`carry out "${effect.type}"`, error);
      }
    }
    this.#arm();
  }

  /** `before`: the lease until now. */
  #perform(effect: Dhcp4Effect, before: Lease4 | undefined): void {
    const { notes } = this.#parts;
    const lease = keyText(this.identity.key);
    switch (effect.type) {
      case 'send':
        this.#send(effect);
        break;
      case 'ignore':
        notes.ignored(lease, effect);
        break;
      case 'refused':
        notes.answered(this.identity.lan?.name);
        notes.refused(lease, effect);
        this.#dropPresent();
        break;
      case 'install':
        notes.answered(this.identity.lan?.name);
        notes.leased(lease, effect.lease);
        this.#install(effect.lease, effect.replaces);
        break;
      case 'extend':
        notes.answered(this.identity.lan?.name);
        this.#world.count('lease-extended');
        this.#conflicts = 0;
        this.#hands.extend(before === undefined ? undefined : validFor(before, this.#world.clock.now()));
        break;
      case 'withdraw':
        this.#world.count('lease-withdrawn');
        this.#guard.end();
        if (this.#state.kind !== 'stopped') this.#withdraw(effect.lease);
        break;
      case 'ipv6-only':
        notes.answered(this.identity.lan?.name);
        this.#world.count('ipv6-only');
        this.#dropPresent();
        if (!this.#waiter.settle(ok(undefined))) this.#hands.store();
        break;
    }
  }

  #withdraw(lease: Lease4): void {
    this.#world.log.warn(
      { lease: keyText(this.identity.key), address: lease.address.address },
      'the lease is lost: its address leaves the pod',
    );
    this.#hands.withdraw(lease);
  }

  /** The first lease belongs to the ADD that waits for it; later ones are applied to the running pod. */
  #install(lease: Lease4, replaces: Lease4 | undefined): void {
    if (this.#waiter.waiting && this.identity.conflictCheck === 'before') {
      void this.#checkThenSettle(lease);
      return;
    }
    const moved = lease.address.address !== replaces?.address.address;
    if (!this.#waiter.settle(ok(lease))) {
      if (replaces !== undefined) this.#world.count('lease-changed');
      this.#hands.apply(lease, replaces);
      if (this.#present !== undefined && formatCidr(this.#present) === formatCidr(lease.address)) {
        this.#present = undefined;
      }
      this.#dropPresent();
    }
    if (moved) this.#watch(lease, true);
  }

  async #checkThenSettle(lease: Lease4): Promise<void> {
    let found: Checked = 'free';
    try {
      found = await this.#guard.checkHere(lease.address.address);
    } catch (error) {
      this.#hands.failed('look whether the address is free', error);
    }
    if (this.#life !== 'running' || this.lease !== lease) return;
    if (found === 'free') {
      this.#waiter.settle(ok(lease));
      this.#watch(lease, false);
    } else this.#conflict(found.conflict);
  }

  /** So young that an earlier run may not have come to the end of its probes. */
  #isNew({ acquiredAt }: Lease4): boolean {
    return between(acquiredAt, this.#world.clock.now()) < PROBING;
  }

  #watch(lease: Lease4, probe: boolean): void {
    const { conflictCheck } = this.identity;
    if (conflictCheck !== 'off') this.#guard.watch(lease.address.address, { probe });
  }

  #conflict(by: Mac): void {
    const { lease } = this;
    this.#world.count('address-conflict');
    this.#world.log.warn(
      { lease: keyText(this.identity.key), address: lease?.address.address, by },
      'another host uses the address: it is declined, another one is asked for in 10 s',
    );
    this.dispatch({ type: 'conflict', earlier: this.#conflicts });
    this.#conflicts += 1;
  }

  /** An adopted address that the server does not grant is none. */
  #dropPresent(): void {
    if (this.#present === undefined) return;
    this.#hands.withdrawAddress(this.#present);
    this.#present = undefined;
  }

  #send(effect: Send): void {
    if (this.#life === 'given-up') this.#parting.push(effect);
    else this.#sender.send(effect);
  }

  #arm(): void {
    this.#armAt(this.#life === 'running' ? wakeAt(this.#state) : undefined);
    if (!('xid' in this.#state)) this.#exchange.end();
  }

  #armAt(due: ReturnType<typeof wakeAt>): void {
    this.#cancelTimer?.();
    this.#cancelTimer = due === undefined ? undefined : this.#world.timers.at(due, () => this.#wake(due));
  }

  #wake(due: Instant): void {
    if (between(due, this.#world.clock.now()) < LATE) this.dispatch({ type: 'wake' });
    else this.#catchUp();
  }

  /** The interface as it is now; undefined when it is gone. Throws a SysError when the namespace is. */
  sight(pod: PodNamespace): LinkSight | undefined {
    return pod.sight(this.identity.link.index, this.lease?.address.address);
  }

  /**
   * RELEASE from the address that is given back, which is put on the interface for the moment if it is not there.
   * What is under way is finished first. Gives the reason when the server may not have heard of it. `linkGoes`: the
   * caller removes the link next, and the address with it. Rejects with a SysError when the address cannot be removed.
   */
  async giveBack(pod: PodNamespace, linkGoes = false): Promise<string | undefined> {
    await this.#end('given-up');
    const held = heldBy(this.#state);
    this.dispatch({ type: 'release' });
    if (held === undefined) return undefined;
    const { index } = this.identity.link;
    const lost = await partFrom(pod, this.#exchange, { index, address: held.address }, this.#parting);
    if (lost === undefined) this.#world.count('message-sent');
    if (!linkGoes) await pod.removeAddress(index, held.address);
    return lost;
  }

  /** Stops without telling the server: the lease goes on, or is given back by other means. */
  async close(): Promise<void> {
    await this.#end('closed');
  }

  async #end(life: 'closed' | 'given-up'): Promise<void> {
    if (this.#life === 'running' || life === 'given-up') this.#life = life;
    if (life === 'given-up') this.#hands.drop();
    this.#armAt(undefined);
    this.#waiter.settle(err({ kind: 'cancelled' }));
    this.#guard.end();
    this.#exchange.end();
    this.#hands.seal();
    await this.#hands.idle();
  }
}
