import { type Cidr, networkOf } from '../../base/cidr.ts';
import { IPV4_ANY, type Ipv4, ipv4ToNumber, isHostIpv4, prefixFromMask } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { type Instant, later, seconds } from '../../base/time.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { readOption } from '../../wire/dhcp4/options.ts';
import type { IgnoreReason } from './reasons.ts';

/** A route from the lease; `router` is undefined where the destination is on the link itself. */
export type LeaseRoute = { readonly dst: Cidr<Ipv4>; readonly router: Ipv4 | undefined };

/** What the server granted, and until when. Plain JSON, so that it can be stored as it is. */
export type Lease4 = {
  readonly address: Cidr<Ipv4>;
  readonly serverId: Ipv4;
  /** When the REQUEST was sent that the server answered: lease times count from there (RFC 2131 4.4.1). */
  readonly acquiredAt: Instant;
  /** T1, T2 and the end; all undefined for an infinite lease (RFC 2131 3.3). */
  readonly times:
    | { readonly renewAt: Instant; readonly rebindAt: Instant; readonly expiresAt: Instant }
    | undefined;
  readonly routers: readonly Ipv4[];
  /** What the pod's routing table gets: option 121, else 249, else 33 and a default route by option 3 (RFC 3442). */
  readonly routes: readonly LeaseRoute[];
  readonly dnsServers: readonly Ipv4[];
  readonly domainName: string | undefined;
  readonly domainSearch: readonly string[];
  /** Bytes (option 26), only where it makes sense. */
  readonly mtu: number | undefined;
  /** Options that were malformed and therefore treated as absent, by name. */
  readonly malformed: readonly string[];
};

const INFINITE = 0xffffffff;
/** When a server gives no lease time at all (RFC 2131 table 3 says that it MUST); the Go plugin's figure. */
const DEFAULT_LEASE_SECONDS = 3600;
/** RFC 791: every host must take 576 bytes. A smaller option 26 is a mistake or an attack. */
const SMALLEST_MTU = 576;
/** A lease carries at most so many routes; the rest is cut, so that a server cannot fill the pod's table. */
const MOST_ROUTES = 256;

/** The natural mask of RFC 791 classes, for servers that send no option 1. */
function classfulPrefix(address: Ipv4): number {
  const first = ipv4ToNumber(address) >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

function readPrefix(message: Dhcp4Message): Result<number, IgnoreReason> {
  const mask = readOption(message.options, 'subnet-mask');
  if (mask.kind === 'malformed') return err('malformed-subnet-mask');
  if (mask.kind === 'absent') return ok(classfulPrefix(message.yiaddr));
  const prefix = prefixFromMask(mask.value);
  return prefix === undefined || prefix === 0 ? err('malformed-subnet-mask') : ok(prefix);
}

/**
 * T1 and T2 as the server gave them, where 0 < T1 < T2 < lease holds; else the defaults of RFC 2131 4.4.5
 * (0.5 and 0.875), kept consistent with the one that makes sense.
 */
export function repairTimes(
  leaseSecs: number,
  t1: number | undefined,
  t2: number | undefined,
): { readonly t1: number; readonly t2: number } {
  const rebind = t2 !== undefined && t2 > 0 && t2 < leaseSecs ? t2 : undefined;
  if (t1 !== undefined && t1 > 0 && t1 < (rebind ?? leaseSecs)) {
    return { t1, t2: rebind ?? t1 + (leaseSecs - t1) * 0.75 };
  }
  const end = rebind ?? leaseSecs * 0.875;
  return { t1: Math.min(leaseSecs * 0.5, end * 0.8), t2: end };
}

type Option<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'value'; readonly value: T };

/** The default route and the classful ones, as routes: what options 3 and 33 mean together. */
function oldStyleRoutes(
  routers: readonly Ipv4[],
  pairs: readonly { readonly destination: Ipv4; readonly router: Ipv4 }[],
): LeaseRoute[] {
  const routes = pairs.map(({ destination, router }) => ({
    dst: networkOf({ address: destination, prefix: staticRoutePrefix(destination) }),
    router,
  }));
  const [first] = routers;
  if (first !== undefined) routes.push({ dst: { address: IPV4_ANY, prefix: 0 }, router: first });
  return routes;
}

/** Option 33 has no masks: classful, or a host where host bits are set (RFC 2132 5.8). */
function staticRoutePrefix(dst: Ipv4): number {
  const natural = classfulPrefix(dst);
  return networkOf({ address: dst, prefix: natural }).address === dst ? natural : 32;
}

/**
 * The lease that an ACK grants. `requestedAt` is when the REQUEST (or, with rapid commit, the DISCOVER) was sent.
 * What is needed and wrong is a reason to ignore the message; what is optional and wrong is listed in `malformed`.
 */
export function leaseFromAck(
  message: Dhcp4Message,
  serverId: Ipv4,
  requestedAt: Instant,
): Result<Lease4, IgnoreReason> {
  if (!isHostIpv4(message.yiaddr)) return err('bad-address');
  const leaseTime = readOption(message.options, 'dhcp-lease-time');
  if (leaseTime.kind === 'malformed') return err('malformed-lease-time');
  const leaseSecs = leaseTime.kind === 'value' ? leaseTime.value : DEFAULT_LEASE_SECONDS;
  if (leaseSecs === 0) return err('zero-lease-time');
  const prefix = readPrefix(message);
  if (!prefix.ok) return prefix;

  const malformed: string[] = [];
  const take = <T>(name: string, option: Option<T>): T | undefined => {
    if (option.kind === 'malformed') malformed.push(name);
    return option.kind === 'value' ? option.value : undefined;
  };
  const { options } = message;
  const routers = (take('routers', readOption(options, 'routers')) ?? []).filter(isHostIpv4);
  const classless =
    take('rfc3442-classless-static-routes', readOption(options, 'rfc3442-classless-static-routes')) ??
    take('ms-classless-static-routes', readOption(options, 'ms-classless-static-routes'));
  const pairs = take('static-routes', readOption(options, 'static-routes')) ?? [];
  const mtu = take('interface-mtu', readOption(options, 'interface-mtu'));
  const t1 = take('dhcp-renewal-time', readOption(options, 'dhcp-renewal-time'));
  const t2 = take('dhcp-rebinding-time', readOption(options, 'dhcp-rebinding-time'));
  const routes =
    classless === undefined
      ? oldStyleRoutes(routers, pairs)
      : classless.map(({ destination, router }) => ({
          dst: networkOf(destination),
          router: router === IPV4_ANY ? undefined : router,
        }));

  return ok({
    address: { address: message.yiaddr, prefix: prefix.value },
    serverId,
    acquiredAt: requestedAt,
    times:
      leaseSecs === INFINITE ? undefined : instants(requestedAt, leaseSecs, repairTimes(leaseSecs, t1, t2)),
    routers,
    routes: routes.slice(0, MOST_ROUTES),
    dnsServers: take('domain-name-servers', readOption(options, 'domain-name-servers')) ?? [],
    domainName: take('domain-name', readOption(options, 'domain-name')),
    domainSearch: take('domain-search', readOption(options, 'domain-search')) ?? [],
    mtu: mtu !== undefined && mtu >= SMALLEST_MTU ? mtu : undefined,
    malformed,
  });
}

function instants(from: Instant, leaseSecs: number, { t1, t2 }: { t1: number; t2: number }): Lease4['times'] {
  return {
    renewAt: later(from, seconds(t1)),
    rebindAt: later(from, seconds(t2)),
    expiresAt: later(from, seconds(leaseSecs)),
  };
}

/** Whether what the pod has to be configured with differs; times and server do not count. */
export function sameConfiguration(a: Lease4, b: Lease4): boolean {
  const configured = ({ address, routes, dnsServers, domainName, domainSearch, mtu }: Lease4): string =>
    JSON.stringify([address, routes, dnsServers, domainName, domainSearch, mtu]);
  return configured(a) === configured(b);
}
