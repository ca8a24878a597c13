import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../base/ipv4.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { between, type Duration, later } from '../base/time.ts';
import { type Dhcp4Effect, type Dhcp4Event, step, wakeAt } from '../protocol/dhcp4/client.ts';
import { describeAcquisition, type Outcome, outcomeOf } from '../protocol/dhcp4/diagnosis.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { type Dhcp4State, leaseOf } from '../protocol/dhcp4/state.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import type { Inbox } from './inbox.ts';
import type { InterfaceConfiguration, LeaseWorld, PodNamespace, UdpPort } from './ports.ts';
import { keyText, type LeaseRecord } from './record.ts';

/** RFC 2131 4.1. */
const SERVER_PORT = 67;

/** Why an acquisition ended without a lease. */
export type AcquireFailure =
  | { readonly kind: 'no-lease'; readonly outcome: Outcome; readonly text: string }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'send-failed'; readonly error: SysError };

/** A link that stands below its address: what a lease means for the interface. */
export function configurationOf(lease: Lease4): InterfaceConfiguration {
  return {
    addresses: [lease.address],
    routes: lease.routes.map(({ dst, router }) => ({ dst, gateway: router })),
    mtu: lease.mtu,
  };
}

type Identity = Omit<LeaseRecord, 'state'>;

/**
 * Runs the protocol machine of one lease: one timer, one socket while an exchange is under way, effects in order.
 * All decisions are the machine's; this is its hands.
 */
export class LeaseClient {
  readonly identity: Identity;
  readonly #world: LeaseWorld;
  readonly #inbox: Inbox;
  #state: Dhcp4State;
  #udp: UdpPort | undefined;
  #listening = false;
  #unregister: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #waiting: ((result: Result<Lease4, AcquireFailure>) => void) | undefined;
  /** What touches the pod or the store after the first lease runs one after another. */
  #tail: Promise<void> = Promise.resolve();

  constructor(world: LeaseWorld, inbox: Inbox, identity: Identity, state: Dhcp4State) {
    this.#world = world;
    this.#inbox = inbox;
    this.identity = identity;
    this.#state = state;
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

  /** Seeks a lease until `deadline` has passed or `signal` aborts. The caller releases what a failure leaves held. */
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

  /** Goes on from a stored state: what is overdue is done now. */
  resume(): void {
    this.#arm();
  }

  /** One event through the machine, and all that follows from it. */
  dispatch(event: Dhcp4Event): void {
    const before = this.#state.kind;
    const { clock, random, log } = this.#world;
    const next = step(this.identity.config, this.#state, event, { now: clock.now(), random });
    this.#state = next.state;
    log.debug(
      {
        lease: keyText(this.identity.key),
        from: before,
        event: event.type,
        to: next.state.kind,
        effects: next.effects.map((effect) => effect.type),
      },
      'dhcp step',
    );
    for (const effect of next.effects) this.#perform(effect);
    this.#arm();
  }

  #perform(effect: Dhcp4Effect): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect);
        break;
      case 'ignore':
        this.#world.count(`message-ignored:${effect.reason}`);
        break;
      case 'refused':
        this.#world.count('nak');
        break;
      case 'install':
        this.#world.count('lease-installed');
        // The first lease belongs to the ADD that waits for it; later ones are applied to the running pod.
        if (!this.#settle(ok(effect.lease))) this.#applyLater(effect.lease);
        break;
      case 'extend':
        this.#world.count('lease-extended');
        this.#later('store the extended lease', () => this.#world.store.put(this.record()));
        break;
      case 'withdraw':
        this.#world.count('lease-withdrawn');
        if (this.#state.kind !== 'stopped') this.#withdrawLater(effect.lease);
        break;
    }
  }

  #send(effect: Dhcp4Effect & { readonly type: 'send' }): void {
    const { via, message, reply } = effect;
    // A socket that waits for answers is bound to no address: a NAK comes as a broadcast (RFC 2131 4.3.2).
    const udp = this.#open(reply ? IPV4_ANY : via.from);
    if (udp instanceof SysError) {
      this.#sendFailed(udp);
      return;
    }
    if (reply) this.#hear(udp);
    const to = via.kind === 'unicast' ? via.to : IPV4_BROADCAST;
    const failed = udp.send(emitDhcp4(message), to, SERVER_PORT);
    if (failed !== undefined) this.#sendFailed(failed);
    else this.#world.count('message-sent');
  }

  /** A namespace or an interface that is gone ends an acquisition at once; anything else is what the resends are for. */
  #sendFailed(error: SysError): void {
    this.#world.count('send-failed');
    this.#world.log.warn(
      { lease: keyText(this.identity.key), error: error.message },
      'a DHCP message was not sent',
    );
    if (isSysError(error, 'ENODEV', 'ENXIO', 'ENOENT', 'ENOTNS'))
      this.#settle(err({ kind: 'send-failed', error }));
  }

  #open(localAddress: Ipv4): UdpPort | SysError {
    if (this.#udp !== undefined && localAddress === IPV4_ANY) return this.#udp;
    this.#closeSocket();
    try {
      const pod = this.#world.openPod(this.identity.netns.path);
      try {
        if (pod.inode !== this.identity.netns.inode) {
          return new SysError(`open ${this.identity.netns.path}`, 'ENOENT', 'another namespace is there now');
        }
        this.#udp = pod.openUdp({ ifname: this.identity.key.ifname, localAddress });
        return this.#udp;
      } finally {
        pod.close();
      }
    } catch (error) {
      if (error instanceof SysError) return error;
      throw error;
    }
  }

  /**
   * The uplink's tap hears the answers. The pod's own socket is listened to where there is no tap, and from the second
   * try on: a server behind a sibling macvlan port is never seen by the tap, but its broadcast reaches the socket.
   */
  #hear(udp: UdpPort): void {
    this.#unregister ??= this.#inbox.register({
      chaddr: this.identity.config.chaddr,
      xid: () => ('xid' in this.#state ? this.#state.xid : undefined),
      deliver: (message) => this.dispatch({ type: 'message', message }),
    });
    const firstTry = 'tries' in this.#state && this.#state.tries === 1;
    const unicast = this.lease !== undefined;
    if (this.#listening || (this.identity.uplinkIndex !== undefined && firstTry && !unicast)) return;
    this.#listening = true;
    udp.onMessage((bytes) => this.#inbox.payload(bytes));
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
    const due = wakeAt(this.#state);
    if (due !== undefined)
      this.#cancelTimer = this.#world.timers.at(due, () => this.dispatch({ type: 'wake' }));
    if (this.#state.kind === 'bound') this.#quiet();
  }

  /** Nothing is expected: no socket, no place in the inbox. A lease that only waits costs a timer. */
  #quiet(): void {
    this.#unregister?.();
    this.#unregister = undefined;
    this.#closeSocket();
  }

  #closeSocket(): void {
    this.#udp?.close();
    this.#udp = undefined;
    this.#listening = false;
  }

  #later(what: string, work: () => Promise<void>): void {
    this.#tail = this.#tail.then(work).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      this.#world.log.warn({ lease: keyText(this.identity.key), error: text }, `could not ${what}`);
      this.#world.count('lease-work-failed');
    });
  }

  #applyLater(lease: Lease4): void {
    this.#later('apply the new lease', async () => {
      await this.#world.store.put(this.record());
      await this.#withPod((pod) => pod.configure(this.identity.link.index, configurationOf(lease)));
    });
  }

  #withdrawLater(lease: Lease4): void {
    this.#later('remove the address', () =>
      this.#withPod((pod) => pod.removeAddress(this.identity.link.index, lease.address)),
    );
  }

  async #withPod(work: (pod: PodNamespace) => Promise<void>): Promise<void> {
    const pod = this.#world.openPod(this.identity.netns.path);
    try {
      if (pod.inode === this.identity.netns.inode) await work(pod);
    } finally {
      pod.close();
    }
  }

  /** Waits until the kernel has sent what was given to it (a RELEASE may wait for ARP), at most `limit`. */
  async drain(limit: Duration): Promise<boolean> {
    const { clock, timers } = this.#world;
    const from = clock.now();
    for (
      let pause = 1;
      this.#udp !== undefined && this.#udp.pendingBytes() > 0;
      pause = Math.min(pause * 2, 20)
    ) {
      if (between(from, clock.now()) > limit) return false;
      const at = later(clock.now(), pause as Duration);
      await new Promise<void>((resolve) => timers.at(at, resolve));
    }
    return true;
  }

  /** Stops without telling the server: the lease goes on. */
  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#settle(err({ kind: 'cancelled' }));
    this.#quiet();
    await this.#tail;
  }
}
