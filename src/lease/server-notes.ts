import type { Ipv4 } from '../base/ipv4.ts';
import { between, type Duration, type Instant, seconds } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { type Source, sourceText } from '../protocol/dhcp4/source.ts';
import type { Dhcp4Effect } from '../protocol/dhcp4/step.ts';
import type { LeaseWorld } from './ports.ts';

/** Servers that are named one by one in counters and log; more of them are somebody's flood. */
const MOST_NAMED = 16;

type Ignored = Extract<Dhcp4Effect, { readonly type: 'ignore' }>;
type Refused = Extract<Dhcp4Effect, { readonly type: 'refused' }>;

/** A server that has not answered for so long is not only slow. */
const PATIENCE = seconds(10);
/** Where nobody has asked for so long, nothing is known: whoever asks next shall try. */
const MEMORY = seconds(120);

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
  readonly #impostors = new Set<string>();

  constructor(world: Pick<LeaseWorld, 'clock' | 'log' | 'count'>) {
    this.#world = world;
  }

  /** `lan` is the name of the interface through which the LAN is reached. */
  asked(lan: string | undefined): void {
    if (lan === undefined) return;
    const askedAt = this.#world.clock.now();
    const unansweredSince = this.#health.get(lan)?.unansweredSince ?? askedAt;
    this.#health.set(lan, { unansweredSince, askedAt });
  }

  answered(lan: string | undefined): void {
    const known = lan === undefined ? undefined : this.#health.get(lan);
    if (lan !== undefined && known !== undefined)
      this.#health.set(lan, { ...known, unansweredSince: undefined });
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

  /** Somebody who speaks as an allowed server is named once. */
  #impostor(lease: string, server: Ipv4 | undefined, source: Source): void {
    const who = sourceText(source);
    if (this.#impostors.has(who) || this.#impostors.size >= MOST_NAMED) return;
    this.#impostors.add(who);
    // Without its MAC address, what a pod's socket hears besides is the same once more.
    this.#impostors.add(source.address);
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
      'two pods of this node have one client identifier: the server takes them for one and gives them one address',
    );
  }

  refused(lease: string, { server, text }: Refused): void {
    this.#world.count('nak');
    this.#world.log.warn({ lease, server, text }, 'the server refused (DHCPNAK)');
  }

  /** What in a lease was left aside, said once for each lease that brings it. */
  leased(lease: string, { serverId, refusedRoutes, malformed, remarks }: Lease4): void {
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
    if (remarks.length > 0) {
      this.#world.log.warn(
        { lease, server: serverId, options: remarks },
        'options of the lease were not taken as they are',
      );
    }
  }
}
