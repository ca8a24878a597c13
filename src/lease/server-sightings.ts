import type { Ipv4 } from '../base/ipv4.ts';
import { between, type Duration, type Instant } from '../base/time.ts';
import { DHCP_MESSAGE_TYPE } from '../wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { readOption } from '../wire/dhcp4/options.ts';

/** As many as the doctor probes for pods that fail (doctor/add-diagnosis.ts). */
const MOST_LANS = 64;
/** Per LAN; the one heard longest ago goes. More of them are somebody's flood. */
const MOST_SERVERS = 8;

/** How long ago a server last said what; undefined: not since the daemon runs. */
export type ServerSighting = {
  readonly server: Ipv4;
  readonly offer: Duration | undefined;
  readonly ack: Duration | undefined;
  readonly nak: Duration | undefined;
};

/** What is known of the DHCP servers behind one interface of the node. */
export type LanSightings = {
  readonly lan: string;
  /** Who was heard last comes first. */
  readonly servers: readonly ServerSighting[];
  /** For how long REQUESTs of clients that have a lease are not answered; undefined: they are, or nobody asked. */
  readonly renewalUnanswered: Duration | undefined;
};

const SAYINGS = {
  [DHCP_MESSAGE_TYPE.DHCPOFFER]: 'offer',
  [DHCP_MESSAGE_TYPE.DHCPACK]: 'ack',
  [DHCP_MESSAGE_TYPE.DHCPNAK]: 'nak',
} as const;
const SAYING_OF: ReadonlyMap<number, (typeof SAYINGS)[keyof typeof SAYINGS]> = new Map(
  Object.entries(SAYINGS).map(([type, saying]) => [Number(type), saying]),
);

type Heard = { offer?: Instant; ack?: Instant; nak?: Instant };
type Lan = { readonly servers: Map<Ipv4, Heard>; renewalUnansweredSince: Instant | undefined };

/** Which servers were heard by any pod of the node, when, and with what: bounded, and forgotten with the process. */
export class ServerSightings {
  readonly #lans = new Map<string, Lan>();

  /** A message that a client took, or took for a server's second word. */
  heard(lan: string, { options }: Dhcp4Message, now: Instant): void {
    const server = readOption(options, 'dhcp-server-identifier');
    const type = readOption(options, 'dhcp-message-type');
    const saying = type.kind === 'value' ? SAYING_OF.get(type.value) : undefined;
    if (server.kind !== 'value' || saying === undefined) return;
    const known = this.#lan(lan);
    const heard = known.servers.get(server.value) ?? {};
    heard[saying] = now;
    if (saying !== 'offer') known.renewalUnansweredSince = undefined;
    // Put in again at the end: the first is the one heard longest ago.
    known.servers.delete(server.value);
    known.servers.set(server.value, heard);
    forgetFirst(known.servers, MOST_SERVERS);
  }

  /** A client that has a lease asks for more of it. */
  renewalAsked(lan: string, now: Instant): void {
    const known = this.#lan(lan);
    known.renewalUnansweredSince ??= now;
  }

  list(now: Instant): readonly LanSightings[] {
    const ago = (at: Instant | undefined): Duration | undefined =>
      at === undefined ? undefined : between(at, now);
    return [...this.#lans].map(([lan, { servers, renewalUnansweredSince }]) => ({
      lan,
      servers: [...servers]
        .map(([server, { offer, ack, nak }]) => ({ server, offer: ago(offer), ack: ago(ack), nak: ago(nak) }))
        .toReversed(),
      renewalUnanswered: ago(renewalUnansweredSince),
    }));
  }

  #lan(name: string): Lan {
    const lan = this.#lans.get(name) ?? {
      servers: new Map<Ipv4, Heard>(),
      renewalUnansweredSince: undefined,
    };
    this.#lans.delete(name);
    this.#lans.set(name, lan);
    forgetFirst(this.#lans, MOST_LANS);
    return lan;
  }
}

function forgetFirst<K>(map: Map<K, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
