import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { onGrain, type Instant, millis } from '../base/time.ts';
import {
  type Acd4Config,
  type Acd4Effect,
  type Acd4Event,
  type Acd4State,
  isConflicting,
  step,
  wakeAt,
} from '../protocol/acd4/machine.ts';
import { type ArpPacket, emitArpToAll } from '../wire/arp.ts';
import type { Allowance } from './allowance.ts';
import type { Inbox } from './inbox.ts';
import { OwnInterfaces } from './own-interfaces.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { ArpPort, LeaseWorld, PodNamespace } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';
import type { Strangers } from './strangers.ts';

/**
 * Probes in the background may be so late: for those of pods that came together the loop wakes up once. How far apart they
 * are is random by seconds (RFC 5227 2.1.1), also among the pods of a node.
 */
const GRAIN = millis(50);

/** What a check found. */
export type Checked = 'free' | { readonly conflict: Mac };

type World = Pick<LeaseWorld, 'clock' | 'timers' | 'random' | 'log' | 'openPod' | 'frames' | 'count'>;

export type GuardParts = {
  readonly world: World;
  readonly inbox: Pick<Inbox, 'watchClaims'>;
  readonly strangers: Pick<Strangers, 'areOn'>;
  /** How often pods ask their siblings, where nobody waits for it. */
  readonly siblingsAsked: Pick<Allowance, 'take'>;
};

/** One address that is looked after: from `check` or `watch` to the next of them, a conflict or the end. */
type Watch = {
  readonly address: Ipv4;
  readonly unwatch: (() => void) | undefined;
  /** A namespace that somebody has open anyway; else it is opened by its path. */
  readonly pod: PodNamespace | undefined;
  /** Where the outcome goes. */
  readonly done: (found: Checked) => void;
  state: Acd4State;
  port: ArpPort | undefined;
  hasAskedSiblings: boolean;
  /** It is looked whether who claims the address is the pod itself: further packets are not heard meanwhile. */
  isLooking: boolean;
  cancelTimer: (() => void) | undefined;
};

/**
 * Looks after the address of one lease (RFC 5227): asks, announces and defends out of the uplink with the pod's MAC
 * address, and hears what the uplink's tap hears. What a pod does to its own packets changes nothing of that.
 *
 * What leaves by the uplink never reaches the macvlans on it. The leases of this daemon are known without asking
 * (`Claims`), and so is the node. Others are asked, too, by a packet socket in the pod that is there only while there are
 * probes under way; and what is announced in defence is said to all of them. A pod may also have an address that somebody
 * put on by hand: so siblings are asked once, where that disturbs nobody. The kernel loses nothing on that way.
 *
 * A lease whose LAN has no tap (`uplinkIndex` undefined: a veth, a link inside a container) asks from the pod alone, and
 * listens there for as long as the address is looked after: that socket hears nothing but who has the address, and keeps the
 * namespace of a pod that went without a DEL until the next look at it.
 *
 * Nothing here throws because of the pod or the network. What cannot be sent is counted, and whoever cannot look for a
 * conflict finds none: a lease does not fail for that.
 */
export class AddressGuard {
  readonly #world: World;
  readonly #inbox: Pick<Inbox, 'watchClaims'>;
  readonly #strangers: Pick<Strangers, 'areOn'>;
  readonly #siblingsAsked: Pick<Allowance, 'take'>;
  readonly #identity: LeaseIdentity;
  readonly #own: OwnInterfaces;
  readonly #onConflict: (by: Mac) => void;
  #watch: Watch | undefined;

  /** `onConflict` is told of what `watch` finds, once; the address is not looked after any more then. */
  constructor(
    { world, inbox, strangers, siblingsAsked }: GuardParts,
    identity: LeaseIdentity,
    onConflict: (by: Mac) => void,
  ) {
    this.#world = world;
    this.#inbox = inbox;
    this.#strangers = strangers;
    this.#siblingsAsked = siblingsAsked;
    this.#identity = identity;
    this.#own = new OwnInterfaces(world, identity);
    this.#onConflict = onConflict;
  }

  /**
   * Whether somebody else has the address, within 300 ms, before it is used. `pod` stays open until this resolves.
   * Ended early, by `signal`, `end` or another address to look after, it resolves to `free` at once: who ended it knows.
   */
  check(pod: PodNamespace, address: Ipv4, signal?: AbortSignal): Promise<Checked> {
    this.end();
    if (signal?.aborted === true) return Promise.resolve('free');
    return new Promise((resolve) => {
      const watch = this.#begin(address, pod, (found) => {
        signal?.removeEventListener('abort', abort);
        resolve(found);
      });
      const abort = (): void => this.#drop(watch, 'free');
      signal?.addEventListener('abort', abort, { once: true });
      this.#dispatch(watch, { type: 'probe', mode: 'before', announced: true });
    });
  }

  /** The same with a namespace that is opened for it. Rejects with its SysError. */
  async checkHere(address: Ipv4): Promise<Checked> {
    const pod = openPodOf(this.#world, this.#identity);
    try {
      return await this.check(pod, address);
    } finally {
      pod.close();
    }
  }

  /**
   * Looks after an address that is in use or is about to be. `probe`: nobody has looked yet whether it is free; then it is
   * announced when it is, unless whoever brings it into use sees to that (`announced`).
   */
  watch(
    address: Ipv4,
    { probe, announced = false }: { readonly probe: boolean; readonly announced?: boolean },
  ): void {
    this.end();
    const watch = this.#begin(address, undefined, (found) => {
      if (found !== 'free') this.#onConflict(found.conflict);
    });
    // Else the first probe does, when nobody waits for it.
    if (!probe && this.#staysInPod) this.#listen(watch);
    this.#dispatch(watch, probe ? { type: 'probe', mode: 'background', announced } : { type: 'watch' });
  }

  /** Nothing is looked after any more, until `check` or `watch` is called again. */
  end(): void {
    if (this.#watch !== undefined) this.#drop(this.#watch, 'free');
  }

  #begin(address: Ipv4, pod: PodNamespace | undefined, done: (found: Checked) => void): Watch {
    const { uplinkIndex } = this.#identity;
    const unwatch =
      uplinkIndex === undefined
        ? undefined
        : this.#inbox.watchClaims(uplinkIndex, address, (packet) => this.#hear(watch, packet));
    const watch: Watch = {
      address,
      unwatch,
      pod,
      done,
      state: { kind: 'idle' },
      port: undefined,
      hasAskedSiblings: false,
      isLooking: false,
      cancelTimer: undefined,
    };
    this.#watch = watch;
    return watch;
  }

  /** The end of one, with its outcome last: what hears of it may begin the next. */
  #drop(watch: Watch, found: Checked): void {
    if (this.#watch !== watch) return;
    this.#watch = undefined;
    watch.cancelTimer?.();
    watch.unwatch?.();
    this.#closePort(watch);
    watch.done(found);
  }

  #closePort(watch: Watch): void {
    watch.port?.close();
    watch.port = undefined;
  }

  #dispatch(watch: Watch, event: Acd4Event): void {
    if (this.#watch !== watch) return;
    const { clock, random } = this.#world;
    const next = step(this.#configOf(watch), watch.state, event, { now: clock.now(), random });
    watch.state = next.state;
    for (const effect of next.effects) this.#perform(watch, effect);
    this.#arm(watch);
  }

  #configOf({ address }: Watch): Acd4Config {
    return { address, mac: this.#identity.link.mac };
  }

  /** What the pod says by another interface on the same LAN is no conflict, and is heard here as that of any host. */
  #hear(watch: Watch, packet: ArpPacket): void {
    const isNews = this.#watch === watch && isConflicting(this.#configOf(watch), watch.state, packet);
    if (isNews && !watch.isLooking) void this.#weigh(watch, packet);
  }

  async #weigh(watch: Watch, packet: ArpPacket): Promise<void> {
    watch.isLooking = true;
    const whose = await this.#own.whose(packet.senderMac, watch.pod);
    watch.isLooking = false;
    if (whose === 'other') this.#dispatch(watch, { type: 'packet', packet });
    else if (whose === 'own') this.#world.count('claim-of-own-interface');
  }

  #arm(watch: Watch): void {
    watch.cancelTimer?.();
    watch.cancelTimer = undefined;
    const at = this.#watch === watch ? wakeUpAt(watch.state) : undefined;
    if (at === undefined) return;
    watch.cancelTimer = this.#world.timers.at(at, () => {
      watch.cancelTimer = undefined;
      this.#dispatch(watch, { type: 'wake' });
    });
  }

  #perform(watch: Watch, effect: Acd4Effect): void {
    switch (effect.type) {
      case 'send':
        this.#send(watch, effect.packet);
        break;
      case 'clear':
        this.#world.count('conflict-check-clear');
        if (watch.pod !== undefined) this.#drop(watch, 'free');
        else if (!this.#staysInPod) this.#closePort(watch);
        else if (watch.port === undefined) this.#listen(watch);
        break;
      case 'conflict':
        this.#world.count('conflict-found');
        this.#drop(watch, { conflict: effect.by });
        break;
      case 'defended':
        this.#world.count('address-defended');
        this.#world.log.warn(
          { lease: keyText(this.#identity.key), address: watch.address, by: effect.by },
          'another host claims the address of a pod: it was told that the address is in use',
        );
        break;
    }
  }

  #send(watch: Watch, packet: ArpPacket): void {
    const { uplinkIndex } = this.#identity;
    if (uplinkIndex === undefined) {
      this.#sendInPod(watch, packet);
      return;
    }
    const failed = this.#world.frames.send(uplinkIndex, emitArpToAll(packet));
    if (failed !== undefined) this.#failed(failed);
    void this.#sendBeside(watch, packet);
  }

  /**
   * Where all on the uplink are known, one probe is enough for them. A defence is for the siblings, too, who have heard the
   * other claim as well.
   */
  async #sendBeside(watch: Watch, packet: ArpPacket): Promise<void> {
    const { state } = watch;
    const { lan } = this.#identity;
    const defends = state.kind === 'watching' && state.defendedAt !== undefined;
    const isForAll = defends || this.#asksSiblings(watch);
    const isBeside = isForAll || lan === undefined || (await this.#strangers.areOn(lan));
    if (this.#watch !== watch) return;
    if (isBeside) this.#sendInPod(watch, packet);
    // It would keep the namespace for as long as the lease.
    else if (watch.state.kind !== 'probing') this.#closePort(watch);
  }

  /** Whether this is the probe that siblings hear: at once before an address is used, else where there is room for it. */
  #asksSiblings(watch: Watch): boolean {
    const { state } = watch;
    if (state.kind !== 'probing' || watch.hasAskedSiblings) return false;
    watch.hasAskedSiblings = state.mode === 'before' || this.#siblingsAsked.take();
    return watch.hasAskedSiblings;
  }

  /** Nothing but the pod's own interface hears its LAN. */
  get #staysInPod(): boolean {
    return this.#identity.uplinkIndex === undefined;
  }

  #listen(watch: Watch): void {
    try {
      this.#open(watch, true);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Where there is a tap only who probes listens on the port: what is defended is heard there, and once is enough. */
  #sendInPod(watch: Watch, packet: ArpPacket): void {
    const listens = this.#staysInPod || watch.state.kind === 'probing';
    let failed: unknown;
    try {
      failed = (watch.port ?? this.#open(watch, listens)).send(packet);
    } catch (error) {
      failed = error;
    }
    if (failed !== undefined) this.#failed(failed);
    // One that fails may be all that keeps the namespace of a pod that is gone; the next packet opens a new one.
    if (failed !== undefined || !listens) this.#closePort(watch);
  }

  #open(watch: Watch, listen: boolean): ArpPort {
    const pod = watch.pod ?? openPodOf(this.#world, this.#identity);
    try {
      const port = pod.openArp(this.#identity.link.index, watch.address);
      watch.port = port;
      if (listen) port.onPacket((packet) => this.#hear(watch, packet));
      return port;
    } finally {
      if (pod !== watch.pod) pod.close();
    }
  }

  #failed(error: unknown): void {
    this.#world.count(`arp-failed:${isSysError(error) ? error.code : 'fault'}`);
    this.#world.log.debug(
      {
        lease: keyText(this.#identity.key),
        error: error instanceof Error ? error.message : String(error),
      },
      'no ARP packet could be sent for the address of a lease',
    );
  }
}

function wakeUpAt(state: Acd4State): Instant | undefined {
  const at = wakeAt(state);
  const mayBeLate = state.kind === 'watching' || (state.kind === 'probing' && state.mode === 'background');
  return at !== undefined && mayBeLate ? onGrain(at, GRAIN) : at;
}
