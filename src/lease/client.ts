import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { err, ok } from '../base/result.ts';
import { between, type Duration, type Instant, seconds } from '../base/time.ts';
import { step, transactionOf } from '../protocol/dhcp4/client.ts';
import { hasEnded, type Lease4 } from '../protocol/dhcp4/lease.ts';
import { lessonOf } from '../protocol/dhcp4/manner.ts';
import type { Source } from '../protocol/dhcp4/source.ts';
import { type Acquisition, type Dhcp4State, heldBy, leaseOf, wakeAt } from '../protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event } from '../protocol/dhcp4/step.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { validFor } from './configuration.ts';
import type { ClientParts } from './client-parts.ts';
import { Exchange, type Listener } from './exchange.ts';
import { LeaseHands } from './hands.ts';
import { nextHop } from './host-release.ts';
import { Installer } from './installer.ts';
import { LOST, type Lost } from './lost.ts';
import { partFrom, type Send } from './parting.ts';
import type { LeaseWorld, LinkSight, PodNamespace } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseRecord } from './record.ts';
import { Sender } from './sender.ts';
import { stepFields } from './step-log.ts';
import { storedState } from './stored.ts';
import { type Acquired, Waiter } from './waiter.ts';

/** A timer that fires so much too late: the machine slept, and all others are late. */
const LATE = seconds(1);

/** Runs the machine of one lease, which decides all: one timer, one `Exchange`, effects in order; `LeaseHands` touch pod and store. */
export class LeaseClient {
  readonly identity: LeaseIdentity;
  readonly #parts: ClientParts;
  readonly #world: LeaseWorld;
  readonly #exchange: Exchange;
  readonly #hands: LeaseHands;
  readonly #installer: Installer;
  readonly #waiter: Waiter;
  readonly #sender: Sender;
  #state: Dhcp4State;
  #cancelTimer: (() => void) | undefined;
  /** What is to be sent once the lease is given up. */
  readonly #parting: Send[] = [];
  /** The account of the search that gave the lease, while somebody waits for it. */
  #known: Acquisition | undefined;
  /** Addresses that were given up because somebody else had them, since a lease was last extended. */
  #conflicts = 0;
  /** `given-up`: a lease that still waits to be applied is not wanted any more. */
  #life: 'running' | 'closed' | 'given-up' = 'running';

  /** `earlier`: what a record of an earlier run says of the interface. */
  constructor(
    parts: ClientParts,
    identity: LeaseIdentity,
    state: Dhcp4State,
    earlier: Pick<LeaseRecord, 'leftovers' | 'adopting' | 'leasedFrom'> = {},
  ) {
    const { world, inbox } = parts;
    this.#parts = parts;
    this.#world = world;
    this.identity = identity;
    this.#state = state;
    const recipient: Listener = {
      xid: () => transactionOf(this.#state),
      deliver: (message, source) => this.#hear(message, source),
      deliverGarbled: () => this.dispatch({ type: 'garbled' }),
    };
    const means = { ...parts, leasedFrom: earlier.leasedFrom };
    this.#exchange = new Exchange(world, inbox, identity, recipient, means);
    this.#hands = new LeaseHands(parts, identity, () => this.record(), earlier.leftovers);
    this.#waiter = new Waiter(world);
    this.#sender = new Sender({ ...parts, exchange: this.#exchange, hands: this.#hands }, identity, {
      state: () => this.#state,
      lives: () => this.#life === 'running',
      isWaitedFor: () => this.#waiter.waiting,
      placeGone: (error) => void this.#waiter.settle(err({ kind: 'send-failed', error })),
      unsent: () => parts.suspect(identity.key),
    });
    const grantee = {
      lives: () => this.#life === 'running',
      conflict: (by: Mac) => this.#conflict(by),
    };
    const tools = { ...parts, hands: this.#hands, waiter: this.#waiter };
    this.#installer = new Installer(tools, identity, grantee, earlier.adopting);
  }

  get state(): Dhcp4State {
    return this.#state;
  }

  /** What the pod uses, or is about to; not one that is still looked at. */
  get lease(): Lease4 | undefined {
    return this.#installer.inUse(leaseOf(this.#state));
  }

  /** Whether nobody else of this node may take the address now. */
  claims(address: Ipv4): boolean {
    return leaseOf(this.#state)?.address.address === address || this.lease?.address.address === address;
  }

  /** Nobody is about to change what the pod has. */
  get settled(): boolean {
    const waits = this.#waiter.waiting || this.#installer.looking;
    return this.#life === 'running' && !waits && !this.#hands.busy;
  }

  record(): LeaseRecord {
    const { leftovers } = this.#hands;
    return {
      ...this.identity,
      state: storedState(this.#state),
      leftovers,
      adopting: this.#installer.present,
      leasedFrom: this.#exchange.server,
    };
  }

  /**
   * Seeks a lease until `deadline` has passed or `signal` aborts; `hint` is wished for. The caller gives back what a
   * failure leaves held.
   */
  async acquire(deadline: Duration, signal: AbortSignal, hint?: Ipv4): Promise<Acquired> {
    const { habits } = this.#parts.notes;
    const lan = this.identity.lan?.name;
    const acquired = await this.#waiter.wait(deadline, signal, {
      begin: () => this.dispatch({ type: 'start', hint, habit: habits.of(lan) }),
      account: () => this.#account,
    });
    if (!acquired.ok && acquired.error.kind === 'no-lease')
      habits.failed(lan, this.identity.config, acquired.error.outcome);
    return acquired;
  }

  /** Goes on with an address that the pod has already. */
  adopt(present: Cidr<Ipv4>): void {
    this.#installer.adopt(present);
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
    const lease = leaseOf(this.#state);
    const { pace } = this.#parts;
    this.#hands.doubtEnd();
    this.#hands.clear();
    if (lease !== undefined && !hasEnded(lease, this.#world.clock.now()) && this.#isObjected(lease)) return;
    if (lease !== undefined) this.#installer.watchAgain(lease);
    if (this.#state.kind === 'init') pace(() => this.dispatch({ type: 'start' }));
    else if ((wakeAt(this.#state) ?? Infinity) > this.#world.clock.now()) this.#arm();
    else this.#catchUp();
  }

  /** What is overdue is so for many leases at once. An address that has ended goes now, what is sent has its turn. */
  #catchUp(): void {
    const lease = leaseOf(this.#state);
    const { pace } = this.#parts;
    if (lease !== undefined && hasEnded(lease, this.#world.clock.now())) {
      this.#state = { kind: 'init', last: lease.address.address, lapsed: true, leftOut: lease.leftOut };
      this.#perform({ type: 'withdraw', lease }, lease);
      this.#armAt(undefined);
      pace(() => this.dispatch({ type: 'start' }));
      return;
    }
    this.#armAt(lease?.times?.expiresAt);
    pace(() => this.dispatch({ type: 'wake' }));
  }

  /** Goes on with an interface that was made again: puts on what the lease gives, and asks, for this may be another network. */
  async relinked(): Promise<void> {
    this.#hands.store();
    const { lease } = this;
    if (lease !== undefined) this.#hands.restore(lease);
    this.#arm();
    await this.#hands.idle();
    // Not the same lease by now, perhaps: it may have been extended, and a FORCERENEW leaves its counter in it.
    const hasIt = lease !== undefined && this.lease?.address.address === lease.address.address;
    if (hasIt && this.#life === 'running') this.#installer.watch(lease, true, true);
    this.#parts.pace(() =>
      this.dispatch(this.#state.kind === 'init' ? { type: 'start' } : { type: 'link-up', verify: true }),
    );
  }

  /** What is on disk is older than what this client was made of. */
  storeNow(): void {
    this.#hands.store();
  }

  /** The pod is connected again, after its link was away or the machine slept. `verify`: this may be another network. */
  reconnected(verify: boolean): void {
    this.dispatch({ type: 'link-up', verify });
    const held = leaseOf(this.#state);
    if (held !== undefined && this.#life === 'running') this.#installer.probeAgain(held);
  }

  /** Does again what the disk or the kernel refused: a restart, or the pod, would go on with what was true before. */
  again(): void {
    this.#hands.again();
  }

  /**
   * Puts back what is missing in the pod: the address, or the routes, which the kernel forgets with a link that is switched
   * off. What begins to be used again is probed (RFC 5227 2.1).
   */
  restore(lost: Lost): void {
    const { lease } = this;
    if (lease === undefined || this.#waiter.waiting) return;
    this.#world.count(`${lost}-restored`);
    this.#world.log.warn({ lease: keyText(this.identity.key), address: lease.address.address }, LOST[lost]);
    this.#hands.restore(lease);
    this.#installer.probeAgain(lease);
  }

  /** What happened since somebody began to wait for the first lease. */
  get #account(): Acquisition | undefined {
    if ('acquisition' in this.#state) return this.#state.acquisition;
    return this.#waiter.waiting ? this.#known : undefined;
  }

  #hear(message: Dhcp4Message, source: Source): void {
    const before = leaseOf(this.#state);
    this.dispatch({ type: 'message', message, source });
    const after = leaseOf(this.#state);
    if (after !== undefined && after !== before) this.#exchange.leasedFrom(source);
  }

  /** One event through the machine, and all that follows from it. Never throws. */
  dispatch(event: Dhcp4Event): void {
    if (this.#life !== 'running' && event.type !== 'release') return;
    const before = this.#state;
    const { clock, random, protect, hmacMd5, log } = this.#world;
    const next = step(this.identity.config, before, event, {
      now: clock.now(),
      random,
      protect,
      hmacMd5,
      objectionTo: (address) => this.#parts.claims.objectionTo(address, this),
      account: this.#account,
    });
    this.#state = next.state;
    if ('acquisition' in before && this.#waiter.waiting) this.#known = before.acquisition;
    log.debug(stepFields(this.identity.key, before, event, next), 'dhcp step');
    if (event.type === 'message')
      this.#parts.notes.heard(this.identity.lan?.name, event.message, next.effects);
    if (leaseOf(before) === undefined && leaseOf(next.state) !== undefined) this.#teach(before);
    for (const effect of next.effects) {
      try {
        this.#perform(effect, leaseOf(before));
      } catch (error) {
        this.#hands.failed(`carry out "${effect.type}"`, error);
      }
    }
    this.#arm();
  }

  /** The next clients on this LAN begin as this one has come to its lease. */
  #teach(before: Dhcp4State): void {
    const lesson = lessonOf(this.identity.config, before, this.#world.clock.now());
    if (lesson !== undefined && !this.#exchange.answeredBeside)
      this.#parts.notes.habits.learned(this.identity.lan?.name, lesson);
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
      case 'turned-down':
      case 'not-accepted':
      case 'unacknowledged':
        notes.noted(lease, effect);
        break;
      case 'refused':
        notes.refused(lease, effect);
        this.#installer.dropPresent();
        break;
      case 'install':
        notes.leased(lease, effect.lease);
        this.#installer.install(effect.lease, effect.replaces);
        break;
      case 'extend':
        this.#world.count('lease-extended');
        this.#conflicts = 0;
        this.#installer.extended(effect.lease);
        this.#hands.extend(before === undefined ? undefined : validFor(before, this.#world.clock.now()));
        break;
      case 'withdraw':
        this.#world.count('lease-withdrawn');
        if (this.#state.kind === 'stopped') this.#installer.end();
        else this.#installer.withdraw(effect.lease);
        break;
      case 'force-renew':
        // Before the REQUEST. Of one that comes while that waits the counter is stored with its ACK.
        if (effect.refusal === undefined && !this.#parts.forced.isWaiting(this)) this.#hands.store();
        this.#parts.forced.judged(this, effect.refusal, effect.source);
        break;
      case 'ipv6-only':
        this.#world.count('ipv6-only');
        this.#installer.dropPresent();
        if (!this.#waiter.settle(ok(undefined))) this.#hands.store();
        break;
    }
  }

  #conflict(by: Mac): void {
    const address = leaseOf(this.#state)?.address.address;
    this.#world.count('address-conflict');
    this.#world.log.warn(
      { lease: keyText(this.identity.key), address, by },
      'another host uses the address: it is declined, another one is asked for in 10 s',
    );
    if (address !== undefined) this.#parts.claims.conflicted(address, this, by);
    this.dispatch({ type: 'conflict', holder: by, earlier: this.#conflicts });
    this.#conflicts += 1;
  }

  /** A record that claims what is spoken for is not taken up: the address goes, and another one is sought. */
  #isObjected({ address: { address }, serverId: server }: Lease4): boolean {
    const objection = this.#parts.claims.objectionTo(address, this);
    if (objection === undefined) return false;
    this.#parts.notes.turnedDown(keyText(this.identity.key), { ...objection, address, server });
    this.dispatch({ type: 'conflict', ...objection });
    return true;
  }

  #send(effect: Send): void {
    if (this.#life === 'given-up') this.#parting.push(effect);
    else this.#sender.send(effect);
  }

  #arm(): void {
    this.#armAt(this.#life === 'running' ? wakeAt(this.#state) : undefined);
    if (transactionOf(this.#state) === undefined) this.#exchange.end();
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
   * RELEASE from the address that is given back, whether the pod has it or not, behind what is under way. Gives why the
   * server may not have heard of it. `linkGoes`: the caller removes the link next. Rejects with SysError if the address stays.
   */
  async giveBack(pod: PodNamespace, linkGoes = false): Promise<string | undefined> {
    const beside = await this.#end('given-up');
    const state = this.#state;
    const held = heldBy(state);
    this.dispatch({ type: 'release' });
    if (held === undefined) return undefined;
    const { index } = this.identity.link;
    if (beside !== undefined && !linkGoes) await pod.removeAddress(index, beside);
    const hop = nextHop({ record: { state }, held });
    const lost = await partFrom(this.#exchange, this.#parting, hop);
    if (lost === undefined) this.#world.count('message-sent');
    if (!linkGoes) await pod.removeAddress(index, held.address);
    return lost;
  }

  /** Without telling the server: the lease goes on, or is given back by other means. */
  async close(): Promise<void> {
    await this.#end('closed');
  }

  /** Gives an address that the pod still has beside the one that the machine holds. */
  async #end(life: 'closed' | 'given-up'): Promise<Cidr<Ipv4> | undefined> {
    if (this.#life === 'running' || life === 'given-up') this.#life = life;
    if (life === 'given-up') this.#hands.drop();
    this.#armAt(undefined);
    this.#waiter.settle(err({ kind: 'cancelled' }));
    const beside = this.#installer.end();
    this.#exchange.close();
    this.#hands.seal();
    await this.#hands.idle();
    return beside;
  }
}
