import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { IPV4_ANY } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import type { Instant } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import type { ForceRenew, ForceRenewRefusal, HmacMd5 } from './force-renew.ts';
import { type Habit, habitOf } from './habit.ts';
import type { Lease4 } from './lease.ts';
import type { IgnoreReason } from './reasons.ts';
import type { Source } from './source.ts';
import { type Acquisition, type Dhcp4State, newAcquisition, withIgnored } from './state.ts';

/**
 * Where a message goes: to everybody on the link, or to one server from the address that the pod holds. `hop`: the
 * Ethernet address at which the server, or the way to it, was heard just now.
 */
export type Via =
  | { readonly kind: 'broadcast'; readonly from: Ipv4 }
  | { readonly kind: 'unicast'; readonly from: Ipv4; readonly to: Ipv4; readonly hop?: Mac | undefined };

export type Dhcp4Event =
  /**
   * `hint`: an address that this client had and gave back. It is asked for in DISCOVER (RFC 2131 4.4.1), not by
   * INIT-REBOOT: a server that has released the lease would stay silent. Another address is taken as well. `habit`: what
   * clients before this one found out about the LAN.
   */
  | { readonly type: 'start'; readonly hint?: Ipv4 | undefined; readonly habit?: Habit | undefined }
  /** The time of `wakeAt` has come; an early or a second one changes nothing. */
  | { readonly type: 'wake' }
  /** `source`: where it came from. Undefined: not known, and not taken where servers are listed. */
  | { readonly type: 'message'; readonly message: Dhcp4Message; readonly source?: Source | undefined }
  /** Bytes for this client that are no message; what is wrong with them is counted where they were read. */
  | { readonly type: 'garbled' }
  /**
   * The link can carry frames again: what waits for an answer is sent again at once. `verify`: it may be another
   * network now, so a lease in use is confirmed (RFC 2131 3.7).
   */
  | { readonly type: 'link-up'; readonly verify: boolean }
  /** Somebody else uses the leased address (RFC 5227): DECLINE, and begin again after a pause. */
  | {
      readonly type: 'conflict';
      /** Who, in words, for the diagnosis. */
      readonly holder?: string | undefined;
      /** False: no DECLINE, because the server gave the address to a client of this very identity. */
      readonly tellServer?: boolean | undefined;
      /** How many addresses were given up for this before, in a row. */
      readonly earlier?: number | undefined;
    }
  /** A server wants the lease to be renewed now (RFC 3203); believed only where it is authenticated (RFC 6704). */
  | { readonly type: 'force-renew'; readonly heard: ForceRenew }
  /** A renewal that a server has asked for has its turn. */
  | { readonly type: 'renew' }
  /** The owner needs the address no longer: RELEASE what is held or was asked for, and stop. */
  | { readonly type: 'release' };

export type Dhcp4Effect =
  /** `reply`: whether an answer may come, so that the sender must listen. */
  | { readonly type: 'send'; readonly message: Dhcp4Message; readonly via: Via; readonly reply: boolean }
  /**
   * Configure the pod with this lease: the first one, or one that differs from the lease `replaces` that is in use;
   * what only that one had has to go.
   */
  | { readonly type: 'install'; readonly lease: Lease4; readonly replaces: Lease4 | undefined }
  /** The pod must not use this address any more, and has none now. */
  | { readonly type: 'withdraw'; readonly lease: Lease4 }
  /** The same configuration, for longer. */
  | { readonly type: 'extend'; readonly lease: Lease4 }
  /** A NAK of this server was obeyed; `text` is its option 56. */
  | { readonly type: 'refused'; readonly text: string | undefined; readonly server: Ipv4 }
  /**
   * A message was not taken. `server` is who sent it by its option 54, `source` where it came from, each where that is
   * part of the reason.
   */
  | {
      readonly type: 'ignore';
      readonly reason: IgnoreReason;
      readonly server?: Ipv4 | undefined;
      readonly source?: Source | undefined;
    }
  /**
   * What became of a FORCERENEW from `source`. Taken where there is no `refusal`: the state is to be stored, and `renew`
   * to follow.
   */
  | {
      readonly type: 'force-renew';
      readonly refusal: ForceRenewRefusal | undefined;
      readonly source: ForceRenew['source'];
    }
  /** A server gave an address that somebody else has: said once for each address and server of one search. */
  | {
      readonly type: 'turned-down';
      readonly address: Ipv4;
      readonly server: Ipv4;
      readonly reason: Objection['reason'];
      readonly holder: string;
    }
  /** A server granted what is not taken; `told`: whether it heard so, and how. */
  | {
      readonly type: 'not-accepted';
      readonly address: Ipv4;
      readonly server: Ipv4;
      readonly reason: IgnoreReason;
      readonly told: 'DHCPRELEASE' | 'DHCPDECLINE' | undefined;
    }
  /** The server that offered the address has answered none of the REQUESTs for it (RFC 2131 3.1 step 5). */
  | { readonly type: 'unacknowledged'; readonly address: Ipv4; readonly server: Ipv4 }
  /** The network prefers IPv6 only (RFC 8925): no address is sought before `until`. */
  | { readonly type: 'ipv6-only'; readonly until: Instant };

/** Why an address that a server gives must not be taken. */
export type Objection = {
  readonly reason: Extract<IgnoreReason, 'held-on-this-node' | 'in-conflict'>;
  /** Who has it, in words. */
  readonly holder: string;
  /** False: the server gave the address to a client of this very identity, and a DECLINE would take it from that. */
  readonly tellServer: boolean;
};

/** The world as this step sees it. */
export type Env = {
  readonly now: Instant;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Networks that no route and no address of a lease may lie in: service networks, the node. */
  readonly protect: readonly Cidr<Ipv4>[];
  /** Whether an address may be taken that this client does not have already. Left out: every one may. */
  readonly objectionTo?: ((address: Ipv4) => Objection | undefined) | undefined;
  /** Undefined where this machine has no MD5. */
  readonly hmacMd5?: HmacMd5 | undefined;
  /** While somebody waits for a first lease: what happened up to now, for a search that begins anew. */
  readonly account?: Acquisition | undefined;
};

export type Step = { readonly state: Dhcp4State; readonly effects: readonly Dhcp4Effect[] };

/** RFC 2131 4.1: the source is 0 until the client has its address. (Whole frames leave, so no other one gets in.) */
export const BROADCAST: Via = { kind: 'broadcast', from: IPV4_ANY };

export function newXid(env: Env): number {
  return Math.floor(env.random() * 2 ** 32) >>> 0;
}

/**
 * The account of a search that begins anew after a lease: that of whoever still waits goes on. `leftOut`: what the
 * messages of that lease lacked.
 */
export function anew(
  { now, account }: Env,
  hint: Ipv4 | undefined,
  leftOut: readonly number[] | undefined,
): Acquisition {
  return account === undefined
    ? newAcquisition(now, hint, habitOf(leftOut))
    : { ...account, hint, asked: undefined };
}

/** Sends what wants an answer. */
export function ask(message: Dhcp4Message, via: Via): Dhcp4Effect {
  return { type: 'send', message, via, reply: true };
}

/** Sends what nobody answers: RELEASE and DECLINE. */
export function tell(message: Dhcp4Message, via: Via): Dhcp4Effect {
  return { type: 'send', message, via, reply: false };
}

export function to(state: Dhcp4State, ...effects: readonly Dhcp4Effect[]): Step {
  return { state, effects };
}

/**
 * Counts a message that was not taken, in the state (for the diagnosis) and as an effect (for the counters). `server`
 * is who sent it and `source` where it came from, where that is part of the reason.
 */
export function ignore(state: Dhcp4State, reason: IgnoreReason, server?: Ipv4, source?: Source): Step {
  const who = { ...(server === undefined ? {} : { server }), ...(source === undefined ? {} : { source }) };
  const effect: Dhcp4Effect = { type: 'ignore', reason, ...who };
  if (!('acquisition' in state)) return to(state, effect);
  return to({ ...state, acquisition: withIgnored(state.acquisition, reason, who) }, effect);
}
