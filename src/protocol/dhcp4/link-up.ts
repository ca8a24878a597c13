import { unreachable } from '../../base/invariant.ts';
import { between, earliest, later, seconds } from '../../base/time.ts';
import { resendAnew, seek } from './acquire.ts';
import { isDue, prolong } from './extend.ts';
import { hasEnded } from './lease.ts';
import type { Dhcp4Config, Dhcp4State, StateOf } from './state.ts';
import { anew, type Env, type Step, to } from './step.ts';
import { verify } from './verify.ts';

/** After so many tries the next one is at most 0.6 s away: nothing has to be done for it. */
const QUICK_TRIES = 2;
/** A REQUEST for a lease in use is not repeated faster, and an ACK is good for as long: links may flap. */
const CALM = seconds(1);

/**
 * It may be another network: that comes before more time for the lease. A renewal asks the server of the old one, and
 * a server of the new one stays silent to whoever only wants to extend a lease.
 */
function onNewLan(
  config: Dhcp4Config,
  state: StateOf<'bound' | 'renewing' | 'rebinding' | 'verifying'>,
  env: Env,
): Step {
  const { lease } = state;
  if (hasEnded(lease, env.now)) return prolong(config, state, env);
  // RFC 7844 3.2, 3.3: who cannot be sure of the network tells it no address of another one, and begins anew.
  if (config.anonymous === true) return seek(config, anew(env, undefined, lease.leftOut), env);
  return verify(config, lease, env);
}

/**
 * The link carries frames again: what waits for an answer may never have left, so it is sent again, and quickly, as if
 * it had just begun. All of it is bounded: a link that flaps all the time causes a few packets a second.
 */
export function onLinkUp(config: Dhcp4Config, state: Dhcp4State, verifyLease: boolean, env: Env): Step {
  switch (state.kind) {
    case 'selecting':
    case 'requesting':
    case 'rebooting':
      return state.tries <= QUICK_TRIES ? to(state) : resendAnew(config, state, env);
    case 'bound':
      if (verifyLease && between(state.lease.acquiredAt, env.now) >= CALM)
        return onNewLan(config, state, env);
      return isDue(state.lease, env) ? prolong(config, state, env) : to(state);
    case 'renewing':
    case 'rebinding':
      if (verifyLease) return onNewLan(config, state, env);
      return between(state.requestedAt, env.now) < CALM ? to(state) : prolong(config, state, env, 'link-up');
    case 'verifying':
      return state.tries <= QUICK_TRIES ? to(state) : onNewLan(config, state, env);
    case 'ipv6-only':
      // RFC 8925 3.2: the wait ends with a network attachment event. (A moment later: see CALM.)
      return to({ ...state, until: earliest(state.until, later(env.now, CALM)) });
    case 'init':
    case 'waiting':
    case 'stopped':
      return to(state);
    default:
      return unreachable(state);
  }
}
