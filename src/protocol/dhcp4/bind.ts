import type { Lease4 } from './lease.ts';
import { spreadTimes } from './lease-times.ts';
import { leftOutOf } from './manner.ts';
import { type Dhcp4Config, type Dhcp4State, leaseOf } from './state.ts';
import { type Env, ignore, type Step, to } from './step.ts';
import { turnDownAck } from './turn-down.ts';

/**
 * BOUND, with T1 and T2 of its own. An answer may come so late that there is nothing left of the lease, or grant an
 * address that somebody else has; the one in use was had first, and may be had on.
 */
export function bind(config: Dhcp4Config, from: Dhcp4State, granted: Lease4, env: Env): Step {
  const leftOut = leftOutOf(from);
  const lease = leftOut.length === 0 ? granted : { ...granted, leftOut };
  const { acquiredAt, times, address } = lease;
  if (times !== undefined && times.expiresAt <= env.now) return ignore(from, 'lease-over', lease.serverId);
  const isInUse = leaseOf(from)?.address.address === address.address;
  const objection = isInUse ? undefined : env.objectionTo?.(address.address);
  if (objection !== undefined) return turnDownAck(config, from, lease, objection, env);
  if (times === undefined) return to({ kind: 'bound', lease });
  return to({ kind: 'bound', lease: { ...lease, times: spreadTimes(acquiredAt, times, env.random) } });
}
