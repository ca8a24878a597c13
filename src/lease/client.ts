import { IPV4_ANY } from '../base/ipv4.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { type Duration, later, millis } from '../base/time.ts';
import { step } from '../protocol/dhcp4/client.ts';
import { describeAcquisition, type Outcome, outcomeOf } from '../protocol/dhcp4/diagnosis.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { type Dhcp4State, heldBy, leaseOf, wakeAt } from '../protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event } from '../protocol/dhcp4/step.ts';
import { emitDhcp4, type Dhcp4Message } from '../wire/dhcp4/message.ts';
import { Exchange, type Hearing } from './exchange.ts';
import type { Inbox } from './inbox.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { InterfaceConfiguration, LeaseWorld, PodNamespace } from './ports.ts';
import { keyText, type LeaseRecord } from './record.ts';

/** A RELEASE that waits for ARP may hold up a DEL this long, no longer. */
const DRAIN_LIMIT = millis(500);

/** Why an acquisition ended without a lease. */
export type AcquireFailure =
  | { readonly kind: 'no-lease'; readonly outcome: Outcome; readonly text: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'send-failed'; readonly error: SysError };

type Identity = Omit<LeaseRecord, 'state'>;
type Send = Extract<Dhcp4Effect, { readonly type: 'send' }>;

/**
 * Runs the protocol machine of one lease: one timer, one socket while an exchange is under way, effects in order.
 * All decisions are the machine's; this is its hands.
 */
export class LeaseClient {
  readonly identity: Identity;
  readonly #world: LeaseWorld;
  readonly #exchange: Exchange;
  #state: Dhcp4State;
  #cancelTimer: (() => void) | undefined;
  #waiting: ((result: Result<Lease4, AcquireFailure>) => void) | undefined;
  /** What is to be sent once the lease is given up, from an address that may have to be put back for it. */
  readonly #parting: Send[] = [];
  /** What touches the pod or the store after the first lease runs one after another. */
  #tail: Promise<void> = Promise.resolve();
  /** Addresses that are on their way out of the pod. */
  #removing = 0;
  /** `given-up`: a lease that still waits to be applied is not wanted any more. */
  #life: 'running' | 'closed' | 'given-up' = 'running';

  constructor(
    world: LeaseWorld,
    inbox: Inbox,
    identity: Identity,
    state: Dhcp4State,
    isCrowded: () => boolean,
  ) {
    this.#world = world;
    this.identity = identity;
    this.#state = state;
    const recipient = {
      xid: () => ('xid' in this.#state ? this.#state.xid : undefined),
      deliver: (message: Dhcp4Message) => this.dispatch({ type: 'message', message }),
      deliverGarbled: () => this.dispatch({ type: 'garbled' }),
    };
    this.#exchange = new Exchange(world, inbox, identity, recipient, isCrowded);
  }

  get state(): Dhcp4State {
    return this.#state;
  }

  get lease(): Lease4 | undefined {
    return leaseOf(this.#state);
  }

  record(): LeaseRecord {
    return { ...this.identity, state: this.#state };
  }

  /** Seeks a lease until `deadline` has passed or `signal` aborts. The caller gives back what a failure leaves held. */
  async acquire(deadline: Duration, signal: AbortSignal): Promise<Result<Lease4, AcquireFailure>> {
    const { clock, timers } = this.#world;
    const cancelled = (): void => {
      this.#settle(err({ kind: 'cancelled' }));
    };
    const cancelDeadline = timers.at(later(clock.now(), deadline), () => {
      this.#settle(err(this.#diagnose()));
    });
    signal.addEventListener('abort', cancelled, { once: true });
    try {
      return await new Promise((resolve) => {
        this.#waiting = resolve;
        if (signal.aborted) cancelled();
        else this.dispatch({ type: 'start' });
      });
    } finally {
      cancelDeadline();
      signal.removeEventListener('abort', cancelled);
    }
  }

  /** Goes on from a stored state: what is overdue is done now. A lease that was lost is sought again. */
  resume(): void {
    if (this.#state.kind === 'init') this.dispatch({ type: 'start' });
    else this.#arm();
  }

  /** One event through the machine, and all that follows from it. Never throws. */
  dispatch(event: Dhcp4Event): void {
    if (this.#life !== 'running' && event.type !== 'release') return;
    const before = this.#state;
    const { clock, random, log } = this.#world;
    const next = step(this.identity.config, before, event, { now: clock.now(), random });
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
        // A fault in one lease must not end the daemon and with it all the others; resends and expiry go on.
        this.#workFailed(`carry out "${effect.type}"`, error);
      }
    }
    this.#arm();
  }

  #perform(effect: Dhcp4Effect, before: Lease4 | undefined): void {
    const count = (event: string): void => this.#world.count(event);
    switch (effect.type) {
      case 'send':
        this.#send(effect);
        break;
      case 'ignore':
        count(`message-ignored:${effect.reason}`);
        break;
      case 'refused':
        count('nak');
        break;
      case 'install':
        count('lease-installed');
        // The first lease belongs to the ADD that waits for it; later ones are applied to the running pod.
        if (!this.#settle(ok(effect.lease))) this.#applyLater(effect.lease, before);
        break;
      case 'extend':
        count('lease-extended');
        this.#later('store the extended lease', () => this.#store());
        break;
      case 'withdraw':
        count('lease-withdrawn');
        if (this.#state.kind !== 'stopped') this.#withdrawLater(effect.lease);
        break;
    }
  }

  /** A message without a source address waits until the lost address is off the interface (RFC 2131 4.1). */
  #send(effect: Send): void {
    if (this.#life === 'given-up') {
      this.#parting.push(effect);
      return;
    }
    if (this.#removing === 0 || effect.via.from !== IPV4_ANY) {
      this.#sendNow(effect);
      return;
    }
    this.#later('send a message', () => {
      const stale = effect.reply && !('xid' in this.#state && this.#state.xid === effect.message.xid);
      if (!stale && this.#life === 'running') this.#sendNow(effect);
      return Promise.resolve();
    });
  }

  #sendNow({ message, via, reply }: Send): void {
    const bytes = emitDhcp4(message);
    this.#world.count('message-sent');
    if (reply) {
      this.#exchange.ask(bytes, via, this.#hearing(), (error) => this.#sendFailed(error));
      return;
    }
    const error = this.#exchange.tell(bytes, via);
    if (error !== undefined) this.#sendFailed(error);
  }

  #sendFailed(error: SysError): void {
    this.#world.count('send-failed');
    const lease = keyText(this.identity.key);
    this.#world.log.warn({ lease, error: error.message }, 'a DHCP message was not sent');
    // A namespace or an interface that is gone ends an acquisition; anything else is what the resends are for.
    if (isSysError(error, 'ENODEV', 'ENXIO', 'ENOENT', 'ENOTNS')) {
      this.#settle(err({ kind: 'send-failed', error }));
    }
  }

  /**
   * The uplink's tap hears the answers. The pod's own socket is listened to where there is no tap, for answers to the
   * leased address, and from the second try on: a server behind a sibling macvlan port is never seen by the tap, but
   * its broadcast reaches the socket.
   */
  #hearing(): Hearing {
    const firstTry = 'tries' in this.#state && this.#state.tries === 1;
    const tapWillDo = this.identity.uplinkIndex !== undefined && firstTry && this.lease === undefined;
    return tapWillDo ? 'tap' : 'socket';
  }

  /** True when somebody was waiting. */
  #settle(result: Result<Lease4, AcquireFailure>): boolean {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(result);
    return waiting !== undefined;
  }

  #diagnose(): AcquireFailure {
    const state = this.#state;
    if (!('acquisition' in state)) return { kind: 'cancelled' };
    return {
      kind: 'no-lease',
      outcome: outcomeOf(state.acquisition),
      text: describeAcquisition(state.acquisition, this.#world.clock.now()),
    };
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const due = this.#life === 'running' ? wakeAt(this.#state) : undefined;
    if (due !== undefined)
      this.#cancelTimer = this.#world.timers.at(due, () => this.dispatch({ type: 'wake' }));
    if (this.#state.kind === 'bound') this.#exchange.end();
  }

  #workFailed(what: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#world.log.warn({ lease: keyText(this.identity.key), error: text }, `could not ${what}`);
    this.#world.count('lease-work-failed');
  }

  #later(what: string, work: () => Promise<void>): void {
    this.#tail = this.#tail.then(work).catch((error: unknown) => this.#workFailed(what, error));
  }

  /** Stored without a lease, it says that one has to be sought. */
  async #store(): Promise<void> {
    const state: Dhcp4State = this.lease === undefined ? { kind: 'init' } : this.#state;
    await this.#world.store.put({ ...this.identity, state });
  }

  #applyLater(lease: Lease4, before: Lease4 | undefined): void {
    this.#later('apply the new lease', async () => {
      if (this.#life === 'given-up') return;
      await this.#store();
      await this.#withPod(async (pod) => {
        const mtu = lease.mtu === before?.mtu ? undefined : await this.#lowerMtu(pod, lease.mtu);
        await pod.configure(this.identity.link.index, { ...configurationOf(lease), mtu });
      });
    });
  }

  /** The interface cannot exceed its uplink, and whoever configured a smaller MTU meant it. */
  async #lowerMtu(pod: PodNamespace, mtu: number | undefined): Promise<number | undefined> {
    const link = await pod.link(this.identity.key.ifname);
    return mtu !== undefined && link !== undefined && mtu < link.mtu ? mtu : undefined;
  }

  #withdrawLater(lease: Lease4): void {
    this.#removing += 1;
    this.#later('remove the address', () =>
      this.#withPod((pod) => pod.removeAddress(this.identity.link.index, lease.address)),
    );
    this.#later('store that the lease is lost', async () => {
      this.#removing -= 1;
      await this.#store();
    });
  }

  async #withPod(work: (pod: PodNamespace) => Promise<void>): Promise<void> {
    const pod = openPodOf(this.#world, this.identity);
    try {
      await work(pod);
    } finally {
      pod.close();
    }
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
    let lost: string | undefined;
    this.#exchange.lend(pod);
    try {
      let failed = this.#part();
      if (failed !== undefined) {
        // There is no such source address: not yet configured, or taken off by somebody.
        await pod.ensureAddress(index, held.address);
        failed = this.#part();
      }
      if (failed !== undefined) lost = failed.message;
      else if (!(await this.#exchange.drain(DRAIN_LIMIT))) lost = 'the server did not answer ARP';
    } catch (error) {
      if (!isSysError(error)) throw error;
      lost = error.message;
    } finally {
      this.#exchange.lend(undefined);
      this.#exchange.end();
    }
    if (!linkGoes) await pod.removeAddress(index, held.address);
    return lost;
  }

  /** Sends what the machine said at the end of its life; undefined when the kernel took it. */
  #part(): SysError | undefined {
    for (const effect of this.#parting) {
      const failed = this.#exchange.tell(emitDhcp4(effect.message), effect.via);
      if (failed !== undefined) return failed;
      this.#world.count('message-sent');
    }
    return undefined;
  }

  /** Stops without telling the server: the lease goes on. What is under way is finished first. */
  async close(): Promise<void> {
    await this.#end('closed');
  }

  async #end(life: 'closed' | 'given-up'): Promise<void> {
    if (this.#life === 'running' || life === 'given-up') this.#life = life;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#settle(err({ kind: 'cancelled' }));
    this.#exchange.end();
    await this.#tail;
  }
}

/** What a lease means for the interface. */
function configurationOf(lease: Lease4): InterfaceConfiguration {
  return {
    addresses: [lease.address],
    routes: lease.routes.map(({ dst, router }) => ({ dst, gateway: router })),
  };
}
