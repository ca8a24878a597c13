import { cidrContains, formatCidr, isDefault, networkOf, parseCidr, type Cidr } from '../../base/cidr.ts';
import { ifnameProblem } from '../../base/ifname.ts';
import { isIpv4, type Ip } from '../../base/ip.ts';
import { isSysError } from '../../base/sys-error.ts';
import { CniError, quoted } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';

/**
 * A unicast route of the main table, on one interface, as far as this plugin looks at it. The default route has
 * prefix 0. `metric` is what the kernel reports; none is 0 for IPv4. IPv6 routes are all of scope global.
 */
export type InterfaceRoute = {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly scope: 'link' | 'global';
  readonly metric?: number | undefined;
};

/** A route to make, with the metric that is the kernel's default for its family. */
export type RouteSpec = { readonly dst: Cidr; readonly gateway?: Ip; readonly scope: 'link' | 'global' };

/** Where the original looks when the result names no interface of the container. */
export const FALLBACK_INTERFACE = 'eth0';

/**
 * The interface to work on: the first of the result that is in a sandbox. Results of 0.1.0 and 0.2.0 name none. The
 * original flushes every interface that has a sandbox and adds to the first only; a chain makes one. Throws CniError 7
 * for what is no name of an interface.
 */
export function targetInterface(prevResult: CniResult, fallback = FALLBACK_INTERFACE): string {
  const at = prevResult.interfaces.findIndex((link) => link.sandbox !== undefined);
  const name = prevResult.interfaces[at]?.name ?? fallback;
  const problem = ifnameProblem(name);
  if (problem === undefined) return name;
  throw new CniError('invalid-config', `prevResult.interfaces[${at}].name: ${quoted(name)} ${problem}`);
}

/** Equal for destinations that are the same network; a key, because lists of a thousand are compared with each other. */
export function destinationKey(dst: Cidr): string {
  return formatCidr(networkOf(dst));
}

export function destinationsOf(routes: readonly { readonly dst: Cidr }[]): ReadonlySet<string> {
  return new Set(routes.map((route) => destinationKey(route.dst)));
}

/** The key of a route: its destination and its next hop. */
export function routeKey(route: { readonly dst: Cidr; readonly gateway?: Ip | undefined }): string {
  return `${destinationKey(route.dst)} ${route.gateway ?? ''}`;
}

const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10']
  .map((text) => parseCidr(text))
  .filter((net) => net !== undefined);

/** RFC 3927 and RFC 4291 2.5.6. */
export function isLinkLocal(address: Ip): boolean {
  return LINK_LOCAL.some((network) => cidrContains(network, address));
}

/** IP6_RT_PRIO_USER (include/uapi/linux/ipv6_route.h): what the kernel gives an IPv6 route without a metric. */
const DEFAULT_METRIC_V6 = 1024;

/** Whether the kernel would call this route "the same" as one that is added to the same destination. */
export function hasDefaultMetric(route: InterfaceRoute): boolean {
  return (route.metric ?? 0) === 0 || (!isIpv4(route.dst.address) && route.metric === DEFAULT_METRIC_V6);
}

export function routeText(route: { readonly dst: Cidr; readonly gateway?: Ip | undefined }): string {
  const dst = isDefault(route.dst) ? `default (${formatCidr(route.dst)})` : formatCidr(route.dst);
  return route.gateway === undefined ? `${dst} on the interface` : `${dst} via ${route.gateway}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENETUNREACH: 'its gateway is not on a network of the interface',
  EHOSTUNREACH: 'its gateway is not on a network of the interface',
  EEXIST: 'the interface already has another route to it',
  EINVAL: 'the kernel says that it is not valid',
  ENETDOWN: 'the interface is down',
  EACCES: 'IPv6 is disabled in the container',
};

/** For whoever carries out a plan: the kernel's refusal as the error that names route, interface and reason. */
export function routeError(
  action: 'add' | 'delete',
  route: RouteSpec | InterfaceRoute,
  ifname: string,
  cause: unknown,
): CniError {
  const known = isSysError(cause) ? REASONS[cause.code] : undefined;
  const said = cause instanceof Error ? cause.message : String(cause);
  const reason = known === undefined ? said : `${known} (${said})`;
  return new CniError(
    'route-failed',
    `route-override cannot ${action} ${routeText(route)} of ${ifname}: ${reason}`,
    undefined,
    {
      cause,
    },
  );
}
