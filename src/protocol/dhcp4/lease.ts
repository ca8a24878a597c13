import { type Cidr, DEFAULT_V4, equalNetwork } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Instant } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { readOption } from '../../wire/dhcp4/options.ts';
import { readDomainNames, resolverNames } from './lease-names.ts';
import { classlessStyleRoutes, type LeaseRoute, oldStyleRoutes } from './lease-routes.ts';
import { type LeaseTimes, leaseTimes } from './lease-times.ts';
import type { Nonce } from './nonce.ts';
import { OptionReader } from './option-reader.ts';
import { readOwnNetwork } from './own-network.ts';
import { policeRoutes, routerFault } from './police-routes.ts';
import type { IgnoreReason } from './reasons.ts';
import { serversNamed } from './servers-named.ts';

/** Options as a server stated them: code to hex. */
export type Stated = Readonly<Record<number, string>>;

/** What the server granted, and until when. Plain JSON, so that it can be stored as it is. */
export type Lease4 = {
  readonly address: Cidr<Ipv4>;
  readonly serverId: Ipv4;
  /** When the request was sent that the server answered: lease times count from there (RFC 2131 4.4.1, 4.4.5). */
  readonly acquiredAt: Instant;
  /** Undefined for an infinite lease (RFC 2131 3.3). */
  readonly times: LeaseTimes | undefined;
  /** Option 3 without what can be no router here, whether it counts or not (see `defaultRouter`). */
  readonly routers: readonly Ipv4[];
  /** What the pod's routing table gets: option 121, else 249, else 33 and a default route by option 3 (RFC 3442). */
  readonly routes: readonly LeaseRoute[];
  /** Routes that the server gave and the pod does not get, with the reason, for people; at most MOST_REFUSED_ROUTES. */
  readonly refusedRoutes: readonly string[];
  /** Option 6 without what can be no server. */
  readonly dnsServers: readonly Ipv4[];
  /** The first name of option 15. */
  readonly domainName: string | undefined;
  /** Option 119, or option 15 where it has several names. */
  readonly domainSearch: readonly string[];
  /** Bytes (option 26), only where it makes sense. */
  readonly mtu: number | undefined;
  /** Options that were malformed and therefore treated as absent, by name. */
  readonly malformed: readonly string[];
  /** What of the other options was left out and why, in words; at most MOST_REMARKS. */
  readonly remarks: readonly string[];
  /**
   * The options of the ACK that outlive it, code to hex: what the next ACK does not mention stays. Absent in records of
   * versions that did not keep them.
   */
  readonly stated?: Stated | undefined;
  /**
   * Extras (codes) that the REQUEST lacked which got it; absent: none. All later messages lack them too: the server took
   * that, and option 61 must be the same in all messages of a client (RFC 2131 4.2).
   */
  readonly leftOut?: readonly number[] | undefined;
  /** What the server signs a FORCERENEW with; absent: it gave nothing, and none is obeyed. */
  readonly nonce?: Nonce | undefined;
};

export function hasEnded({ times }: Lease4, now: Instant): boolean {
  return times !== undefined && now >= times.expiresAt;
}

/** When a server gives no lease time at all (RFC 2131 table 3 says that it MUST); the Go plugin's figure. */
const DEFAULT_LEASE_SECONDS = 3600;
/** RFC 791: every host must take 576 bytes. A smaller option 26 is a mistake or an attack. */
const SMALLEST_MTU = 576;

/**
 * The lease that an ACK grants. `requestedAt` is when the REQUEST (or, with rapid commit, the DISCOVER) was sent;
 * no route of it, nor its own network, leads into a network of `protect`.
 * What is needed and wrong is a reason to ignore the message; what is optional and wrong is listed in `malformed` and
 * `remarks`.
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

  const options = new OptionReader(message);
  const named = [...new Set(options.take('routers'))];
  const classless =
    options.take('rfc3442-classless-static-routes') ?? options.take('ms-classless-static-routes');
  const pairs = options.take('static-routes') ?? [];
  const mtu = options.take('interface-mtu');
  const t1 = options.take('dhcp-renewal-time');
  const t2 = options.take('dhcp-rebinding-time');
  // RFC 3442: who gets option 121 MUST ignore option 3, and 33 with it.
  const offered = classless === undefined ? oldStyleRoutes(named, pairs) : classlessStyleRoutes(classless);
  const { routes, refused } = policeRoutes(own.value, protect, offered);
  const dns = serversNamed(own.value, options.take('domain-name-servers') ?? []);
  if (dns.remark !== undefined) options.remark('domain-name-servers', dns.remark);
  const domainText = options.take('domain-name');
  const domains =
    domainText === undefined ? undefined : options.judge('domain-name', readDomainNames(domainText));
  const names = resolverNames(domains ?? [], options.take('domain-search') ?? []);

  return ok({
    address: own.value,
    serverId,
    acquiredAt: requestedAt,
    times: leaseTimes(requestedAt, leaseSecs, t1, t2),
    routers: named.filter((router) => routerFault(own.value, router) === undefined),
    routes,
    refusedRoutes: refused,
    dnsServers: dns.servers,
    domainName: names.domain,
    domainSearch: names.search,
    mtu: mtu !== undefined && mtu >= SMALLEST_MTU ? mtu : undefined,
    malformed: options.malformed,
    remarks: options.remarks,
  });
}

/** The router of the default route. Option 3 is not it where there are classless routes (RFC 3442). */
export function defaultRouter({ routes }: Lease4): Ipv4 | undefined {
  return routes.find(({ dst }) => equalNetwork(dst, DEFAULT_V4))?.router;
}

/** Whether what the pod has to be configured with differs; times and server do not count. */
export function sameConfiguration(a: Lease4, b: Lease4): boolean {
  const configured = ({ address, routes, dnsServers, domainName, domainSearch, mtu }: Lease4): string =>
    JSON.stringify([address, routes, dnsServers, domainName, domainSearch, mtu]);
  return configured(a) === configured(b);
}
