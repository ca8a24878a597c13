import { between, earliest, later } from '../../base/time.ts';
import type { Answer } from './accept.ts';
import { isOtherAddress, refuse, seek } from './acquire.ts';
import { renewDelay } from './backoff.ts';
import { buildRenewRequest, secsSince } from './build.ts';
import type { Lease4 } from './lease.ts';
import type { LeaseTimes } from './lease-times.ts';
import { type Dhcp4Config, type Dhcp4State, newAcquisition } from './state.ts';
import { ask, bind, type Env, ignore, newXid, type Step, to, type Via } from './step.ts';

type Leased = Extract<Dhcp4State, { readonly kind: 'bound' | 'renewing' | 'rebinding' }>;

/**
 * T1, T2, or a REQUEST that got no answer: RENEWING asks the server that gave the lease, REBINDING any (RFC 2131
 * 4.4.5). Past the end: INIT, as if nothing had been. The caller has looked at the time.
 */
export function prolong(config: Dhcp4Config, state: Leased, env: Env): Step {
  const { lease } = state;
  // An infinite lease is never renewed (RFC 2131 3.3), and so never due.
  if (lease.times === undefined) return to(state);
  if (env.now >= lease.times.expiresAt) return seek(config, newAcquisition(env.now), env);
  return request(config, lease, lease.times, 'tries' in state ? state.tries : 0, env);
}

function request(config: Dhcp4Config, lease: Lease4, times: LeaseTimes, tries: number, env: Env): Step {
  const rebinding = env.now >= times.rebindAt;
  const [from, until] = rebinding ? [times.rebindAt, times.expiresAt] : [times.renewAt, times.rebindAt];
  const address = lease.address.address;
  // A new id for each try (RFC 2131 4.1 leaves it open): the lease counts from the REQUEST that the ACK answers, and
  // tries lie minutes apart. Counted from the first one, a lease that the server shortened would be over on arrival.
  const xid = newXid(env);
  const message = buildRenewRequest(config, { xid, secs: secsSince(times.renewAt, env.now) }, lease);
  const via: Via = rebinding
    ? { kind: 'broadcast', from: address }
    : { kind: 'unicast', from: address, to: lease.serverId };
  const wait = renewDelay(between(env.now, until), between(from, until));
  const state: Dhcp4State = {
    kind: rebinding ? 'rebinding' : 'renewing',
    lease,
    xid,
    tries: tries + 1,
    requestedAt: env.now,
    resendAt: earliest(until, later(env.now, wait)),
  };
  return to(state, ask(message, via));
}

/** RENEWING and REBINDING (RFC 2131 4.4.5, figure 5). */
export function onExtension(
  config: Dhcp4Config,
  state: Extract<Leased, { readonly xid: number }>,
  answer: Answer,
  env: Env,
): Step {
  switch (answer.kind) {
    case 'offer':
      return ignore(state, 'unexpected-type');
    case 'ack':
      // From any server: a failover partner may answer for the one that was asked.
      return isOtherAddress(config, answer.lease.address.address)
        ? ignore(state, 'other-address')
        : bind(answer.lease, env);
    case 'nak':
      // A NAK takes the address away, so it must come from the server that was asked; when rebinding, that is any.
      return state.kind === 'renewing' && answer.serverId !== state.lease.serverId
        ? ignore(state, 'other-server')
        : refuse(config, newAcquisition(env.now), answer.text, env);
  }
}
