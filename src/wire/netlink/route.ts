import type { Cidr } from '../../base/cidr.ts';
import { DEFAULT_V4, DEFAULT_V6 } from '../../base/cidr.ts';
import { ipBits, ipFromBytes, type Ip } from '../../base/ip.ts';
import type { Result } from '../../base/result.ts';
import {
  align4,
  Attributes,
  decoding,
  NetlinkFormatError,
  StructReader,
  type NetlinkProblem,
} from './attributes.ts';
import { AF_INET, AF_INET6 } from './rtnetlink.ts';

// linux/rtnetlink.h
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTMSG_LENGTH = 12;
export const RTA_DST = 1;
export const RTA_SRC = 2;
export const RTA_IIF = 3;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
export const RTA_MULTIPATH = 9;
export const RTA_TABLE = 15;
export const RTA_VIA = 18;
export const RTAX_MTU = 2;
export const RTAX_ADVMSS = 8;
/** In a dump it stands for every table. */
export const RT_TABLE_UNSPEC = 0;
export const RT_TABLE_MAIN = 254;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BLACKHOLE = 6;
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_DHCP = 16;
/** With RTM_GETROUTE: the answer names the table, and is the route itself and not what came of it. */
export const RTM_F_LOOKUP_TABLE = 0x1000;
export const RTM_F_FIB_MATCH = 0x2000;
export const RTNH_F_ONLINK = 4;
/** struct rtnexthop */
const RTNEXTHOP_LENGTH = 8;
/** struct rtvia: the family before the address. */
const RTVIA_FAMILY_LENGTH = 2;

/** A route to be set; what is left out gets the default that `ip route` gives it. */
export type NewRoute = {
  /** A prefix of 0 is the default route. Host bits are cleared. */
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  /** The link it leaves by (RTA_OIF). */
  readonly index?: number | undefined;
  readonly table?: number | undefined;
  /** RT_SCOPE_* */
  readonly scope?: number | undefined;
  /** RTPROT_*: who made it. */
  readonly protocol?: number | undefined;
  /** RTA_PRIORITY: the lower wins. */
  readonly metric?: number | undefined;
  readonly prefsrc?: Ip | undefined;
  /** The gateway is reachable on the link whatever the addresses say. */
  readonly onlink?: boolean | undefined;
  /** RTN_* */
  readonly type?: number | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
};

/** One way of a multipath route. Weight 1 is the least. */
export type NextHop = {
  readonly index: number;
  readonly gateway?: Ip;
  readonly weight: number;
  readonly onlink: boolean;
};

/** A route as the kernel has it. */
export type Route = NewRoute & {
  readonly family: 4 | 6;
  readonly table: number;
  readonly scope: number;
  readonly protocol: number;
  readonly type: number;
  readonly onlink: boolean;
  /** Only for multipath routes, which have no `gateway` and `index` of their own. */
  readonly nexthops?: readonly NextHop[];
};

function readIp(attributes: Attributes, type: number): Ip | undefined {
  const bytes = attributes.bytes(type);
  if (bytes === undefined) return undefined;
  const address = ipFromBytes(bytes);
  if (address === undefined) throw new NetlinkFormatError('bad-length', `attribute ${type} of rtmsg`);
  return address;
}

/** RTA_VIA is a gateway of the other family: an IPv4 route by an IPv6 router (RFC 5549). */
function readGateway(attributes: Attributes): { readonly gateway?: Ip } {
  const via = attributes.bytes(RTA_VIA)?.subarray(RTVIA_FAMILY_LENGTH);
  const gateway = readIp(attributes, RTA_GATEWAY) ?? (via === undefined ? undefined : ipFromBytes(via));
  return gateway === undefined ? {} : { gateway };
}

function readNextHops(bytes: Uint8Array): readonly NextHop[] {
  const hops: NextHop[] = [];
  for (let at = 0; at + RTNEXTHOP_LENGTH <= bytes.length;) {
    const header = new StructReader(bytes.subarray(at), 'rtnexthop', RTNEXTHOP_LENGTH);
    const length = header.u16(0);
    if (length < RTNEXTHOP_LENGTH || at + length > bytes.length) {
      throw new NetlinkFormatError('bad-length', `rtnexthop at byte ${at}`);
    }
    hops.push({
      index: header.i32(4),
      ...readGateway(new Attributes(bytes.subarray(at + RTNEXTHOP_LENGTH, at + length), 'rtnexthop')),
      // rtnh_hops counts from zero.
      weight: header.u8(3) + 1,
      onlink: (header.u8(2) & RTNH_F_ONLINK) !== 0,
    });
    at += align4(length);
  }
  return hops;
}

function readFamily(header: StructReader): 4 | 6 {
  const family = header.u8(0);
  if (family === AF_INET) return 4;
  if (family === AF_INET6) return 6;
  throw new NetlinkFormatError('missing', `address family ${family} of rtmsg is not known here`);
}

/** The optional numbers, each only when there. IPv6 always shows a metric; IPv4 leaves a zero out. */
function readNumbers(attributes: Attributes): Pick<Route, 'index' | 'metric' | 'mtu' | 'advmss'> {
  const metrics = attributes.nested(RTA_METRICS);
  const index = attributes.u32(RTA_OIF);
  const metric = attributes.u32(RTA_PRIORITY);
  const mtu = metrics?.u32(RTAX_MTU);
  const advmss = metrics?.u32(RTAX_ADVMSS);
  return {
    ...(index === undefined ? {} : { index }),
    ...(metric === undefined ? {} : { metric }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(advmss === undefined ? {} : { advmss }),
  };
}

/** The payload of RTM_NEWROUTE and RTM_DELROUTE: struct rtmsg and RTA_* attributes. */
export function decodeRoute(bytes: Uint8Array): Result<Route, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(bytes, 'rtmsg', RTMSG_LENGTH);
    const family = readFamily(header);
    const attributes = new Attributes(header.after(RTMSG_LENGTH), 'rtmsg');
    const address = readIp(attributes, RTA_DST) ?? (family === 4 ? DEFAULT_V4 : DEFAULT_V6).address;
    const prefix = header.u8(1);
    if (prefix > ipBits(address)) throw new NetlinkFormatError('bad-length', 'rtm_dst_len');
    const prefsrc = readIp(attributes, RTA_PREFSRC);
    const paths = attributes.bytes(RTA_MULTIPATH);
    return {
      family,
      dst: { address, prefix },
      ...readGateway(attributes),
      ...readNumbers(attributes),
      ...(prefsrc === undefined ? {} : { prefsrc }),
      ...(paths === undefined ? {} : { nexthops: readNextHops(paths) }),
      // Eight bits in the header, thirty-two in the attribute.
      table: attributes.u32(RTA_TABLE) ?? header.u8(4),
      protocol: header.u8(5),
      scope: header.u8(6),
      type: header.u8(7),
      onlink: (header.u32(8) & RTNH_F_ONLINK) !== 0,
    };
  });
}
