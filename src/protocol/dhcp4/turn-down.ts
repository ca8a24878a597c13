import type { Ipv4 } from '../../base/ipv4.ts';
import { type Instant, later, seconds } from '../../base/time.ts';
import { buildDecline } from './build.ts';
import { asSpoken, leftOutOf } from './manner.ts';
import {
  type Acquisition,
  type Dhcp4Config,
  type Dhcp4State,
  type Held,
  leaseOf,
  type StateOf,
  withIgnored,
} from './state.ts';
import {
  anew,
  BROADCAST,
  type Dhcp4Effect,
  type Env,
  newXid,
  type Objection,
  type Step,
  tell,
  to,
} from './step.ts';
import { placeOf, withTurnedDown } from './turned-down.ts';

/** RFC 2131 3.1 step 5: wait at least ten seconds after a DECLINE. */
const DECLINE_PAUSE = seconds(10);
/** RFC 5227 1.1, 2.1.1: after MAX_CONFLICTS or more, one new address in each RATE_LIMIT_INTERVAL. */
const MOST_CONFLICTS = 10;
const CONFLICT_RATE_LIMIT = seconds(60);
/**
 * A server that offers it for the second time in one search does not choose another one by itself, and is told: a
 * DECLINE may be about an address that was only suggested (RFC 2131 4.3.3).
 */
const OFFERS_UNTIL_DECLINED = 2;

/**
 * An OFFER of an address that must not be taken is not asked for. What others offer is waited for, and a server that
 * insists hears a DECLINE.
 */
export function turnDownOffer(
  config: Dhcp4Config,
  state: StateOf<'selecting'>,
  offer: Held,
  objection: Objection,
  env: Env,
): Step {
  const { acquisition, times, effects } = note(state.acquisition, offer, objection);
  if (!objection.tellServer || times < OFFERS_UNTIL_DECLINED)
    return to({ ...state, acquisition }, ...effects);
  return to(
    pause(acquisition, { told: true, earlier: 0 }, env),
    ...effects,
    declineHeld(config, state, offer, env),
  );
}

/**
 * An ACK that grants an address which must not be taken is declined, and never installed. A lease in use stays in use;
 * no other answer to the same REQUEST counts then, so that a storm of such ACKs causes one DECLINE for each REQUEST.
 */
export function turnDownAck(
  config: Dhcp4Config,
  state: Dhcp4State,
  granted: Held,
  objection: Objection,
  env: Env,
): Step {
  const told = objection.tellServer;
  const declined = told ? [declineHeld(config, state, granted, env)] : [];
  if ('acquisition' in state) {
    const { acquisition, effects } = note(state.acquisition, granted, objection);
    return to(pause(acquisition, { told, earlier: 0 }, env), ...effects, ...declined);
  }
  const effects = effectsOf(granted, objection, true);
  return to('xid' in state ? { ...state, xid: newXid(env) } : state, ...effects, ...declined);
}

/** Somebody else has the leased address: it is declined, and another one is sought. */
export function giveUp(
  config: Dhcp4Config,
  state: Dhcp4State,
  conflict: { readonly holder: string; readonly tellServer: boolean; readonly earlier: number },
  env: Env,
): Step {
  const lease = leaseOf(state);
  if (lease === undefined) return to(state);
  const { holder, tellServer: told, earlier } = conflict;
  const { acquisition } = withTurnedDown(anew(env, undefined, leftOutOf(state)), lease, holder);
  const waiting = pause(acquisition, { told, earlier }, env);
  return told ? to(waiting, declineHeld(config, state, lease, env)) : to(waiting);
}

/** DECLINE by broadcast, as the address must not be used (RFC 2131 4.4.4). `why` is for the server's log. */
export function decline(
  config: Dhcp4Config,
  state: Dhcp4State,
  { address, serverId }: { readonly address: Ipv4; readonly serverId: Ipv4 },
  why: string,
  env: Env,
): Dhcp4Effect {
  const asking = asSpoken(config, state);
  return tell(buildDecline(asking, newXid(env), { address, serverId }, why), BROADCAST);
}

function declineHeld(config: Dhcp4Config, state: Dhcp4State, held: Held, env: Env): Dhcp4Effect {
  const { address, serverId } = held;
  return decline(config, state, { address: address.address, serverId }, 'address in use', env);
}

/** INIT again, after the pause that RFC 2131 3.1 step 5 asks for after a DECLINE. `earlier`: given up like this before, in a row. */
export function pause(
  before: Acquisition,
  { told, earlier }: { readonly told: boolean; readonly earlier: number },
  env: Env,
): StateOf<'waiting'> {
  const declines = before.declines + (told ? 1 : 0);
  return {
    kind: 'waiting',
    acquisition: { ...before, declines, hint: undefined, asked: undefined },
    until: afterDeclines(Math.max(declines, earlier + 1), env.now),
  };
}

function afterDeclines(inARow: number, now: Instant): Instant {
  return later(now, inARow < MOST_CONFLICTS ? DECLINE_PAUSE : CONFLICT_RATE_LIMIT);
}

type Noted = {
  readonly acquisition: Acquisition;
  readonly times: number;
  readonly effects: readonly Dhcp4Effect[];
};

/** The address is in the diagnosis, and is not wished for any longer. */
function note(before: Acquisition, given: Held, objection: Objection): Noted {
  const { reason, holder } = objection;
  const noted = withTurnedDown(withIgnored(before, reason, { server: given.serverId }), given, holder);
  const hint = before.hint === given.address.address ? undefined : before.hint;
  const effects = effectsOf(given, objection, placeOf(before, given) < 0);
  return { acquisition: { ...noted.acquisition, hint }, times: noted.times, effects };
}

function effectsOf(
  { address, serverId: server }: Held,
  objection: Objection,
  isFirst: boolean,
): readonly Dhcp4Effect[] {
  const { reason, holder } = objection;
  const ignored: Dhcp4Effect = { type: 'ignore', reason, server };
  return isFirst
    ? [ignored, { type: 'turned-down', address: address.address, server, reason, holder }]
    : [ignored];
}
