import { concat } from '../../base/bytes.ts';
import { formatCidr, networkOf } from '../../base/cidr.ts';
import { ipBits, ipToBytes, isIpv4, type Ip } from '../../base/ip.ts';
import { attr, nestedAttr, optional, u16Bytes, u32Attr, u32Bytes } from './attributes.ts';
import {
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type NetlinkRequest,
} from './message.ts';
import {
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  RTA_DST,
  RTA_GATEWAY,
  RTA_IIF,
  RTA_METRICS,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_SRC,
  RTA_TABLE,
  RTA_VIA,
  RTAX_ADVMSS,
  RTAX_MTU,
  RTM_DELROUTE,
  RTM_F_FIB_MATCH,
  RTM_F_LOOKUP_TABLE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTMSG_LENGTH,
  RTN_LOCAL,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
  type NewRoute,
} from './route.ts';
import {
  AF_INET,
  AF_INET6,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
} from './rtnetlink.ts';

const TABLE_IN_HEADER_MAX = 255;

/** struct rtmsg. A table over 255 does not fit and is told by RTA_TABLE alone. */
function rtmsg(
  family: number,
  prefix: number,
  table: number,
  rest: readonly number[],
  flags = 0,
): Uint8Array {
  const shortTable = table > TABLE_IN_HEADER_MAX ? RT_TABLE_UNSPEC : table;
  return concat([Uint8Array.of(family, prefix, 0, 0, shortTable, ...rest), u32Bytes(flags)]);
}

function gatewayAttr(gateway: Ip, routeIsV4: boolean): Uint8Array {
  const bytes = ipToBytes(gateway);
  if (isIpv4(gateway) === routeIsV4) return attr(RTA_GATEWAY, bytes);
  return attr(RTA_VIA, concat([u16Bytes(isIpv4(gateway) ? AF_INET : AF_INET6), bytes]));
}

/** As `ip route` chooses: what has no gateway ends on the link. IPv6 knows no scopes. */
function defaultScope(route: NewRoute): number {
  if (!isIpv4(route.dst.address)) return RT_SCOPE_UNIVERSE;
  if (route.type === RTN_LOCAL) return RT_SCOPE_HOST;
  const plain = route.type === undefined || route.type === RTN_UNICAST;
  return plain && route.gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

function metricsAttr(route: NewRoute): readonly Uint8Array[] {
  const metrics = [
    ...optional(route.mtu, (mtu) => u32Attr(RTAX_MTU, mtu)),
    ...optional(route.advmss, (advmss) => u32Attr(RTAX_ADVMSS, advmss)),
  ];
  return metrics.length === 0 ? [] : [nestedAttr(RTA_METRICS, metrics)];
}

function payload(route: NewRoute, protocol: number, scope: number, type: number): Uint8Array {
  const { address, prefix } = networkOf(route.dst);
  const isV4 = isIpv4(address);
  const table = route.table ?? RT_TABLE_MAIN;
  const flags = route.onlink === true ? RTNH_F_ONLINK : 0;
  return concat([
    rtmsg(isV4 ? AF_INET : AF_INET6, prefix, table, [protocol, scope, type], flags),
    ...(prefix === 0 ? [] : [attr(RTA_DST, ipToBytes(address))]),
    ...optional(route.gateway, (gateway) => gatewayAttr(gateway, isV4)),
    ...optional(route.index, (index) => u32Attr(RTA_OIF, index)),
    ...optional(route.metric, (metric) => u32Attr(RTA_PRIORITY, metric)),
    ...optional(route.prefsrc, (source) => attr(RTA_PREFSRC, ipToBytes(source))),
    ...metricsAttr(route),
    u32Attr(RTA_TABLE, table),
  ]);
}

function newRouteRequest(route: NewRoute, flags: number): NetlinkRequest {
  return {
    op: `RTM_NEWROUTE ${formatCidr(route.dst)}`,
    type: RTM_NEWROUTE,
    flags: NLM_F_ACK | NLM_F_CREATE | flags,
    payload: payload(
      route,
      route.protocol ?? RTPROT_BOOT,
      route.scope ?? defaultScope(route),
      route.type ?? RTN_UNICAST,
    ),
  };
}

/** Fails with EEXIST when the same destination, table and metric have a route. */
export function addRouteRequest(route: NewRoute): NetlinkRequest {
  return newRouteRequest(route, NLM_F_EXCL);
}

/** Takes the place of a route with the same destination, table and metric, or is added. */
export function replaceRouteRequest(route: NewRoute): NetlinkRequest {
  return newRouteRequest(route, NLM_F_REPLACE);
}

/** Goes behind a route with the same destination, table and metric; EEXIST only when it is the very same. */
export function appendRouteRequest(route: NewRoute): NetlinkRequest {
  return newRouteRequest(route, NLM_F_APPEND);
}

/** Deletes the first route that has all that is given; what is left out matches anything (but the table is main). */
export function deleteRouteRequest(route: NewRoute): NetlinkRequest {
  return {
    op: `RTM_DELROUTE ${formatCidr(route.dst)}`,
    type: RTM_DELROUTE,
    flags: NLM_F_ACK,
    payload: payload(route, route.protocol ?? 0, route.scope ?? RT_SCOPE_NOWHERE, route.type ?? 0),
  };
}

/** A packet, as far as routing looks at it. Without a mark. */
export type RouteQuestion = {
  readonly to: Ip;
  /** Of a packet of the node's own it is one of its addresses; absent: whatever the route says. */
  readonly from?: Ip | undefined;
  /** The link that it came in by; absent: the node itself sends it. */
  readonly index?: number | undefined;
};

/**
 * Which route a packet would take: answered by one RTM_NEWROUTE. Fails as sending would: ENETUNREACH, EHOSTUNREACH, EACCES
 * (prohibit), EINVAL (blackhole).
 */
export function findRouteRequest({ to, from, index }: RouteQuestion): NetlinkRequest {
  const family = isIpv4(to) ? AF_INET : AF_INET6;
  const header = concat([
    Uint8Array.of(family, ipBits(to), from === undefined ? 0 : ipBits(from), 0, 0, 0, 0, 0),
    u32Bytes(RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH),
  ]);
  return {
    op: `RTM_GETROUTE ${to}`,
    type: RTM_GETROUTE,
    flags: NLM_F_ACK,
    payload: concat([
      header,
      attr(RTA_DST, ipToBytes(to)),
      ...optional(from, (source) => attr(RTA_SRC, ipToBytes(source))),
      ...optional(index, (link) => u32Attr(RTA_IIF, link)),
    ]),
  };
}

/** What is left out is any. */
export type RouteFilter = {
  /** Routes of which one next hop at least leaves by this link. ENODEV when there is none. */
  readonly index?: number | undefined;
  /** RTPROT_* */
  readonly protocol?: number | undefined;
  /** RTN_* */
  readonly type?: number | undefined;
};

/** The routes of one family in one table, or in all (RT_TABLE_UNSPEC). With NETLINK_GET_STRICT_CHK the kernel filters (ip_valid_fib_dump_req). */
export function listRoutesRequest(
  family: 4 | 6,
  table: number = RT_TABLE_MAIN,
  filter: RouteFilter = {},
): NetlinkRequest {
  const { index, protocol = 0, type = 0 } = filter;
  const header = rtmsg(family === 4 ? AF_INET : AF_INET6, 0, table, [protocol, RT_SCOPE_UNIVERSE, type]);
  return {
    op: 'RTM_GETROUTE',
    type: RTM_GETROUTE,
    flags: NLM_F_DUMP,
    payload: concat([
      header.subarray(0, RTMSG_LENGTH),
      u32Attr(RTA_TABLE, table),
      ...optional(index, (of) => u32Attr(RTA_OIF, of)),
    ]),
  };
}
