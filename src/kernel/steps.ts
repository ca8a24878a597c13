import type { Ipv4 } from '../base/ipv4.ts';
import type { SysError } from '../base/sys-error.ts';
import type { NetlinkRequest } from '../wire/netlink/message.ts';
import { deleteNeighbourRequest } from '../wire/netlink/neighbour.ts';
import { deleteRouteRequest, replaceRouteRequest } from '../wire/netlink/route-requests.ts';
import type { NewRoute } from '../wire/netlink/route.ts';
import type { Rtnl } from './rtnl.ts';

/** One change that is no error where it is so already. */
export type Step = {
  readonly request: NetlinkRequest;
  /** What the kernel says when it is so already. */
  readonly soAlready: readonly string[];
  /** The route that `request` puts. */
  readonly route?: NewRoute | undefined;
};

/** The route takes the place of whatever has the same destination and metric in its table. */
export function putRoute(route: NewRoute): Step {
  return { request: replaceRouteRequest(route), soAlready: [], route };
}

export function removeRoute(route: NewRoute): Step {
  return { request: deleteRouteRequest(route), soAlready: ['ESRCH', 'ENODEV'] };
}

export function removeNeighbour(index: number, address: Ipv4): Step {
  return { request: deleteNeighbourRequest({ index, address }), soAlready: ['ENOENT', 'ENODEV'] };
}

/** In order and with one hop to the thread pool, all of them even if one fails: one outcome each. */
export async function takeSteps(
  rtnl: Rtnl,
  steps: readonly Step[],
): Promise<readonly (SysError | undefined)[]> {
  if (steps.length === 0) return [];
  const outcomes = await rtnl.batch(steps.map(({ request }) => request));
  const settled: (SysError | undefined)[] = [];
  for (const [at, { soAlready, route }] of steps.entries()) {
    const error = outcomes[at];
    if (error?.code === 'EEXIST' && route !== undefined) settled.push(await putBefore(rtnl, route));
    else settled.push(error !== undefined && soAlready.includes(error.code) ? undefined : error);
  }
  return settled;
}

/**
 * The kernel replaces the first route to a destination, and refuses when the very same one is there behind it
 * (fib_table_insert). Then that one goes, and the first is replaced.
 */
async function putBefore(rtnl: Rtnl, route: NewRoute): Promise<SysError | undefined> {
  const outcomes = await rtnl.batch([deleteRouteRequest(route), replaceRouteRequest(route)]);
  return outcomes[1];
}
