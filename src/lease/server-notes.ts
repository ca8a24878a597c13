import type { Ipv4 } from '../base/ipv4.ts';
import { between, type Duration, type Instant, seconds } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import type { Dhcp4Effect } from '../protocol/dhcp4/step.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import type { LeaseWorld } from './ports.ts';
import { type LanSightings, ServerSightings } from './server-sightings.ts';

/** Servers that are named one by one in counters and log; more of them are somebody's flood. */
const MOST_NAMED = 16;

type Ignored = Extract<Dhcp4Effect, { readonly type: 'ignore' }>;
type Refused = Extract<Dhcp4Effect, { readonly type: 'refused' }>;

/** A server that has not answered for so long is not only slow. */
const PATIENCE = seconds(10);
/** Where nobody has asked for so long, nothing is known: whoever asks next shall try. */
const MEMORY = seconds(120);

/** What follows from an answer to what was asked; an OFFER alone is none, for a server may never confirm it. */
const ANSWERS: ReadonlySet<Dhcp4Effect['type']> = new Set(['install', 'extend', 'refused', 'ipv6-only']);

/** What is known of the servers of one LAN. */
type Health = {
  /** The first question that nobody has answered since. */
  readonly unansweredSince: Instant | undefined;
  readonly askedAt: Instant;
};

/** What all leases of a node learn about the servers together: who answers, who should not, what they get wrong. */
export class ServerNotes {
  readonly #world: Pick<LeaseWorld, 'clock' | 'log' | 'count'>;
  readonly #health = new Map<string, Health>();
  readonly #strangers = new Set<Ipv4>();
  readonly #sightings = new ServerSightings();

  constructor(world: Pick<LeaseWorld, 'clock' | 'log' | 'count'>) {
    this.#world = world;
  }

  /**
   * `lan` is the name of the interface through which the LAN is reached; `renewal`: by a client that has a lease,
   * which its server should answer.
   */
  asked(lan: string | undefined, renewal: boolean): void {
    if (lan === undefined) return;
    const askedAt = this.#world.clock.now();
    if (renewal) this.#sightings.renewalAsked(lan, askedAt);
    const unansweredSince = this.#health.get(lan)?.unansweredSince ?? askedAt;
    this.#health.set(lan, { unansweredSince, askedAt });
  }

  /** A message, and what the client that it was for made of it. */
  heard(lan: string | undefined, message: Dhcp4Message, effects: readonly Dhcp4Effect[]): void {
    if (lan === undefined || !effects.every(isTaken)) return;
    this.#sightings.heard(lan, message, this.#world.clock.now());
    const known = this.#health.get(lan);
    if (known !== undefined && effects.some(({ type }) => ANSWERS.has(type)))
      this.#health.set(lan, { ...known, unansweredSince: undefined });
  }

  /** Per LAN: which servers were heard when, for the diagnosis of whoever gets no answer. */
  sightings(): readonly LanSightings[] {
    return this.#sightings.list(this.#world.clock.now());
  }

  /** The LANs on which leases ask now and no server has answered for a while, with how long that is. */
  silent(): ReadonlyMap<string, Duration> {
    const now = this.#world.clock.now();
    const silent = new Map<string, Duration>();
    for (const [lan, { unansweredSince, askedAt }] of this.#health) {
      if (unansweredSince === undefined || between(askedAt, now) > MEMORY) continue;
      const since = between(unansweredSince, now);
      if (since > PATIENCE) silent.set(lan, since);
    }
    return silent;
  }

  /** A message that was not taken. A server that is not on the list of allowed ones is named once. */
  ignored(lease: string, { reason, server }: Ignored): void {
    this.#world.count(`message-ignored:${reason}`);
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

  /** To a server two pods of one identity are one client, which has one address. */
  twins(lease: string, other: string): void {
    this.#world.count('identity-shared');
    this.#world.log.warn(
      { lease, other },
      'two pods of this node have one client identifier: the server takes them for one and gives them one address',
    );
  }

  refused(lease: string, { server, text }: Refused): void {
    this.#world.count('nak');
    this.#world.log.warn({ lease, server, text }, 'the server refused (DHCPNAK)');
  }

  /** What in a lease was left aside, said once for each lease that brings it. */
  leased(lease: string, { serverId, refusedRoutes, malformed }: Lease4): void {
    this.#world.count('lease-installed');
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
  }
}

/** A second OFFER is not taken, but it is a server's word. */
function isTaken(effect: Dhcp4Effect): boolean {
  return effect.type !== 'ignore' || effect.reason === 'offer-not-chosen';
}
