import type { Cidr } from '../../base/cidr.ts';
import { unreachable } from '../../base/invariant.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { earliest, type Instant } from '../../base/time.ts';
import type { Lease4 } from './lease.ts';
import type { IgnoreReason } from './reasons.ts';

/** What does not change during the life of a client. Plain JSON: it is stored beside the state. Bytes are hex. */
export type Dhcp4Config = {
  readonly chaddr: Mac;
  /** Option 61 as it goes on the wire, type byte included, in every message of this client (RFC 2131 4.2). */
  readonly clientId: string | undefined;
  /** An address to ask for: INIT-REBOOT first (RFC 2131 3.2), then as a hint; other addresses are not taken. */
  readonly requestedAddress: Ipv4 | undefined;
  /** Option 55, in order. */
  readonly parameterRequest: readonly number[];
  /** Further options for DISCOVER and REQUEST: code to hex. */
  readonly send: Readonly<Record<number, string>>;
  /** Offer rapid commit (RFC 4039). */
  readonly rapidCommit: boolean;
  /** The broadcast bit (RFC 2131 4.1): `auto` sets it from the second try on, when a unicast answer may not get through. */
  readonly broadcast: 'auto' | 'always' | 'never';
};

/** What happened while an address was sought: carried from state to state until there is a lease, for the diagnosis. */
export type Acquisition = {
  readonly since: Instant;
  readonly discovers: number;
  readonly requests: number;
  readonly offers: number;
  readonly naks: number;
  /** The server's words in its last NAK (option 56). */
  readonly nakText: string | undefined;
  readonly ignored: Readonly<Partial<Record<IgnoreReason, number>>>;
  /** What was asked for with a REQUEST that no NAK answered: the server may hold it for us though we heard no ACK. */
  readonly asked: Held | undefined;
};

/** What a server may believe that this client holds. */
export type Held = { readonly address: Cidr<Ipv4>; readonly serverId: Ipv4 };

/** A message that was sent and waits for its answer: how often it was sent, and when it is sent again. */
type Pending = { readonly xid: number; readonly tries: number; readonly resendAt: Instant };

/** What every state that waits for an answer to a REQUEST knows: lease times count from `requestedAt`. */
type Requested = Pending & { readonly requestedAt: Instant };

/** RFC 2131 figure 5. Each state holds what is valid in it and nothing else. */
export type Dhcp4State =
  | { readonly kind: 'init' }
  /** `secs` and `requestedAt` are those of the latest DISCOVER. */
  | ({ readonly kind: 'selecting'; readonly acquisition: Acquisition; readonly secs: number } & Requested)
  | ({
      readonly kind: 'requesting';
      readonly acquisition: Acquisition;
      readonly address: Cidr<Ipv4>;
      readonly serverId: Ipv4;
      /** That of the DISCOVER: relay agents must treat the REQUEST alike (RFC 2131 3.1 step 3). */
      readonly secs: number;
      readonly broadcast: boolean;
    } & Requested)
  | ({ readonly kind: 'rebooting'; readonly acquisition: Acquisition; readonly address: Ipv4 } & Requested)
  | { readonly kind: 'bound'; readonly lease: Lease4 }
  | ({ readonly kind: 'renewing'; readonly lease: Lease4 } & Requested)
  | ({ readonly kind: 'rebinding'; readonly lease: Lease4 } & Requested)
  /** After a NAK or a DECLINE: nothing is sent before `until`. */
  | { readonly kind: 'waiting'; readonly acquisition: Acquisition; readonly until: Instant }
  | { readonly kind: 'stopped' };

export function newAcquisition(since: Instant): Acquisition {
  return {
    since,
    discovers: 0,
    requests: 0,
    offers: 0,
    naks: 0,
    nakText: undefined,
    ignored: {},
    asked: undefined,
  };
}

/** The lease that the pod may use in this state. */
export function leaseOf(state: Dhcp4State): Lease4 | undefined {
  return state.kind === 'bound' || state.kind === 'renewing' || state.kind === 'rebinding'
    ? state.lease
    : undefined;
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
      return state.lease.times === undefined
        ? undefined
        : earliest(state.resendAt, state.lease.times.expiresAt);
    case 'bound':
      return state.lease.times?.renewAt;
    case 'waiting':
      return state.until;
    case 'init':
    case 'stopped':
      return undefined;
    default:
      return unreachable(state);
  }
}
