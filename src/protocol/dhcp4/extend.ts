import { between, earliest, later } from '../../base/time.ts';
import { type Answer, grantedBy, speakerOf } from './accept.ts';
import { refuse, seek } from './acquire.ts';
import { renewDelay, renewDelayOutOfTime, renewDelayWithoutEnd } from './backoff.ts';
import { bind } from './bind.ts';
import { buildRenewRequest, secsSince } from './build.ts';
import { withoutExtras } from './extras.ts';
import { refuseAck } from './give-back.ts';
import type { Lease4 } from './lease.ts';
import type { LeaseTimes } from './lease-times.ts';
import type { Dhcp4Config, StateOf } from './state.ts';
import { anew, ask, type Env, ignore, newXid, type Step, to, type Via } from './step.ts';
import { isOtherAddress } from './verdict.ts';

type Leased = StateOf<'bound' | 'renewing' | 'rebinding' | 'verifying'>;

/** Whether T1 has come: from then on the lease is renewed, whatever else was going on. */
export function isDue({ times }: Lease4, env: Env): boolean {
  return times !== undefined && env.now >= times.renewAt;
}

/**
 * Why a REQUEST is sent: its time has come, the link came up and an earlier one may be lost, or the server wants it
 * (FORCERENEW).
 */
type Cause = 'time' | 'link-up' | 'forced';

/** REQUESTs for a lease without an end that its server has asked for, and does not answer: 4 + 8 + 16 + 32 s. */
const TRIES_WITHOUT_END = 4;

/**
 * T1, T2, or a REQUEST that got no answer: RENEWING asks the server that gave the lease, REBINDING any (RFC 2131
 * 4.4.5). Past the end: INIT, with the address as a wish. The caller has looked at the time.
 */
export function prolong(config: Dhcp4Config, state: Leased, env: Env, cause: Cause = 'time'): Step {
  const { lease } = state;
  // An infinite lease is never renewed (RFC 2131 3.3), but where its server wants it. It is good whatever comes of that.
  if (lease.times === undefined) {
    const tries = state.kind === 'renewing' ? state.tries : TRIES_WITHOUT_END;
    return tries < TRIES_WITHOUT_END
      ? requestWithoutEnd(config, lease, tries, env)
      : to({ kind: 'bound', lease });
  }
  if (env.now >= lease.times.expiresAt) {
    return seek(config, anew(env, lease.address.address, lease.leftOut), env);
  }
  const goesOn = cause === 'time' && (state.kind === 'renewing' || state.kind === 'rebinding');
  return request(config, { lease, times: lease.times, tries: goesOn ? state.tries : 0, cause }, env);
}

/**
 * RENEWING at once, whatever the time, with a new row of tries: a server has asked for it (RFC 3203 2.2). From T2 on all
 * servers are asked, as they are then (RFC 2131 4.4.5), and that one hears it as well.
 */
export function renewNow(config: Dhcp4Config, state: Leased, env: Env): Step {
  const { lease } = state;
  return lease.times === undefined
    ? requestWithoutEnd(config, lease, 0, env)
    : prolong(config, state, env, 'forced');
}

function requestWithoutEnd(config: Dhcp4Config, lease: Lease4, tries: number, env: Env): Step {
  const { address } = lease.address;
  const xid = newXid(env);
  const message = buildRenewRequest(withoutExtras(config, lease.leftOut), { xid, secs: 0 }, lease);
  const resendAt = later(env.now, renewDelayWithoutEnd(tries));
  const state: StateOf<'renewing'> = {
    kind: 'renewing',
    lease,
    xid,
    tries: tries + 1,
    requestedAt: env.now,
    resendAt,
  };
  return to(state, ask(message, { kind: 'unicast', from: address, to: lease.serverId }));
}

type Again = {
  readonly lease: Lease4;
  readonly times: LeaseTimes;
  readonly tries: number;
  readonly cause: Cause;
};

function request(config: Dhcp4Config, { lease, times, tries, cause }: Again, env: Env): Step {
  const rebinding = env.now >= times.rebindAt;
  const [from, until] = rebinding ? [times.rebindAt, times.expiresAt] : [times.renewAt, times.rebindAt];
  const address = lease.address.address;
  // A new id for each try (RFC 2131 4.1 leaves it open): the lease counts from the REQUEST that the ACK answers, and
  // tries lie minutes apart. Counted from the first one, a lease that the server shortened would be over on arrival.
  const xid = newXid(env);
  const asking = withoutExtras(config, lease.leftOut);
  const message = buildRenewRequest(asking, { xid, secs: secsSince(times.renewAt, env.now) }, lease);
  const via: Via = rebinding
    ? { kind: 'broadcast', from: address }
    : { kind: 'unicast', from: address, to: lease.serverId };
  const delay = cause === 'time' ? renewDelay : renewDelayOutOfTime;
  const wait = delay(between(env.now, until), between(from, until));
  const state: StateOf<'renewing' | 'rebinding'> = {
    kind: rebinding ? 'rebinding' : 'renewing',
    lease,
    xid,
    tries: tries + 1,
    requestedAt: env.now,
    resendAt: earliest(until, later(env.now, wait)),
  };
  return to(state, ask(message, via));
}

/** RENEWING, REBINDING and the check of a lease (RFC 2131 3.7, 4.4.5, figure 5). */
export function onExtension(
  config: Dhcp4Config,
  state: Extract<Leased, { readonly xid: number }>,
  answer: Answer,
  env: Env,
): Step {
  switch (answer.kind) {
    case 'offer':
    case 'ipv6-only':
      return ignore(state, 'unexpected-type');
    case 'ack':
      // From any server: a failover partner may answer for the one that was asked. Option 108 in it changes nothing:
      // an address in use stays in use (RFC 8925 3.2).
      return isOtherAddress(config, answer.lease.address.address)
        ? refuseAck(config, state, grantedBy(answer), 'other-address', env)
        : bind(config, state, answer.lease, env);
    case 'nak':
      // A NAK takes the address away, so it must come from the server that was asked; after a broadcast, that is any.
      // The address is not wished for again: somebody who should know says that it is wrong here.
      return state.kind === 'renewing' && answer.serverId !== state.lease.serverId
        ? ignore(state, 'other-server', speakerOf(answer))
        : refuse(config, anew(env, undefined, state.lease.leftOut), answer, env);
  }
}
