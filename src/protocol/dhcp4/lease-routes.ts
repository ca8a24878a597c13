import { cidrContains, cidr, networkOf, type Cidr } from '../../base/cidr.ts';
import { IPV4_ANY, type Ipv4, ipv4ToNumber, isHostIpv4 } from '../../base/ipv4.ts';
import type { ClasslessRoute } from '../../wire/dhcp4/codec-address.ts';

/** A route from the lease; `router` is undefined where the destination is on the link itself. */
export type LeaseRoute = { readonly dst: Cidr<Ipv4>; readonly router: Ipv4 | undefined };

/** A lease carries at most so many routes; the rest is cut, so that a server cannot fill the pod's table. */
export const MOST_ROUTES = 256;

/** What no route of a network may lead to: this host itself, and groups (RFC 1122 3.2.1.3, RFC 5771). */
const NEVER_ROUTED = [cidr('127.0.0.0/8'), cidr('224.0.0.0/4')];

/** The natural mask of RFC 791 classes, for servers that send no mask. */
export function classfulPrefix(address: Ipv4): number {
  const first = ipv4ToNumber(address) >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

/** Option 33 has no masks: classful, or a host where host bits are set (RFC 2132 5.8). */
function staticRoutePrefix(dst: Ipv4): number {
  const natural = classfulPrefix(dst);
  return networkOf({ address: dst, prefix: natural }).address === dst ? natural : 32;
}

/** The default route and the classful ones, as routes: what options 3 and 33 mean together. */
export function oldStyleRoutes(
  routers: readonly Ipv4[],
  pairs: readonly { readonly destination: Ipv4; readonly router: Ipv4 }[],
): readonly LeaseRoute[] {
  // RFC 2132 5.8: the default route is no legal destination of option 33, so 0.0.0.0 falls out here.
  const routes: LeaseRoute[] = pairs
    .filter(({ destination }) => isHostIpv4(destination))
    .map(({ destination, router }) => ({
      dst: networkOf({ address: destination, prefix: staticRoutePrefix(destination) }),
      router,
    }));
  const [first] = routers;
  if (first !== undefined) routes.push({ dst: { address: IPV4_ANY, prefix: 0 }, router: first });
  return routes;
}

/** RFC 3442: a router of 0.0.0.0 means that the destination is on the link. */
export function classlessStyleRoutes(classless: readonly ClasslessRoute[]): readonly LeaseRoute[] {
  return classless.map(({ destination, router }) => ({
    dst: networkOf(destination),
    router: router === IPV4_ANY ? undefined : router,
  }));
}

/**
 * The routes that an interface with the address `own` can take, the first of each destination, at most MOST_ROUTES.
 * The kernel refuses a gateway that is the host itself, and one bad route must not cost the lease.
 */
export function usableRoutes(own: Ipv4, routes: readonly LeaseRoute[]): readonly LeaseRoute[] {
  const byDestination = new Map<string, LeaseRoute>();
  for (const route of routes) {
    const { dst, router } = route;
    const reachable = router === undefined || (isHostIpv4(router) && router !== own);
    const stolen =
      NEVER_ROUTED.some((network) => cidrContains(network, dst.address)) ||
      (dst.prefix === 32 && dst.address === own);
    const text = `${dst.address}/${dst.prefix}`;
    if (reachable && !stolen && !byDestination.has(text)) byDestination.set(text, route);
    if (byDestination.size === MOST_ROUTES) break;
  }
  return [...byDestination.values()];
}
