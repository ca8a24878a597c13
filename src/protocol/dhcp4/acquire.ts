import type { Ipv4 } from '../../base/ipv4.ts';
import { later } from '../../base/time.ts';
import type { Answer } from './accept.ts';
import { resendDelay } from './backoff.ts';
import { buildDiscover, buildRebootRequest, buildSelectingRequest, secsSince } from './build.ts';
import { withoutExtras } from './extras.ts';
import { afterRefusal, type Habit, habitOf, isNameless, named } from './habit.ts';
import {
  answeredBy,
  discoverManner,
  isNamelessTry,
  namelessXid,
  rebootManner,
  requestManner,
  wantsBroadcast,
} from './manner.ts';
import { type Acquisition, type Dhcp4Config, newAcquisition, type StateOf } from './state.ts';
import { ask, BROADCAST, type Dhcp4Effect, type Env, newXid, type Step, to } from './step.ts';

/** REQUESTs for one offer before it is given up and sought anew: 0.25 + 0.5 + 1 + 2 + 4 + 8 s (RFC 2131 3.1 step 5). */
const REQUEST_TRIES = 6;
/** REQUESTs of INIT-REBOOT before DISCOVER: servers that don't know the client stay silent (RFC 2131 4.3.2). */
const REBOOT_TRIES = 3;

/**
 * The transaction id stays the same for all DISCOVERs of one search: a slow server's OFFER must still fit (4.1). Those
 * without option 61 are another client's, and have their own.
 */
function discover(
  config: Dhcp4Config,
  { acquisition, xid, nameless }: Pick<StateOf<'selecting'>, 'acquisition' | 'xid' | 'nameless'>,
  tries: number,
  env: Env,
): Step {
  const secs = secsSince(acquisition.since, env.now);
  const manner = discoverManner(config, acquisition, tries);
  const isNamelessNow = isNamelessTry(config, acquisition, tries);
  // RFC 7844 3.3: an address of before tells whose it was.
  const wish = config.anonymous === true ? undefined : (config.requestedAddress ?? acquisition.hint);
  // Not one that would be turned down, but the only one that would do may have become free when the OFFER comes.
  const hopeless = config.requestedAddress === undefined && isObjected(wish, env);
  const message = buildDiscover(
    withoutExtras(config, manner.leftOut),
    { xid: isNamelessNow ? namelessXid(xid) : xid, secs, broadcast: wantsBroadcast(config, manner) },
    hopeless ? undefined : wish,
  );
  const state: StateOf<'selecting'> = {
    kind: 'selecting',
    acquisition: { ...acquisition, discovers: acquisition.discovers + 1 },
    xid,
    secs,
    nameless: nameless || isNamelessNow,
    requestedAt: env.now,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(message, BROADCAST));
}

function isObjected(address: Ipv4 | undefined, env: Env): boolean {
  return address !== undefined && env.objectionTo?.(address) !== undefined;
}

/** INIT (RFC 2131 4.4.1). */
export function seek(config: Dhcp4Config, acquisition: Acquisition, env: Env): Step {
  const { releases, declines, fourMessages } = acquisition;
  const next = { ...acquisition, answered: undefined, fourMessages: fourMessages || releases + declines > 0 };
  const search = { acquisition: next, xid: newXid(env), nameless: false };
  return discover(config, search, 0, env);
}

/** The next DISCOVER now, whatever the time. */
export function discoverNext(config: Dhcp4Config, state: StateOf<'selecting'>, env: Env): Step {
  return discover(config, state, state.tries, env);
}

type Chosen = Omit<StateOf<'requesting'>, 'kind' | 'tries' | 'resendAt'>;

/** The REQUEST after an OFFER, first and again: always with the xid and the secs of the DISCOVER (RFC 2131 3.1, 4.4.1). */
function request(config: Dhcp4Config, chosen: Chosen, tries: number, env: Env): Step {
  const { acquisition, xid, secs, address, serverId, requestedAt } = chosen;
  const manner = requestManner(acquisition, chosen.broadcast, tries);
  const message = buildSelectingRequest(
    withoutExtras(config, manner.leftOut),
    { xid, secs, broadcast: wantsBroadcast(config, manner) },
    { address: address.address, serverId },
  );
  const state: StateOf<'requesting'> = {
    kind: 'requesting',
    acquisition: { ...acquisition, requests: acquisition.requests + 1, asked: { address, serverId } },
    xid,
    secs,
    address,
    serverId,
    ...(chosen.nonceOffered === true ? { nonceOffered: true } : {}),
    requestedAt,
    broadcast: chosen.broadcast,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(message, BROADCAST));
}

/** The offer of this server is asked for. */
export function choose(
  config: Dhcp4Config,
  state: StateOf<'selecting'>,
  offer: Extract<Answer, { readonly kind: 'offer' }>,
  env: Env,
): Step {
  const { acquisition, xid, secs } = state;
  const answered = answeredBy(config, state, env.now);
  const from: Chosen = {
    address: offer.address,
    serverId: offer.serverId,
    acquisition: { ...acquisition, answered, offers: acquisition.offers + 1 },
    xid,
    secs,
    ...(offer.nonceOffered ? { nonceOffered: true } : {}),
    requestedAt: env.now,
    // If it took the broadcast bit to hear the OFFER, it takes it to hear the ACK. A late one may answer any try.
    broadcast: answered.prompt ? answered.manner.broadcast : state.tries > 1 || answered.manner.broadcast,
  };
  return request(config, from, 0, env);
}

type Remembered = Omit<StateOf<'rebooting'>, 'kind' | 'tries' | 'resendAt'>;

function reboot(config: Dhcp4Config, from: Remembered, tries: number, env: Env): Step {
  const { acquisition, xid, address, requestedAt } = from;
  const manner = rebootManner(acquisition, tries);
  const broadcast = wantsBroadcast(config, manner);
  const at = { xid, secs: secsSince(acquisition.since, env.now), broadcast };
  const state: StateOf<'rebooting'> = {
    kind: 'rebooting',
    acquisition: { ...acquisition, requests: acquisition.requests + 1 },
    xid,
    address,
    requestedAt,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(buildRebootRequest(withoutExtras(config, manner.leftOut), at, address), BROADCAST));
}

/** What is known when a client begins. `hint`: an address that was given back. `habit`: of clients before this one. */
export type Beginning = { readonly hint?: Ipv4 | undefined; readonly habit?: Habit | undefined };

/**
 * INIT-REBOOT where this client has an address that may still be its own (RFC 2131 3.2, 4.4.2), else INIT (4.4.1). An
 * address that somebody only wishes for is no reason for INIT-REBOOT: a server that has no record of the client MUST
 * remain silent (4.3.2).
 */
export function start(
  config: Dhcp4Config,
  { last, lapsed, leftOut }: StateOf<'init'>,
  { hint, habit }: Beginning,
  env: Env,
): Step {
  const acquisition = newAcquisition(env.now, last ?? hint, beginWith(config, habit, last ?? hint, leftOut));
  const isAnother = config.requestedAddress !== undefined && config.requestedAddress !== last;
  // RFC 7844 3.3: "any client that is concerned with privacy SHOULD perform a complete four-way handshake".
  const isAnonymous = config.anonymous === true;
  if (last === undefined || lapsed === true || isAnother || isAnonymous || isObjected(last, env))
    return seek(config, acquisition, env);
  return reboot(config, { acquisition, xid: newXid(env), address: last, requestedAt: env.now }, 0, env);
}

/** Others' habit, but of the own identity: who had an address had it under the name that it gave then. */
function beginWith(
  config: Dhcp4Config,
  habit: Habit | undefined,
  had: Ipv4 | undefined,
  leftOut: readonly number[] | undefined,
): Habit {
  const own = habitOf(leftOut);
  if (habit === undefined || isNameless(own)) return own;
  return config.clientIdOptional === true && had === undefined ? habit : named(habit);
}

/** The states in which an address is sought and an answer is waited for. */
type Seeking = StateOf<'selecting' | 'requesting' | 'rebooting'>;

/** Sends again what got no answer, or gives it up. The caller has looked at the time. */
export function resend(config: Dhcp4Config, state: Seeking, env: Env): Step {
  switch (state.kind) {
    case 'selecting':
      return discoverNext(config, state, env);
    case 'requesting':
      return state.tries < REQUEST_TRIES
        ? request(config, state, state.tries, env)
        : giveUpOffer(config, state, env);
    case 'rebooting':
      return state.tries < REBOOT_TRIES
        ? reboot(config, state, state.tries, env)
        : seek(config, state.acquisition, env);
  }
}

/**
 * RFC 2131 3.1 step 5: neither ACK nor NAK, back to INIT, and the user SHOULD be told. What is known of the LAN does not
 * help here.
 */
function giveUpOffer(config: Dhcp4Config, state: StateOf<'requesting'>, env: Env): Step {
  const { acquisition, address, serverId: server } = state;
  const next = seek(config, { ...acquisition, habit: afterRefusal(acquisition.habit) }, env);
  return to(next.state, { type: 'unacknowledged', address: address.address, server }, ...next.effects);
}

/** Sends now, as the first of a new row of tries, what may never have left; with its id, and with the chosen OFFER. */
export function resendAnew(config: Dhcp4Config, state: Seeking, env: Env): Step {
  switch (state.kind) {
    case 'selecting':
      return discover(config, state, 0, env);
    case 'requesting':
      return request(config, state, 0, env);
    case 'rebooting':
      return reboot(config, state, 0, env);
  }
}

/**
 * A NAK: begin again (RFC 2131 3.1 step 5, 3.2 step 3, figure 5), at once after the first, ever later after further
 * ones so that a NAK storm stays a breeze.
 */
export function refuse(
  config: Dhcp4Config,
  acquisition: Acquisition,
  nak: Extract<Answer, { readonly kind: 'nak' }>,
  env: Env,
): Step {
  const { text, serverId: server } = nak;
  const next = {
    ...acquisition,
    habit: afterRefusal(acquisition.habit),
    naks: acquisition.naks + 1,
    nakText: text,
    nakServer: server,
    wanted: config.requestedAddress,
    asked: undefined,
  };
  return seekAgain(config, next, next.naks, [{ type: 'refused', text, server }], env);
}

/** INIT after the refusal number `refusals`: see `refuse`. `first` is what is done before. */
export function seekAgain(
  config: Dhcp4Config,
  acquisition: Acquisition,
  refusals: number,
  first: readonly Dhcp4Effect[],
  env: Env,
): Step {
  if (refusals > 1) {
    const until = later(env.now, resendDelay(refusals, env.random));
    return to({ kind: 'waiting', acquisition, until }, ...first);
  }
  const again = seek(config, acquisition, env);
  return to(again.state, ...first, ...again.effects);
}
