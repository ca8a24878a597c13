import { DEFAULT_V4, networkOf, type Cidr } from '../../base/cidr.ts';
import { IPV4_ANY, type Ipv4, ipv4ToNumber } from '../../base/ipv4.ts';
import type { ClasslessRoute } from '../../wire/dhcp4/codec-address.ts';

/** A route from the lease; `router` is undefined where the destination is on the link itself. */
export type LeaseRoute = { readonly dst: Cidr<Ipv4>; readonly router: Ipv4 | undefined };

/** The natural mask of RFC 791 classes, for servers that send no mask. */
export function classfulPrefix(address: Ipv4): number {
  const first = ipv4ToNumber(address) >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

/**
 * Option 33 has no masks: RFC 2132 5.8 says nothing of them, RFC 3442 (introduction) that they are those of the classes.
 * Where host bits are set no such network can be meant, so it is taken for a host.
 */
function staticRoutePrefix(dst: Ipv4): number {
  const natural = classfulPrefix(dst);
  return networkOf({ address: dst, prefix: natural }).address === dst ? natural : 32;
}

/**
 * The default routes and the classful ones: what options 3 and 33 mean together. There is a default route for each
 * router, in order of preference (RFC 2132 3.5); the first one that can be used counts.
 */
export function oldStyleRoutes(
  routers: readonly Ipv4[],
  pairs: readonly { readonly destination: Ipv4; readonly router: Ipv4 }[],
): readonly LeaseRoute[] {
  // RFC 2132 5.8: the default route is no legal destination of option 33, so 0.0.0.0 falls out here.
  const routes = pairs
    .filter(({ destination }) => destination !== IPV4_ANY)
    .map(({ destination, router }) => ({
      dst: networkOf({ address: destination, prefix: staticRoutePrefix(destination) }),
      router,
    }));
  return [...routes, ...routers.map((router) => ({ dst: DEFAULT_V4, router }))];
}

/** RFC 3442: a router of 0.0.0.0 means that the destination is on the link. */
export function classlessStyleRoutes(classless: readonly ClasslessRoute[]): readonly LeaseRoute[] {
  return classless.map(({ destination, router }) => ({
    dst: networkOf(destination),
    router: router === IPV4_ANY ? undefined : router,
  }));
}
