import type { Ipv4 } from '../base/ipv4.ts';
import { between, type Instant, later, seconds } from '../base/time.ts';
import { extraText } from '../protocol/dhcp4/extras.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { IGNORE_REASONS } from '../protocol/dhcp4/reasons.ts';
import { type Source, sourceText } from '../protocol/dhcp4/source.ts';
import type { Dhcp4Effect } from '../protocol/dhcp4/step.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { Habits } from './habits.ts';
import type { LeaseWorld } from './ports.ts';
import { SaidLately } from './said-lately.ts';
import { type LanSightings, ServerSightings } from './server-sightings.ts';

/** Servers that are named one by one in counters and log; more of them are somebody's flood. */
const MOST_NAMED = 16;

type Ignored = Extract<Dhcp4Effect, { readonly type: 'ignore' }>;
type TurnedDown = Extract<Dhcp4Effect, { readonly type: 'turned-down' }>;
type NotAccepted = Extract<Dhcp4Effect, { readonly type: 'not-accepted' }>;
type Unacknowledged = Extract<Dhcp4Effect, { readonly type: 'unacknowledged' }>;
type Refused = Extract<Dhcp4Effect, { readonly type: 'refused' }>;

/** A server that has not answered for so long is not only slow. */
const PATIENCE = seconds(10);
/** A full pool is silent to new clients and answers others: that is said once in so long. */
const SAID_AGAIN = seconds(600);

/** What follows from an answer to what was asked; an OFFER alone is none, for a server may never confirm it. */
const ANSWERS: ReadonlySet<Dhcp4Effect['type']> = new Set(['install', 'extend', 'refused', 'ipv6-only']);

/** The servers of one LAN. */
type Silence = {
  /** Ends the wait for an answer; undefined: nobody waits, or it was too long. */
  cancel: (() => void) | undefined;
  saidAt: Instant | undefined;
};

/** What all leases of a node learn about the servers together: who answers, who should not, what they get wrong. */
export class ServerNotes {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers' | 'log' | 'count'>;
  readonly #silences = new Map<string, Silence>();
  readonly #strangers = new Set<Ipv4>();
  readonly #impostors = new Set<string>();
  /** Servers that offer and do not confirm. */
  readonly #unconfirming: SaidLately;
  readonly #sightings = new ServerSightings();
  /** How to ask them. */
  readonly habits: Habits;

  constructor(world: Pick<LeaseWorld, 'clock' | 'timers' | 'log' | 'count'>) {
    this.#world = world;
    this.#unconfirming = new SaidLately(world.clock, SAID_AGAIN, MOST_NAMED);
    this.habits = new Habits(world);
  }

  /**
   * `lan` is the name of the interface through which the LAN is reached; `renewal`: by a client that has a lease,
   * which its server should answer. Says so when no server answers.
   */
  asked(lan: string | undefined, renewal: boolean): void {
    if (lan === undefined) return;
    const { clock, timers } = this.#world;
    if (renewal) this.#sightings.renewalAsked(lan, clock.now());
    const silence = this.#silences.get(lan) ?? { cancel: undefined, saidAt: undefined };
    this.#silences.set(lan, silence);
    silence.cancel ??= timers.at(later(clock.now(), PATIENCE), () => {
      silence.cancel = undefined;
      this.#silent(lan, silence);
    });
  }

  #silent(lan: string, silence: Silence): void {
    const now = this.#world.clock.now();
    if (silence.saidAt !== undefined && between(silence.saidAt, now) < SAID_AGAIN) return;
    silence.saidAt = now;
    this.#world.count('server-silent');
    this.#world.log.warn(
      { uplink: lan },
      'no DHCP server has answered for ten seconds: it is away, or has no address for who asks (leasehold doctor says more)',
    );
  }

  /** A message, and what the client that it was for made of it. */
  heard(lan: string | undefined, message: Dhcp4Message, effects: readonly Dhcp4Effect[]): void {
    if (lan === undefined || !effects.every(isTaken)) return;
    this.#sightings.heard(lan, message, this.#world.clock.now());
    if (!effects.some(({ type }) => ANSWERS.has(type))) return;
    const silence = this.#silences.get(lan);
    silence?.cancel?.();
    if (silence !== undefined) silence.cancel = undefined;
  }

  /** Per LAN: which servers were heard when, for the diagnosis of whoever gets no answer. */
  sightings(): readonly LanSightings[] {
    return this.#sightings.list(this.#world.clock.now());
  }

  close(): void {
    for (const { cancel } of this.#silences.values()) cancel?.();
    this.#silences.clear();
  }

  /** What a server did that came to nothing. */
  noted(lease: string, effect: Ignored | TurnedDown | NotAccepted | Unacknowledged): void {
    switch (effect.type) {
      case 'ignore':
        this.ignored(lease, effect);
        break;
      case 'turned-down':
        this.turnedDown(lease, effect);
        break;
      case 'not-accepted':
        this.#notAccepted(lease, effect);
        break;
      case 'unacknowledged':
        this.#unacknowledged(lease, effect);
        break;
    }
  }

  /** A message that was not taken. A server that is not on the list of allowed ones is named once. */
  ignored(lease: string, { reason, server, source }: Ignored): void {
    this.#world.count(`message-ignored:${reason}`);
    if (source !== undefined) this.#impostor(lease, server, source);
    if (reason !== 'server-not-allowed' || server === undefined) return;
    const named = this.#strangers.has(server);
    if (!named && this.#strangers.size >= MOST_NAMED) return;
    this.#strangers.add(server);
    this.#world.count(`server-not-allowed:${server}`);
    if (named) return;
    this.#world.log.warn(
      { lease, server },
      'a DHCP server that is not in "servers" answers on this network: its offers are not taken',
    );
  }

  /** An address that somebody else has: `holder` says who. */
  turnedDown(lease: string, { address, server, reason, holder }: Omit<TurnedDown, 'type'>): void {
    this.#world.count(`address-turned-down:${reason}`);
    this.#world.log.warn(
      { lease, address, server, holder },
      reason === 'held-on-this-node'
        ? 'a DHCP server gives a pod an address that this node uses: it is not taken'
        : 'a DHCP server gives an address again that another host was seen with: it is not taken',
    );
  }

  #notAccepted(lease: string, { address, server, reason, told }: NotAccepted): void {
    this.#world.count(`lease-not-accepted:${reason}`);
    // A network with several servers of rapid commit is as its owner wants it.
    const level = reason === 'other-server' ? 'debug' : 'warn';
    this.#world.log[level](
      { lease, address, server, why: IGNORE_REASONS[reason], told },
      told === undefined
        ? 'a DHCP server grants what is not used'
        : 'a DHCP server grants what is not used: the lease is given back',
    );
  }

  /** Said once in ten minutes for each server: all pods of the node meet the same one. */
  #unacknowledged(lease: string, { address, server }: Unacknowledged): void {
    this.#world.count('request-unanswered');
    if (!this.#unconfirming.isNews(server)) return;
    this.#world.log.warn(
      { lease, address, server },
      'a DHCP server offers an address and answers no REQUEST for it: the search begins anew. Look into the log of the server, and whether a relay or a firewall drops its answers',
    );
  }

  /** Somebody who speaks as an allowed server is named once. */
  #impostor(lease: string, server: Ipv4 | undefined, source: Source): void {
    const who = sourceText(source);
    if (this.#impostors.has(who) || this.#impostors.size >= MOST_NAMED) return;
    this.#impostors.add(who);
    this.#world.log.warn(
      { lease, server, address: source.address, mac: source.mac },
      'a DHCP answer names an allowed server and does not come from it: it is not taken (a relay belongs in "relays")',
    );
  }

  /** To a server two pods of one identity are one client, which has one address. */
  twins(lease: string, other: string): void {
    this.#world.count('identity-shared');
    this.#world.log.warn(
      { lease, other },
      'two pods of this node have one client identifier: the server takes them for one, and only one of them can have its address',
    );
  }

  /** What another pod of this node lives by is not given back. */
  unreleased(lease: string, address: Ipv4 | undefined): void {
    this.#world.count('release-unneeded');
    this.#world.log.warn(
      { lease, address },
      'a lease is not released: another pod of the same identity has it',
    );
  }

  refused(lease: string, { server, text }: Refused): void {
    this.#world.count('nak');
    this.#world.log.warn({ lease, server, text }, 'the server refused (DHCPNAK)');
  }

  /** What in a lease was left aside, said once for each lease that brings it. */
  leased(lease: string, { serverId, refusedRoutes, malformed, remarks, leftOut = [] }: Lease4): void {
    this.#world.count('lease-installed');
    if (leftOut.length > 0) {
      this.#world.log.warn(
        { lease, server: serverId, without: leftOut.map(extraText) },
        'the server gave the lease only to a message without these options: what they ask for or tell is missing',
      );
    }
    for (const _ of refusedRoutes) this.#world.count('route-refused');
    if (refusedRoutes.length > 0) {
      this.#world.log.warn(
        { lease, server: serverId, routes: refusedRoutes },
        'routes of the lease were not taken',
      );
    }
    if (malformed.length > 0) {
      this.#world.log.warn(
        { lease, server: serverId, options: malformed },
        'options of the lease are malformed',
      );
    }
    if (remarks.length > 0) {
      this.#world.log.warn(
        { lease, server: serverId, options: remarks },
        'options of the lease were not taken as they are',
      );
    }
  }
}

/** A second OFFER is not taken, but it is a server's word. */
function isTaken(effect: Dhcp4Effect): boolean {
  return effect.type !== 'ignore' || effect.reason === 'offer-not-chosen';
}
