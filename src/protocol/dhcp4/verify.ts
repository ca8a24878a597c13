import { IPV4_ANY } from '../../base/ipv4.ts';
import { later } from '../../base/time.ts';
import { resendDelay } from './backoff.ts';
import { buildRebootRequest, secsSince } from './build.ts';
import { isDue, prolong } from './extend.ts';
import { withoutExtras } from './extras.ts';
import { wantsBroadcast } from './manner.ts';
import { hasEnded, type Lease4 } from './lease.ts';
import type { Dhcp4Config, StateOf } from './state.ts';
import { ask, type Env, newXid, type Step, to } from './step.ts';

type Verifying = StateOf<'verifying'>;

/**
 * REQUESTs before the lease is used on as it was, which RFC 2131 3.2 step 3 allows after retransmissions without an
 * answer; its example takes a minute, and these take 64 s. A port of a switch may forward nothing for the first 30 of them (twice the forward delay of
 * IEEE 802.1D).
 */
const VERIFY_TRIES = 8;
/** From T2 on any server may be asked to extend the lease, and little of it is left: 1.75 s. */
const VERIFY_TRIES_AFTER_T2 = 3;

/**
 * Asks whether the lease is good on this network (RFC 2131 3.7), in the form of INIT-REBOOT (RFC 2131 4.3.2, RFC 4436
 * 2.2). That of REBINDING asks for more time for a lease which is right: RFC 2131 4.3.2 says of INIT-REBOOT only that a
 * server SHOULD say NAK to an address of another network, and Kea, ISC dhcpd and udhcpd do just that. `ciaddr` has to be zero, although
 * the pod goes on using its address until there is an answer: an ACK extends the lease, a NAK takes it away.
 *
 * Every second try has no source address, as a client in INIT-REBOOT has none yet (RFC 2131 4.1): a router of another
 * network with a strict reverse path filter (RFC 3704 2.2) drops what comes from an address of this one. The others
 * leave the pod as all that it sends, and so reach a server on another macvlan of this node.
 *
 * All tries have one id, so that a slow answer to one fits the next; the lease counts from the first.
 */
function request(
  config: Dhcp4Config,
  asked: Pick<Verifying, 'lease' | 'xid' | 'requestedAt'>,
  tries: number,
  env: Env,
): Step {
  const { lease, xid, requestedAt } = asked;
  const { address } = lease.address;
  const leftOut = lease.leftOut ?? [];
  const broadcast = wantsBroadcast(config, { leftOut, broadcast: tries > 0 });
  const at = { xid, secs: secsSince(requestedAt, env.now), broadcast };
  const state: Verifying = {
    kind: 'verifying',
    lease,
    xid,
    requestedAt,
    tries: tries + 1,
    resendAt: later(env.now, resendDelay(tries, env.random)),
  };
  const from = tries % 2 === 0 ? IPV4_ANY : address;
  return to(
    state,
    ask(buildRebootRequest(withoutExtras(config, leftOut), at, address), { kind: 'broadcast', from }),
  );
}

/** The caller has looked at the end of the lease. T1 may have come: an ACK is all that a renewal could bring. */
export function verify(config: Dhcp4Config, lease: Lease4, env: Env): Step {
  return request(config, { lease, xid: newXid(env), requestedAt: env.now }, 0, env);
}

/**
 * No answer yet. Who is silent has not said no, so in the end the lease goes on as it was (RFC 2131 3.2 step 3, 3.7),
 * with T1, T2 and its end.
 */
export function verifyAgain(config: Dhcp4Config, state: Verifying, env: Env): Step {
  const { lease, tries } = state;
  const { times } = lease;
  if (hasEnded(lease, env.now)) return prolong(config, state, env);
  const most = times !== undefined && env.now >= times.rebindAt ? VERIFY_TRIES_AFTER_T2 : VERIFY_TRIES;
  if (tries < most) return request(config, state, tries, env);
  return isDue(lease, env) ? prolong(config, state, env) : to({ kind: 'bound', lease });
}
