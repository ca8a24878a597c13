import { cidrContains, type Cidr, equalNetwork } from '../base/cidr.ts';
import { type Ip, isIpv4 } from '../base/ip.ts';
import { isSysError } from '../base/sys-error.ts';
import type { NetlinkRequest } from '../wire/netlink/message.ts';
import { deleteRouteRequest } from '../wire/netlink/route-requests.ts';
import {
  type NewRoute,
  type Route,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from '../wire/netlink/route.ts';
import { RT_SCOPE_LINK } from '../wire/netlink/rtnetlink.ts';
import type { Rtnl } from './rtnl.ts';

/** A route to be made through one interface. No gateway: the destination is on the link. */
export type RouteThrough = {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly metric?: number | undefined;
  /** The main table if left out. */
  readonly table?: number | undefined;
};

/** A route through one interface as it is found. */
export type InterfaceRoute = RouteThrough & { readonly scope: 'link' | 'global' };

/** The kernel's metric for an IPv6 route that states none (IP6_RT_PRIO_USER); for IPv4 it is 0. */
const METRIC_DEFAULT_V6 = 1024;

/** Of both families, by all interfaces. */
export async function defaultRoutes(rtnl: Rtnl): Promise<readonly Route[]> {
  const unicast = { type: RTN_UNICAST };
  const v4 = await rtnl.routes.list(4, RT_TABLE_MAIN, unicast);
  const v6 = await rtnl.routes.list(6, RT_TABLE_MAIN, unicast);
  return [...v4, ...v6].filter((route) => route.dst.prefix === 0).flatMap(ways);
}

/**
 * The unicast routes of one table, the main one if none is named, or of all (RT_TABLE_UNSPEC), through one interface. What
 * is in another table than the main one says so.
 */
export async function routesThrough(
  rtnl: Rtnl,
  index: number,
  table: number = RT_TABLE_MAIN,
): Promise<readonly InterfaceRoute[]> {
  return (await listThrough(rtnl, index, [4, 6], table)).map((route) => ({
    dst: route.dst,
    gateway: route.gateway,
    scope: route.scope === RT_SCOPE_LINK ? 'link' : 'global',
    metric: route.metric,
    ...(route.table === RT_TABLE_MAIN ? {} : { table: route.table }),
  }));
}

async function listThrough(
  rtnl: Rtnl,
  index: number,
  families: readonly (4 | 6)[],
  table: number,
): Promise<readonly Route[]> {
  const found: Route[] = [];
  for (const family of families) {
    const routes = await rtnl.routes.list(family, table, { index, type: RTN_UNICAST });
    // One by one: a call has room for so many arguments only.
    for (const route of routes.flatMap(ways)) if (route.index === index) found.push(route);
  }
  return found;
}

/** Undefined where a pod made more than anybody should read: what has to be done goes on without. */
async function listUnlessTooMany(
  ...[rtnl, index, families, table]: Parameters<typeof listThrough>
): Promise<readonly Route[] | undefined> {
  try {
    return await listThrough(rtnl, index, families, table);
  } catch (error) {
    if (isSysError(error, 'E2BIG')) return undefined;
    throw error;
  }
}

/** The first that fits; a metric that is left out fits any. No error when it is gone already. */
export async function deleteRoute(rtnl: Rtnl, index: number, route: RouteThrough): Promise<void> {
  const { dst, gateway, metric, table } = route;
  await deleteOne(rtnl, {
    dst,
    index,
    table,
    ...(gateway === undefined ? {} : { gateway }),
    ...(metric === undefined ? {} : { metric }),
  });
}

async function deleteOne(rtnl: Rtnl, route: NewRoute): Promise<void> {
  try {
    await rtnl.routes.delete(route);
  } catch (error) {
    if (!isSysError(error, 'ESRCH')) throw error;
  }
}

/** A gateway outside all of `addresses` is on the link all the same, or the network would not have named it. */
export function newRoute(
  index: number,
  route: RouteThrough,
  addresses: readonly Cidr[] | undefined,
): NewRoute {
  const { dst, gateway, metric, table } = route;
  const offLink =
    gateway !== undefined && addresses?.some((address) => cidrContains(address, gateway)) === false;
  return {
    dst,
    index,
    ...(gateway === undefined ? { scope: RT_SCOPE_LINK } : { gateway }),
    ...(metric === undefined ? {} : { metric }),
    ...(table === undefined ? {} : { table }),
    ...(offLink ? { onlink: true } : {}),
  };
}

/**
 * For after EEXIST: takes the place of this interface's own routes to the same destination, and goes behind those of
 * others. The pod's first network keeps its default route when a second one comes.
 */
export async function placeRoute(rtnl: Rtnl, index: number, route: NewRoute): Promise<void> {
  const here = await listUnlessTooMany(rtnl, index, [familyOf(route)], tableOf(route));
  const rivals = (here ?? []).filter(
    (other) =>
      equalNetwork(other.dst, route.dst) &&
      // A route that states no metric may have got one from the kernel.
      (route.metric === undefined
        ? familyOf(route) === 6 || (other.metric ?? 0) === 0
        : other.metric === route.metric),
  );
  if (rivals.some((other) => other.gateway === route.gateway)) return;
  for (const rival of rivals.filter(isMade)) await deleteOne(rtnl, exactly(rival));
  try {
    await rtnl.routes.append(route);
  } catch (error) {
    if (!isSysError(error, 'EEXIST')) throw error;
  }
}

/**
 * The requests that remove just these routes. They are looked up first, because the kernel takes less for a match: a
 * route without a metric would be any, and one that is gone already some other's to the same place. Only where the pod
 * has too many routes to look at are they removed as they are described.
 */
export async function routeRemovals(
  rtnl: Rtnl,
  index: number,
  routes: readonly RouteThrough[],
): Promise<readonly NetlinkRequest[]> {
  const families = [...new Set(routes.map(familyOf))];
  const found: Route[] = [];
  for (const table of new Set(routes.map(tableOf))) {
    const here = await listUnlessTooMany(rtnl, index, families, table);
    if (here === undefined) return routes.map((route) => deleteRouteRequest({ ...route, index }));
    found.push(...here);
  }
  return found
    .filter((other) => isMade(other) && routes.some((route) => isSameRoute(other, route)))
    .map((other) => deleteRouteRequest(exactly(other)));
}

export function isSameRoute(a: RouteThrough, b: RouteThrough): boolean {
  return (
    equalNetwork(a.dst, b.dst) &&
    a.gateway === b.gateway &&
    metricOf(a) === metricOf(b) &&
    tableOf(a) === tableOf(b)
  );
}

/** The kernel's own route to the network of an address comes and goes with the address. */
function isMade(route: Route): boolean {
  return route.protocol !== RTPROT_KERNEL;
}

function exactly({ dst, index, gateway, metric, scope, protocol, table }: Route): NewRoute {
  return { dst, index, gateway, metric, scope, protocol, table };
}

function tableOf({ table }: { readonly table?: number | undefined }): number {
  return table ?? RT_TABLE_MAIN;
}

function metricOf(route: RouteThrough): number {
  return route.metric ?? (familyOf(route) === 4 ? 0 : METRIC_DEFAULT_V6);
}

function familyOf(route: RouteThrough): 4 | 6 {
  return isIpv4(route.dst.address) ? 4 : 6;
}

/** Two networks with an IPv6 default route share one multipath route in the kernel: here each has its own. */
function ways(route: Route): readonly Route[] {
  const { nexthops, ...whole } = route;
  if (nexthops === undefined) return [route];
  return nexthops.map(({ index, gateway, onlink }) => ({ ...whole, index, gateway, onlink }));
}
