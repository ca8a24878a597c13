import { formatCidr, networkOf } from '../base/cidr.ts';
import { between, type Duration, type Instant, millis } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import type { InterfaceConfiguration, RouteSpec } from './ports.ts';
import type { ApplyPolicy } from './record.ts';

/** A single address: there is no network that a route could lead to. */
const HOST_PREFIX = 32;

/**
 * Whether the route to the network of an address is the kernel's own, as it is unless it has to be another one. The
 * kernel would put it into the main table, with no metric.
 */
function hasPrefixRoute({ routes, metric, table }: ApplyPolicy): boolean {
  return table === undefined && (routes === 'all' || (routes === 'subnet' && metric === undefined));
}

/** Whether a main plugin that knows nothing of us, and puts the address on as usual, does what is wanted. */
export function isUsual(policy: ApplyPolicy): boolean {
  return hasPrefixRoute(policy);
}

/** The routes of a lease that somebody has to make. */
export function routesOf({ address, routes }: Lease4, policy: ApplyPolicy): readonly RouteSpec[] {
  if (policy.routes === 'none') return [];
  const { metric, table } = policy;
  const place = table === undefined ? {} : { table };
  const connected =
    hasPrefixRoute(policy) || address.prefix === HOST_PREFIX
      ? []
      : [{ dst: networkOf(address), gateway: undefined, metric, ...place }];
  const leased =
    policy.routes === 'subnet'
      ? []
      : routes.map(({ dst, router }) => ({ dst, gateway: router, metric, ...place }));
  return [...connected, ...leased];
}

/** What the kernel shall do of its own accord with an address, and what it shall not. */
export function addressing(policy: ApplyPolicy): Pick<InterfaceConfiguration, 'prefixRoute' | 'lookup'> {
  return {
    ...(hasPrefixRoute(policy) ? {} : { prefixRoute: false }),
    ...(policy.table === undefined ? {} : { lookup: policy.table }),
  };
}

function routeText({ dst, gateway, metric, table }: RouteSpec): string {
  return `${formatCidr(dst)} ${gateway ?? '-'} ${metric ?? '-'} ${table ?? '-'}`;
}

/** Those of `routes` that are not among `others`. */
function without(routes: readonly RouteSpec[], others: readonly RouteSpec[]): readonly RouteSpec[] {
  const known = new Set(others.map(routeText));
  return routes.filter((route) => !known.has(routeText(route)));
}

/** What is left of a lease at `now`, never less than nothing; undefined for one that has no end. */
export function validFor({ times }: Lease4, now: Instant): Duration | undefined {
  return times === undefined ? undefined : millis(Math.max(0, between(now, times.expiresAt)));
}

/** What a lease means for an interface that has nothing of it, or may have lost some. */
export function configurationOf(lease: Lease4, policy: ApplyPolicy, now: Instant): InterfaceConfiguration {
  return {
    addresses: [lease.address],
    leased: true,
    ...addressing(policy),
    validFor: validFor(lease, now),
    routes: routesOf(lease, policy),
    mtu: policy.mtu ? lease.mtu : undefined,
  };
}

/**
 * What has to change in a running pod from one lease to the next. Only the difference: what others did to the rest
 * (a plugin in the chain that took the default route away) is not undone.
 */
export function changeOf(
  before: Lease4,
  after: Lease4,
  policy: ApplyPolicy,
  now: Instant,
): InterfaceConfiguration {
  const old = routesOf(before, policy);
  const wanted = routesOf(after, policy);
  const sameAddress = formatCidr(before.address) === formatCidr(after.address);
  return {
    addresses: [after.address],
    leased: true,
    ...addressing(policy),
    validFor: validFor(after, now),
    // With another address the kernel drops routes of its own accord, so all of them are said again.
    routes: sameAddress ? without(wanted, old) : wanted,
    mtu: policy.mtu && after.mtu !== before.mtu ? after.mtu : undefined,
    removeRoutes: without(old, wanted),
    removeAddresses: sameAddress ? [] : [before.address],
  };
}

/** The end of a lease that is the same in all but its end. */
export function prolongationOf(lease: Lease4, policy: ApplyPolicy, now: Instant): InterfaceConfiguration {
  return {
    addresses: [lease.address],
    leased: true,
    ...addressing(policy),
    routes: [],
    validFor: validFor(lease, now),
  };
}

/** Takes all of a lease off the interface; the link stays. */
export function withdrawalOf(lease: Lease4, policy: ApplyPolicy): InterfaceConfiguration {
  return {
    addresses: [],
    routes: [],
    removeRoutes: routesOf(lease, policy),
    removeAddresses: [lease.address],
  };
}
