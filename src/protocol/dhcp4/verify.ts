import { later } from '../../base/time.ts';
import { resendDelay } from './backoff.ts';
import { buildRenewRequest, secsSince } from './build.ts';
import { isDue, prolong } from './extend.ts';
import { withoutExtras } from './extras.ts';
import type { Lease4 } from './lease.ts';
import type { Dhcp4Config, StateOf } from './state.ts';
import { ask, type Env, newXid, type Step, to } from './step.ts';

type Verifying = StateOf<'verifying'>;

/** REQUESTs before the lease is used on as it was: who is silent has not said no (RFC 2131 3.2 step 4, 3.7). */
const VERIFY_TRIES = 3;

/**
 * Asks every server on the link whether the lease is good here (RFC 2131 3.7), in the form of REBINDING: the pod goes
 * on using its address meanwhile, as RFC 4436 would have it. The tries lie close together, so that a slow answer to
 * the first must fit the third: they have one id, and the lease counts from the first.
 */
function request(
  config: Dhcp4Config,
  from: Omit<Verifying, 'kind' | 'tries' | 'resendAt'>,
  tries: number,
  env: Env,
): Step {
  const { lease, xid, requestedAt } = from;
  const asking = withoutExtras(config, lease.leftOut);
  const message = buildRenewRequest(asking, { xid, secs: secsSince(requestedAt, env.now) }, lease);
  const state: Verifying = {
    kind: 'verifying',
    lease,
    xid,
    requestedAt,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  return to(state, ask(message, { kind: 'broadcast', from: lease.address.address }));
}

export function verify(config: Dhcp4Config, lease: Lease4, env: Env): Step {
  return request(config, { lease, xid: newXid(env), requestedAt: env.now }, 0, env);
}

/** No answer yet. T1, T2 and the end of the lease rule; the caller has looked at the time. */
export function verifyAgain(config: Dhcp4Config, state: Verifying, env: Env): Step {
  const { lease } = state;
  if (isDue(lease, env)) return prolong(config, state, env);
  return state.tries < VERIFY_TRIES ? request(config, state, state.tries, env) : to({ kind: 'bound', lease });
}
