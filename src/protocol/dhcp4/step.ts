import type { Ipv4 } from '../../base/ipv4.ts';
import { IPV4_ANY } from '../../base/ipv4.ts';
import type { Instant } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import type { Lease4 } from './lease.ts';
import { spreadTimes } from './lease-times.ts';
import type { IgnoreReason } from './reasons.ts';
import type { Dhcp4State } from './state.ts';

/** Where a message goes: to everybody on the link, or to one server from the address that the pod holds. */
export type Via =
  | { readonly kind: 'broadcast'; readonly from: Ipv4 }
  | { readonly kind: 'unicast'; readonly from: Ipv4; readonly to: Ipv4 };

export type Dhcp4Event =
  | { readonly type: 'start' }
  /** The time of `wakeAt` has come; an early or a second one changes nothing. */
  | { readonly type: 'wake' }
  | { readonly type: 'message'; readonly message: Dhcp4Message }
  /** Bytes for this client that are no message; what is wrong with them is counted where they were read. */
  | { readonly type: 'garbled' }
  /** Somebody else uses the leased address (RFC 5227): DECLINE, and begin again after a pause. */
  | { readonly type: 'conflict' }
  /** The owner needs the address no longer: RELEASE what is held or was asked for, and stop. */
  | { readonly type: 'release' };

export type Dhcp4Effect =
  /** `reply`: whether an answer may come, so that the sender must listen. */
  | { readonly type: 'send'; readonly message: Dhcp4Message; readonly via: Via; readonly reply: boolean }
  /** Configure the pod with this lease (the first one, or one that differs). */
  | { readonly type: 'install'; readonly lease: Lease4 }
  /** The pod must not use this address any more. */
  | { readonly type: 'withdraw'; readonly lease: Lease4 }
  /** The same configuration, for longer. */
  | { readonly type: 'extend'; readonly lease: Lease4 }
  | { readonly type: 'refused'; readonly text: string | undefined }
  | { readonly type: 'ignore'; readonly reason: IgnoreReason };

/** The world as this step sees it: the time, and numbers in [0, 1). */
export type Env = { readonly now: Instant; readonly random: () => number };

export type Step = { readonly state: Dhcp4State; readonly effects: readonly Dhcp4Effect[] };

/** RFC 2131 4.1: the source is 0 until the client has its address. */
export const BROADCAST: Via = { kind: 'broadcast', from: IPV4_ANY };

export function newXid(env: Env): number {
  return Math.floor(env.random() * 2 ** 32) >>> 0;
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

/** Counts a message that was not taken, in the state (for the diagnosis) and as an effect (for the counters). */
export function ignore(state: Dhcp4State, reason: IgnoreReason): Step {
  const effect: Dhcp4Effect = { type: 'ignore', reason };
  if (!('acquisition' in state)) return to(state, effect);
  const { acquisition } = state;
  const ignored = { ...acquisition.ignored, [reason]: (acquisition.ignored[reason] ?? 0) + 1 };
  return to({ ...state, acquisition: { ...acquisition, ignored } }, effect);
}

/** BOUND, with T1 and T2 of its own. */
export function bind(lease: Lease4, env: Env): Step {
  const { acquiredAt, times } = lease;
  if (times === undefined) return to({ kind: 'bound', lease });
  return to({ kind: 'bound', lease: { ...lease, times: spreadTimes(acquiredAt, times, env.random) } });
}
