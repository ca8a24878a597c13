import { concat } from '../../base/bytes.ts';
import { formatCidr, type Cidr } from '../../base/cidr.ts';
import { ipFromBytes, ipToBytes, isIpv4, type Ip } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Result } from '../../base/result.ts';
import {
  attr,
  Attributes,
  decoding,
  NetlinkFormatError,
  optional,
  StructReader,
  u32Attr,
  u32Bytes,
  type NetlinkProblem,
} from './attributes.ts';
import {
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type NetlinkRequest,
} from './message.ts';
import { AF_INET, AF_INET6, AF_UNSPEC, RT_SCOPE_UNIVERSE } from './rtnetlink.ts';

// linux/rtnetlink.h
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

// linux/if_addr.h
const IFADDRMSG_LENGTH = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_RT_PRIORITY = 9;
/** Kernels before 5.18 take no notice of it, and say none. */
const IFA_PROTO = 11;
/** Another address of the same network came first. */
export const IFA_F_SECONDARY = 0x01;
export const IFA_F_NODAD = 0x02;
export const IFA_F_NOPREFIXROUTE = 0x200;
/** struct ifa_cacheinfo: preferred, valid, created, updated. */
const IFA_CACHEINFO_LENGTH = 16;
/** A lifetime of all ones never ends (INFINITY_LIFE_TIME in the kernel's net/addrconf.h). */
const LIFETIME_FOREVER = 0xffffffff;
/** Seconds; the longest lifetime that ends. */
export const LONGEST_LIFETIME = LIFETIME_FOREVER - 1;

/** An address to be set. `flags` are IFA_F_*; `metric` is that of the prefix route. */
export type NewAddress = {
  readonly index: number;
  readonly cidr: Cidr;
  readonly broadcast?: Ipv4 | undefined;
  /** RT_SCOPE_*; RT_SCOPE_UNIVERSE if left out. */
  readonly scope?: number | undefined;
  readonly flags?: number | undefined;
  readonly metric?: number | undefined;
  /** Who made the address, in words of whoever makes it (IFAPROT_*; 0 to 3 are the kernel's). */
  readonly protocol?: number | undefined;
  /** The kernel itself removes the address after so many seconds; never if left out. */
  readonly validSecs?: number | undefined;
  /** Not used for new connections after so many seconds; `validSecs` if left out. */
  readonly preferredSecs?: number | undefined;
};

/** An address as the kernel has it; a lifetime without end is left out. */
export type Address = NewAddress & {
  readonly scope: number;
  readonly flags: number;
  /** The other end of a point-to-point address. */
  readonly peer?: Ip;
};

function lifetimes(address: NewAddress): readonly Uint8Array[] {
  if (address.validSecs === undefined && address.preferredSecs === undefined) return [];
  const valid = address.validSecs ?? LIFETIME_FOREVER;
  const preferred = address.preferredSecs ?? valid;
  return [attr(IFA_CACHEINFO, new Uint8Array(Uint32Array.of(preferred, valid, 0, 0).buffer))];
}

function payload(address: NewAddress): Uint8Array {
  const family = isIpv4(address.cidr.address) ? AF_INET : AF_INET6;
  const bytes = ipToBytes(address.cidr.address);
  return concat([
    Uint8Array.of(family, address.cidr.prefix, 0, address.scope ?? RT_SCOPE_UNIVERSE),
    u32Bytes(address.index),
    attr(IFA_LOCAL, bytes),
    attr(IFA_ADDRESS, bytes),
    ...optional(address.broadcast, (broadcast) => attr(IFA_BROADCAST, ipToBytes(broadcast))),
    ...optional(address.flags, (flags) => u32Attr(IFA_FLAGS, flags)),
    ...optional(address.metric, (metric) => u32Attr(IFA_RT_PRIORITY, metric)),
    ...optional(address.protocol, (protocol) => attr(IFA_PROTO, Uint8Array.of(protocol))),
    ...lifetimes(address),
  ]);
}

function newAddressRequest(address: NewAddress, flags: number): NetlinkRequest {
  return {
    op: `RTM_NEWADDR ${formatCidr(address.cidr)} #${address.index}`,
    type: RTM_NEWADDR,
    flags: NLM_F_ACK | NLM_F_CREATE | flags,
    payload: payload(address),
  };
}

/** Fails with EEXIST when the link has the address already. */
export function addAddressRequest(address: NewAddress): NetlinkRequest {
  return newAddressRequest(address, NLM_F_EXCL);
}

/** Sets it, or renews the lifetimes and flags of an address that is there. */
export function replaceAddressRequest(address: NewAddress): NetlinkRequest {
  return newAddressRequest(address, NLM_F_REPLACE);
}

export function deleteAddressRequest(address: Pick<NewAddress, 'index' | 'cidr'>): NetlinkRequest {
  return {
    op: `RTM_DELADDR ${formatCidr(address.cidr)} #${address.index}`,
    type: RTM_DELADDR,
    flags: NLM_F_ACK,
    payload: payload({ index: address.index, cidr: address.cidr }),
  };
}

/** All addresses of one link, or of all. */
export function listAddressesRequest(index = 0): NetlinkRequest {
  return {
    op: 'RTM_GETADDR',
    type: RTM_GETADDR,
    flags: NLM_F_DUMP,
    payload: concat([Uint8Array.of(AF_UNSPEC, 0, 0, 0), u32Bytes(index)]),
  };
}

function readLifetimes(bytes: Uint8Array | undefined): Pick<Address, 'validSecs' | 'preferredSecs'> {
  if (bytes === undefined) return {};
  const info = new StructReader(bytes, 'ifa_cacheinfo', IFA_CACHEINFO_LENGTH);
  const [preferredSecs, validSecs] = [info.u32(0), info.u32(4)];
  return {
    ...(preferredSecs === LIFETIME_FOREVER ? {} : { preferredSecs }),
    ...(validSecs === LIFETIME_FOREVER ? {} : { validSecs }),
  };
}

/** The payload of RTM_NEWADDR and RTM_DELADDR: struct ifaddrmsg and IFA_* attributes. */
export function decodeAddress(bytes: Uint8Array): Result<Address, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(bytes, 'ifaddrmsg', IFADDRMSG_LENGTH);
    const attributes = new Attributes(header.after(IFADDRMSG_LENGTH), 'ifaddrmsg');
    // IPv6 has IFA_LOCAL only on point-to-point addresses; then IFA_ADDRESS is the other end.
    const ends = attributes.bytes(IFA_ADDRESS);
    const local = attributes.bytes(IFA_LOCAL) ?? ends;
    const address = local === undefined ? undefined : ipFromBytes(local);
    if (address === undefined) throw new NetlinkFormatError('missing', 'IFA_LOCAL and IFA_ADDRESS');
    const peer = ends === undefined ? undefined : ipFromBytes(ends);
    const broadcastBytes = attributes.bytes(IFA_BROADCAST);
    const broadcast = broadcastBytes === undefined ? undefined : ipFromBytes(broadcastBytes);
    const metric = attributes.u32(IFA_RT_PRIORITY);
    const protocol = attributes.bytes(IFA_PROTO)?.[0];
    return {
      index: header.u32(4),
      cidr: { address, prefix: header.u8(1) },
      ...(peer === undefined || peer === address ? {} : { peer }),
      ...(broadcast !== undefined && isIpv4(broadcast) ? { broadcast } : {}),
      scope: header.u8(3),
      // The eight bits of the header are the older, shorter form.
      flags: attributes.u32(IFA_FLAGS) ?? header.u8(2),
      ...(metric === undefined ? {} : { metric }),
      ...(protocol === undefined ? {} : { protocol }),
      ...readLifetimes(attributes.bytes(IFA_CACHEINFO)),
    };
  });
}
