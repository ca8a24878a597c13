import type { Cidr } from '../../base/cidr.ts';
import { readDnsName } from '../../base/dns-name.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Instant } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { type OptionRead, readOption } from '../../wire/dhcp4/options.ts';
import { classlessStyleRoutes, type LeaseRoute, oldStyleRoutes } from './lease-routes.ts';
import { type LeaseTimes, leaseTimes } from './lease-times.ts';
import { readOwnNetwork } from './own-network.ts';
import { policeRoutes, routerFault } from './police-routes.ts';
import type { IgnoreReason } from './reasons.ts';

/** What the server granted, and until when. Plain JSON, so that it can be stored as it is. */
export type Lease4 = {
  readonly address: Cidr<Ipv4>;
  readonly serverId: Ipv4;
  /** When the request was sent that the server answered: lease times count from there (RFC 2131 4.4.1, 4.4.5). */
  readonly acquiredAt: Instant;
  /** Undefined for an infinite lease (RFC 2131 3.3). */
  readonly times: LeaseTimes | undefined;
  /** Option 3 without what can be no router here. */
  readonly routers: readonly Ipv4[];
  /** What the pod's routing table gets: option 121, else 249, else 33 and a default route by option 3 (RFC 3442). */
  readonly routes: readonly LeaseRoute[];
  /** Routes that the server gave and the pod does not get, with the reason, for people; at most MOST_REFUSED_ROUTES. */
  readonly refusedRoutes: readonly string[];
  readonly dnsServers: readonly Ipv4[];
  readonly domainName: string | undefined;
  readonly domainSearch: readonly string[];
  /** Bytes (option 26), only where it makes sense. */
  readonly mtu: number | undefined;
  /** Options that were malformed and therefore treated as absent, by name. */
  readonly malformed: readonly string[];
};

/** When a server gives no lease time at all (RFC 2131 table 3 says that it MUST); the Go plugin's figure. */
const DEFAULT_LEASE_SECONDS = 3600;
/** RFC 791: every host must take 576 bytes. A smaller option 26 is a mistake or an attack. */
const SMALLEST_MTU = 576;

/**
 * The lease that an ACK grants. `requestedAt` is when the REQUEST (or, with rapid commit, the DISCOVER) was sent;
 * no route of it, nor its own network, leads into a network of `protect`.
 * What is needed and wrong is a reason to ignore the message; what is optional and wrong is listed in `malformed`.
 */
export function leaseFromAck(
  message: Dhcp4Message,
  serverId: Ipv4,
  requestedAt: Instant,
  protect: readonly Cidr<Ipv4>[],
): Result<Lease4, IgnoreReason> {
  const own = readOwnNetwork(message, serverId, protect);
  if (!own.ok) return own;
  const leaseTime = readOption(message.options, 'dhcp-lease-time');
  if (leaseTime.kind === 'malformed') return err('malformed-lease-time');
  const leaseSecs = leaseTime.kind === 'value' ? leaseTime.value : DEFAULT_LEASE_SECONDS;
  if (leaseSecs === 0) return err('zero-lease-time');

  const malformed: string[] = [];
  const take = <T>(name: string, option: OptionRead<T>): T | undefined => {
    if (option.kind === 'malformed') malformed.push(name);
    return option.kind === 'value' ? option.value : undefined;
  };
  const { options } = message;
  const named = take('routers', readOption(options, 'routers')) ?? [];
  const classless =
    take('rfc3442-classless-static-routes', readOption(options, 'rfc3442-classless-static-routes')) ??
    take('ms-classless-static-routes', readOption(options, 'ms-classless-static-routes'));
  const pairs = take('static-routes', readOption(options, 'static-routes')) ?? [];
  const mtu = take('interface-mtu', readOption(options, 'interface-mtu'));
  const t1 = take('dhcp-renewal-time', readOption(options, 'dhcp-renewal-time'));
  const t2 = take('dhcp-rebinding-time', readOption(options, 'dhcp-rebinding-time'));
  const domain = take('domain-name', readOption(options, 'domain-name'));
  const domainName = domain === undefined ? undefined : readDnsName(domain);
  // It goes into resolv.conf, where a blank begins another word.
  if (domain !== undefined && domainName === undefined) malformed.push('domain-name');
  // RFC 3442: who gets option 121 MUST ignore option 3, and 33 with it.
  const offered = classless === undefined ? oldStyleRoutes(named, pairs) : classlessStyleRoutes(classless);
  const { routes, refused } = policeRoutes(own.value, protect, offered);

  return ok({
    address: own.value,
    serverId,
    acquiredAt: requestedAt,
    times: leaseTimes(requestedAt, leaseSecs, t1, t2),
    routers: named.filter((router) => routerFault(own.value, router) === undefined),
    routes,
    refusedRoutes: refused,
    dnsServers: take('domain-name-servers', readOption(options, 'domain-name-servers')) ?? [],
    domainName,
    domainSearch: take('domain-search', readOption(options, 'domain-search')) ?? [],
    mtu: mtu !== undefined && mtu >= SMALLEST_MTU ? mtu : undefined,
    malformed,
  });
}

/** Whether what the pod has to be configured with differs; times and server do not count. */
export function sameConfiguration(a: Lease4, b: Lease4): boolean {
  const configured = ({ address, routes, dnsServers, domainName, domainSearch, mtu }: Lease4): string =>
    JSON.stringify([address, routes, dnsServers, domainName, domainSearch, mtu]);
  return configured(a) === configured(b);
}
