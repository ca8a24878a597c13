import type { Cidr } from '../../base/cidr.ts';
import { unreachable } from '../../base/invariant.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { earliest, type Instant } from '../../base/time.ts';
import { type Answered, type Habit, NO_HABIT } from './habit.ts';
import type { Lease4 } from './lease.ts';
import type { IgnoreReason } from './reasons.ts';
import { type Source, sourceText } from './source.ts';
import type { TurnedDown } from './turned-down.ts';

/** What does not change during the life of a client. Plain JSON: it is stored beside the state. Bytes are hex. */
export type Dhcp4Config = {
  readonly chaddr: Mac;
  /** Option 61 as it goes on the wire, type byte included, in every message of this client (RFC 2131 4.2). */
  readonly clientId: string | undefined;
  /**
   * Option 61 is ours to choose and new in each container, so nothing can be bound to it: where nobody answers it is left
   * out, and the server goes by `chaddr`. Never where the identity is what somebody configured: without it the client
   * would silently be another one, with another lease.
   */
  readonly clientIdOptional?: boolean | undefined;
  /**
   * The only address that is taken: it is asked for in DISCOVER (RFC 2131 4.4.1), and by INIT-REBOOT where this client
   * has it (3.2). Rapid commit is not offered beside it: a server that cannot give it would commit another one.
   */
  readonly requestedAddress: Ipv4 | undefined;
  /** Option 55, in order. */
  readonly parameterRequest: readonly number[];
  /** Further options for DISCOVER and REQUEST: code to hex. */
  readonly send: Readonly<Record<number, string>>;
  /** Offer rapid commit (RFC 4039). */
  readonly rapidCommit: boolean;
  /** The broadcast bit (RFC 2131 4.1): `auto` sets it from the second try on, when a unicast answer may not get through, and varies it. */
  readonly broadcast: 'auto' | 'always' | 'never';
  /** The servers (option 54) whose OFFER, ACK and NAK count; none named: any server's. */
  readonly servers: readonly Ipv4[];
  /** Where servers are named: further addresses from which their answers may come, such as those of relay agents. */
  readonly relays: readonly Ipv4[];
  /** The MTU of the client's interface, for option 57. Absent in records of versions that did not keep it. */
  readonly mtu?: number | undefined;
  /** Nobody is to know it again (RFC 7844): messages say the least, and no address of before is asked for. */
  readonly anonymous?: boolean | undefined;
  /** Honour option 108 (RFC 8925); `parameterRequest` must ask for it then. Otherwise it is not looked at. */
  readonly ipv6Only: boolean;
  /** Say that a FORCERENEW is heard where it is authenticated by a nonce (RFC 6704), and obey it. Absent: no. */
  readonly forceRenew?: boolean | undefined;
};

/** Whether a server of both takes the two for one client, which has one address. */
export function isSameToServer(one: Dhcp4Config, { clientId, chaddr }: Dhcp4Config): boolean {
  return clientId === undefined ? one.chaddr === chaddr : one.clientId === clientId;
}

/**
 * What happened while an address was sought, for the diagnosis: carried from state to state until there is a lease, and
 * over a lease that came to nothing while somebody still waits for one (`Env.account`).
 */
export type Acquisition = {
  readonly since: Instant;
  /** An address that was held before, for option 50 of DISCOVER (RFC 2131 4.4.1): wished for, not insisted on. */
  readonly hint: Ipv4 | undefined;
  /** How this client begins to ask. */
  readonly habit: Habit;
  /** The DISCOVER that the chosen OFFER answers. */
  readonly answered: Answered | undefined;
  readonly discovers: number;
  readonly requests: number;
  readonly declines: number;
  readonly offers: number;
  readonly naks: number;
  /** The server's words in its last NAK (option 56). */
  readonly nakText: string | undefined;
  /** The server of the last NAK. */
  readonly nakServer: Ipv4 | undefined;
  readonly ignored: Readonly<Partial<Record<IgnoreReason, number>>>;
  /** The address that is insisted on, once a server has given another one or refused. */
  readonly wanted: Ipv4 | undefined;
  /** What servers gave in its place, in words, the first ones: at most MOST_STRANGERS. */
  readonly instead: readonly string[];
  /** Servers that are not on the allow list, the first ones that were heard: at most MOST_STRANGERS. */
  readonly strangers: readonly Ipv4[];
  /** Addresses that somebody else has, by server, the first ones that were given: at most MOST_TURNED_DOWN. */
  readonly turnedDown: readonly TurnedDown[];
  /** Leases that were granted and not taken, the latest ones: at most MOST_RETURNED. */
  readonly returned: readonly Returned[];
  /** How often a REQUEST was answered with what is not taken. */
  readonly unaccepted: number;
  readonly releases: number;
  /** A server has committed what was not taken: rapid commit is not offered any more (RFC 4039). */
  readonly fourMessages: boolean;
  /** Where messages came from that named an allowed server and were not its own, in words: at most MOST_STRANGERS. */
  readonly impostors: readonly string[];
  /** What was asked for with a REQUEST that no NAK answered: the server may hold it for us though we heard no ACK. */
  readonly asked: Held | undefined;
};

/** Servers that the diagnosis names; a network with more rogues has worse problems than their names. */
export const MOST_STRANGERS = 4;

/**
 * Leases that are given back, and spoken of, for one transaction: one of each server that commits at once (RFC 4039).
 * More are somebody's flood.
 */
export const MOST_RETURNED = 4;

/** A lease that was not taken, and the transaction to which it was the answer: an answer may be heard twice. */
export type Returned = {
  readonly address: Ipv4;
  readonly serverId: Ipv4;
  readonly xid: number;
  readonly released: boolean;
};

/** What a server may believe that this client holds. */
export type Held = { readonly address: Cidr<Ipv4>; readonly serverId: Ipv4 };

/** A message that was sent and waits for its answer: how often it was sent, and when it is sent again. */
type Pending = { readonly xid: number; readonly tries: number; readonly resendAt: Instant };

/** What every state that waits for an answer to a REQUEST knows: lease times count from `requestedAt`. */
type Requested = Pending & { readonly requestedAt: Instant };

/**
 * After rapid commit: until when another server may answer the same DISCOVER with a lease of its own, which is given
 * back, and the servers that have.
 */
export type OtherServers = {
  readonly xid: number;
  readonly until: Instant;
  readonly heard: readonly Ipv4[];
};

/** A lease in use is asked about. `gaveBack`: one that an answer granted in its place; no other one is for this REQUEST. */
type Extending = Requested & { readonly lease: Lease4; readonly gaveBack?: boolean | undefined };

/** RFC 2131 figure 5. Each state holds what is valid in it and nothing else. */
export type Dhcp4State =
  /** `last` was held before: it is asked for first, and another one is taken if need be. */
  | {
      readonly kind: 'init';
      readonly last: Ipv4 | undefined;
      /**
       * Its lease is over, or was refused: INIT, with the address as a wish (RFC 2131 4.4.5). Else it may be good still:
       * INIT-REBOOT (3.2).
       */
      readonly lapsed?: boolean | undefined;
      /** What the messages lacked that got it (see Lease4). */
      readonly leftOut?: readonly number[] | undefined;
    }
  /** `secs` and `requestedAt` are those of the latest DISCOVER. */
  | ({
      readonly kind: 'selecting';
      readonly acquisition: Acquisition;
      readonly secs: number;
      /** DISCOVERs without option 61 were sent too: another client, to the server, and so another transaction. */
      readonly nameless: boolean;
    } & Requested)
  | ({
      readonly kind: 'requesting';
      readonly acquisition: Acquisition;
      readonly address: Cidr<Ipv4>;
      readonly serverId: Ipv4;
      /** That of the DISCOVER: relay agents must treat the REQUEST alike (RFC 2131 3.1 step 3). */
      readonly secs: number;
      readonly broadcast: boolean;
      /** Its OFFER has promised a nonce for FORCERENEW (option 145): the ACK has to have one (RFC 6704 3.1.4). */
      readonly nonceOffered?: boolean | undefined;
    } & Requested)
  | ({ readonly kind: 'rebooting'; readonly acquisition: Acquisition; readonly address: Ipv4 } & Requested)
  | { readonly kind: 'bound'; readonly lease: Lease4; readonly others?: OtherServers | undefined }
  | ({ readonly kind: 'renewing' } & Extending)
  | ({ readonly kind: 'rebinding' } & Extending)
  /** After a NAK or a DECLINE: nothing is sent before `until`. */
  | { readonly kind: 'waiting'; readonly acquisition: Acquisition; readonly until: Instant }
  /** The link came back (RFC 2131 3.7): is the lease still good here? `xid` and `requestedAt` are those of the first try. */
  | ({ readonly kind: 'verifying' } & Extending)
  /** RFC 8925 3.2: the network prefers that this host has no IPv4; it is asked again at `until`. */
  | { readonly kind: 'ipv6-only'; readonly until: Instant }
  | { readonly kind: 'stopped' };

/** A state by its name. */
export type StateOf<K extends Dhcp4State['kind']> = Extract<Dhcp4State, { readonly kind: K }>;

export function newAcquisition(since: Instant, hint: Ipv4 | undefined, habit = NO_HABIT): Acquisition {
  return {
    since,
    hint,
    habit,
    answered: undefined,
    discovers: 0,
    requests: 0,
    declines: 0,
    offers: 0,
    naks: 0,
    nakText: undefined,
    nakServer: undefined,
    ignored: {},
    wanted: undefined,
    instead: [],
    strangers: [],
    turnedDown: [],
    returned: [],
    unaccepted: 0,
    releases: 0,
    fourMessages: false,
    impostors: [],
    asked: undefined,
  };
}

/** One more message that was not taken. */
export function withIgnored(
  before: Acquisition,
  reason: IgnoreReason,
  { server, source }: { readonly server?: Ipv4 | undefined; readonly source?: Source | undefined },
): Acquisition {
  const ignored = { ...before.ignored, [reason]: (before.ignored[reason] ?? 0) + 1 };
  return {
    ...before,
    ignored,
    strangers: withNamed(before.strangers, reason === 'server-not-allowed' ? server : undefined),
    impostors: withNamed(before.impostors, source === undefined ? undefined : sourceText(source)),
  };
}

/** One more message that gave another address than the one that is insisted on. */
export function withInstead(before: Acquisition, wanted: Ipv4 | undefined, given: Held): Acquisition {
  const text = `${given.address.address} of ${given.serverId}`;
  return { ...before, wanted, instead: withNamed(before.instead, text) };
}

function withNamed<T>(named: readonly T[], one: T | undefined): readonly T[] {
  const isKnown = one === undefined || named.includes(one);
  return isKnown || named.length >= MOST_STRANGERS ? named : [...named, one];
}

/** The lease that the pod may use in this state. */
export function leaseOf(state: Dhcp4State): Lease4 | undefined {
  return 'lease' in state ? state.lease : undefined;
}

/** What a RELEASE gives back: the lease, or what was asked for and whose ACK may be on its way or lost. */
export function heldBy(state: Dhcp4State): Held | undefined {
  return 'acquisition' in state ? state.acquisition.asked : leaseOf(state);
}

/** When this state wants its next `wake`; undefined when only a message or the owner can move it. */
export function wakeAt(state: Dhcp4State): Instant | undefined {
  switch (state.kind) {
    case 'selecting':
    case 'requesting':
    case 'rebooting':
      return state.resendAt;
    case 'renewing':
    case 'rebinding':
    case 'verifying':
      return state.lease.times === undefined
        ? state.resendAt
        : earliest(state.resendAt, state.lease.times.expiresAt);
    case 'bound': {
      const [due, listened] = [state.lease.times?.renewAt, state.others?.until];
      return due === undefined || listened === undefined ? (due ?? listened) : earliest(due, listened);
    }
    case 'waiting':
    case 'ipv6-only':
      return state.until;
    case 'init':
    case 'stopped':
      return undefined;
    default:
      return unreachable(state);
  }
}
