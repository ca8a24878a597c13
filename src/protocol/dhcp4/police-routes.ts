import { cidr, cidrContains, type Cidr, equalNetwork, formatCidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { LeaseRoute } from './lease-routes.ts';
import { hostFault, LINK_LOCAL } from './own-network.ts';

/** A lease carries at most so many routes; the rest is cut, so that a server cannot fill the pod's table. */
export const MOST_ROUTES = 256;
/** So many refused routes are named; the rest is counted in one line more. */
export const MOST_REFUSED_ROUTES = 16;

/**
 * What no route of a network may lead into. RFC 1122 3.2.1.3: 0/8 and 127/8 are never a destination, multicast is no
 * matter of unicast routes, and the limited broadcast is for the link only; the rest of 240/4 is reserved and no
 * destination either (RFC 6890 table 15). RFC 3927 2.7: link-local traffic is not routed.
 */
const NEVER_ROUTED: readonly (readonly [Cidr, string])[] = [
  [cidr('127.0.0.0/8'), 'loopback'],
  [LINK_LOCAL, 'link-local'],
  [cidr('224.0.0.0/4'), 'multicast'],
  [cidr('240.0.0.0/4'), 'reserved'],
  [cidr('224.0.0.0/3'), 'multicast and reserved'],
  [cidr('0.0.0.0/8'), 'no destination'],
];

/** Equal to it or a part of it. A route that contains it is harmless: the more specific route wins. */
function leadsInto(network: Cidr, dst: Cidr): boolean {
  return dst.prefix >= network.prefix && cidrContains(network, dst.address);
}

/**
 * Why `router` cannot be one for an interface with the address `own`, in words; undefined where it can. The kernel
 * refuses such gateways ("Nexthop has invalid gateway"), and one bad route must not cost the lease.
 */
export function routerFault(own: Cidr<Ipv4>, router: Ipv4): string | undefined {
  if (router === own.address) return 'the router is the leased address itself';
  const fault = hostFault(own, router);
  return fault === undefined ? undefined : `the router is ${fault}`;
}

/** Undefined for a route that an interface with the address `own` may have. */
function refusal(
  own: Cidr<Ipv4>,
  protect: readonly Cidr<Ipv4>[],
  { dst, router }: LeaseRoute,
): string | undefined {
  const never = NEVER_ROUTED.find(([network]) => leadsInto(network, dst));
  if (never !== undefined) return never[1];
  const guarded = protect.find((network) => leadsInto(network, dst));
  if (guarded !== undefined) return `inside the protected network ${formatCidr(guarded)}`;
  if (equalNetwork(dst, { address: own.address, prefix: 32 })) return 'the leased address itself';
  return router === undefined ? undefined : routerFault(own, router);
}

function describe({ dst, router }: LeaseRoute): string {
  return `${formatCidr(dst)} ${router === undefined ? 'on the link' : `via ${router}`}`;
}

/**
 * The routes that an interface with the address `own` gets: the first of each destination, at most MOST_ROUTES. What
 * it does not get is told in words, at most MOST_REFUSED_ROUTES lines (a later route to the same place is not told).
 */
export function policeRoutes(
  own: Cidr<Ipv4>,
  protect: readonly Cidr<Ipv4>[],
  offered: readonly LeaseRoute[],
): { readonly routes: readonly LeaseRoute[]; readonly refused: readonly string[] } {
  const byDestination = new Map<string, LeaseRoute>();
  const refused: string[] = [];
  for (const route of offered) {
    const destination = formatCidr(route.dst);
    const full = byDestination.size === MOST_ROUTES ? `more than ${MOST_ROUTES} routes` : undefined;
    const why = refusal(own, protect, route) ?? full;
    if (byDestination.has(destination)) continue;
    if (why === undefined) byDestination.set(destination, route);
    else refused.push(`${describe(route)}: ${why}`);
  }
  return { routes: [...byDestination.values()], refused: shorten(refused) };
}

function shorten(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_REFUSED_ROUTES) return lines;
  const named = MOST_REFUSED_ROUTES - 1;
  return [...lines.slice(0, named), `and ${lines.length - named} more`];
}
