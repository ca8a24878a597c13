import { later, seconds } from '../../base/time.ts';
import { hasEnded, type Lease4 } from './lease.ts';
import { spreadTimes } from './lease-times.ts';
import { leftOutOf } from './manner.ts';
import { type Dhcp4Config, type Dhcp4State, leaseOf, type OtherServers } from './state.ts';
import { type Env, ignore, type Step, to } from './step.ts';
import { turnDownAck } from './turn-down.ts';

/** A server may look for an address before it gives it: dnsmasq for three seconds, the others for less. */
const OTHERS_HEARD_FOR = seconds(4);

/** Rapid commit: each server of several commits a lease, and may be heard later than the first (RFC 4039 3.2). */
function otherServers(xid: number, env: Env): OtherServers {
  return { xid, until: later(env.now, OTHERS_HEARD_FOR), heard: [] };
}

/**
 * BOUND, with T1 and T2 of its own. An answer may come so late that there is nothing left of the lease, or grant an
 * address that somebody else has; the one in use was had first, and may be had on.
 */
export function bind(config: Dhcp4Config, from: Dhcp4State, granted: Lease4, env: Env): Step {
  const leftOut = leftOutOf(from);
  const lease = leftOut.length === 0 ? granted : { ...granted, leftOut };
  const { acquiredAt, times, address } = lease;
  if (hasEnded(lease, env.now)) return ignore(from, 'lease-over', lease.serverId);
  const isInUse = leaseOf(from)?.address.address === address.address;
  const objection = isInUse ? undefined : env.objectionTo?.(address.address);
  if (objection !== undefined) return turnDownAck(config, from, lease, objection, env);
  const others = from.kind === 'selecting' ? { others: otherServers(from.xid, env) } : {};
  if (times === undefined) return to({ kind: 'bound', lease, ...others });
  const spread = { ...lease, times: spreadTimes(acquiredAt, times, env.random) };
  return to({ kind: 'bound', lease: spread, ...others });
}
