import { unreachable } from '../../base/invariant.ts';
import { between, type Instant } from '../../base/time.ts';
import type { Asking } from './build.ts';
import { EXTRA, type Manner, nameOnly, union, withoutExtras } from './extras.ts';
import { type Answered, type Habit, isNameless, learn, mannerOf, nameless, PROMPT } from './habit.ts';
import type { Acquisition, Dhcp4Config, Dhcp4State, StateOf } from './state.ts';

/**
 * From this DISCOVER on (7.75 s), every other one lacks option 61, where that may be. A server that pings an address
 * before it offers it takes up to six seconds, and to it this is a new client, with an address of its own to ping.
 */
const NAMELESS_FROM = 5;
/** REQUESTs that are whole before one is as the DISCOVER was that was answered: sooner where that was seen for sure. */
const WHOLE_REQUESTS = { sure: 1, unsure: 4 };
/** This REQUEST is whole whatever is known: what is known may be wrong by now. */
const WHOLE_AGAIN = 2;
/** One REQUEST in so many is without the broadcast bit, which a first answer needed or did not. */
const UNICAST_EVERY = 3;

/** Whether an OFFER was not taken for the address in it: its server heard the message, and had nothing against it. */
function wasHeard({ turnedDown, ignored }: Acquisition): boolean {
  return turnedDown.length > 0 || ignored['other-address'] !== undefined;
}

/** Whether the DISCOVER number `tries` (from 0) lacks option 61, of a client that has one. */
export function isNamelessTry(config: Dhcp4Config, acquisition: Acquisition, tries: number): boolean {
  const { habit, hint, offers, naks } = acquisition;
  const isOurs = config.clientIdOptional === true && config.clientId !== undefined;
  // Who had an address had it under its identifier, and who was answered is not unheard.
  if (!isOurs || isNameless(habit) || hint !== undefined || offers + naks > 0) return false;
  if (wasHeard(acquisition)) return false;
  return tries >= NAMELESS_FROM && (tries - NAMELESS_FROM) % 2 === 0;
}

/** The transaction of the DISCOVERs without option 61, beside the one of those with it. */
export function namelessXid(xid: number): number {
  return (xid ^ 1) >>> 0;
}

/**
 * A message to the transaction without option 61 meets a client that has none. It is plain what it answers: a DISCOVER
 * without option 61, the last one.
 */
export function addressed(config: Dhcp4Config, state: Dhcp4State, xid: number): Dhcp4State {
  if (state.kind !== 'selecting' || !state.nameless || xid !== namelessXid(state.xid)) return state;
  const { acquisition, tries } = state;
  // The row of tries may have begun anew since (the link came back).
  const at = isNamelessTry(config, acquisition, tries - 1) ? tries - 1 : Math.max(NAMELESS_FROM, tries - 2);
  const habit = nameless(acquisition.habit);
  const manner = mannerOf(config, habit, at);
  const before = mannerOf(config, acquisition.habit, at - 1);
  const answered: Answered = { manner, before, prompt: true };
  return { ...state, xid, nameless: false, acquisition: { ...acquisition, habit, answered } };
}

/** How the DISCOVER number `tries` (from 0) of a search is asked. */
export function discoverManner(config: Dhcp4Config, acquisition: Acquisition, tries: number): Manner {
  const { habit, fourMessages } = acquisition;
  const manner = mannerOf(config, isNamelessTry(config, acquisition, tries) ? nameless(habit) : habit, tries);
  // Where only one address will do, the OFFER is looked at before a server commits another one (RFC 4039).
  return fourMessages || config.requestedAddress !== undefined
    ? { ...manner, leftOut: union(manner.leftOut, [EXTRA.rapidCommit]) }
    : manner;
}

/** Whether rapid commit was offered in a DISCOVER of this search; `tries` of them were sent. */
export function offeredRapid(config: Dhcp4Config, acquisition: Acquisition, tries: number): boolean {
  // From the third one on it is left out.
  const manners = [0, 1].slice(0, tries).map((at) => discoverManner(config, acquisition, at));
  return manners.some(({ leftOut }) => withoutExtras(config, leftOut).rapidCommit);
}

/** Which DISCOVER of this search an answer answers, as far as that can be known: the last one, if it comes at once. */
export function answeredBy(config: Dhcp4Config, state: StateOf<'selecting'>, now: Instant): Answered {
  const { acquisition, tries, requestedAt } = state;
  if (acquisition.answered !== undefined) return acquisition.answered;
  const last = tries - 1;
  const isKnown = !wasHeard(acquisition) && !isNamelessTry(config, acquisition, last);
  return {
    manner: mannerOf(config, acquisition.habit, last),
    before: last === 0 ? undefined : mannerOf(config, acquisition.habit, last - 1),
    prompt: isKnown && between(requestedAt, now) <= PROMPT,
  };
}

/**
 * How the REQUEST number `tries` (from 0) for an OFFER is asked. The first one is whole where it was not seen that it
 * must not be: its answer is the lease, and the OFFER may have come late, for a DISCOVER that was whole. A later one
 * lacks what the DISCOVER lacked that was answered, and never more: the server has taken that.
 */
export function requestManner({ habit, answered }: Acquisition, broadcast: boolean, tries: number): Manner {
  const whole = answered?.prompt === true ? WHOLE_REQUESTS.sure : WHOLE_REQUESTS.unsure;
  const known = tries === WHOLE_AGAIN ? nameOnly(habit.request) : habit.request;
  const isWhole = tries < whole || tries === WHOLE_AGAIN;
  return {
    leftOut: isWhole ? known : union(known, answered?.manner.leftOut ?? []),
    broadcast: tries === 0 ? broadcast : tries % UNICAST_EVERY !== 0,
  };
}

/** The same of INIT-REBOOT: silence is what it expects of a server that does not know the client (RFC 2131 4.3.2). */
export function rebootManner({ habit }: Acquisition, tries: number): Manner {
  return { leftOut: habit.request, broadcast: tries === 0 ? habit.first.broadcast : true };
}

/** Whether the bit is set in a message of this manner. */
export function wantsBroadcast({ broadcast }: Dhcp4Config, manner: Manner): boolean {
  return broadcast === 'always' || (broadcast === 'auto' && manner.broadcast);
}

/** What the message lacks whose answer is the lease; option 80 is in no REQUEST anyway (RFC 4039 3). */
export function leftOutOf(state: Dhcp4State): readonly number[] {
  switch (state.kind) {
    case 'selecting':
      // Rapid commit is offered in whole messages only.
      return nameOnly(state.acquisition.habit.request);
    case 'requesting': {
      const { leftOut } = requestManner(state.acquisition, state.broadcast, state.tries - 1);
      return leftOut.filter((code) => code !== EXTRA.rapidCommit);
    }
    case 'rebooting':
    case 'waiting':
      return state.acquisition.habit.request;
    case 'bound':
    case 'renewing':
    case 'rebinding':
    case 'verifying':
      return state.lease.leftOut ?? [];
    case 'init':
      return state.leftOut ?? [];
    case 'ipv6-only':
    case 'stopped':
      return [];
    default:
      return unreachable(state);
  }
}

/** This client as it speaks in this state. */
export function asSpoken(config: Dhcp4Config, state: Dhcp4State): Asking {
  return withoutExtras(config, leftOutOf(state));
}

/**
 * How the next client should begin, by what this one's way to its lease has shown: `state` is the last one before there
 * was a lease. Undefined where nothing was asked that could show something.
 */
export function lessonOf(config: Dhcp4Config, state: Dhcp4State, now: Instant): Habit | undefined {
  if (state.kind !== 'selecting' && state.kind !== 'requesting') return undefined;
  const { habit, answered } = state.acquisition;
  const learned = learn(habit, state.kind === 'requesting' ? answered : answeredBy(config, state, now));
  const suspected = learned.first.leftOut;
  return { ...learned, request: leftOutOf(state).filter((code) => suspected.includes(code)) };
}
