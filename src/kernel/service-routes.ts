import { formatCidr } from '../base/cidr.ts';
import { isSysError } from '../base/sys-error.ts';
import { type Route, RT_TABLE_MAIN, RT_TABLE_UNSPEC, RTN_UNICAST } from '../wire/netlink/route.ts';
import { RTPROT_LEASEHOLD } from './own-routes.ts';
import type { Rtnl } from './rtnl.ts';

/**
 * The routes that a look at a pod's way to the services needs, in the kernel's order: all unicast ones of IPv4's main table,
 * since another's may come before ours. Where they are too many, or none is wanted, ours by this interface alone.
 */
export async function serviceRoutes(
  rtnl: Rtnl,
  index: number,
  isAnyWanted: boolean,
): Promise<readonly Route[]> {
  if (isAnyWanted) {
    try {
      return await rtnl.routes.list(4, RT_TABLE_MAIN, { type: RTN_UNICAST });
    } catch (error) {
      if (!isSysError(error, 'E2BIG')) throw error;
    }
  }
  return await rtnl.routes.list(4, RT_TABLE_MAIN, { type: RTN_UNICAST, protocol: RTPROT_LEASEHOLD, index });
}

/** Through this interface in any table: a later plugin of the chain may have moved them (`sbr`, `vrf`). */
export async function movedRoutes(rtnl: Rtnl, index: number): Promise<readonly Route[]> {
  try {
    return await rtnl.routes.list(4, RT_TABLE_UNSPEC, { type: RTN_UNICAST, index });
  } catch (error) {
    if (isSysError(error, 'E2BIG')) return [];
    throw error;
  }
}

/** By destination as `formatCidr` writes it; those to one destination in the kernel's order. */
export function byDestination(routes: readonly Route[]): ReadonlyMap<string, readonly Route[]> {
  return Map.groupBy(routes, ({ dst }) => formatCidr(dst));
}
