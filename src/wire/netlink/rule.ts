import { concat } from '../../base/bytes.ts';
import { type Cidr, formatCidr, networkOf } from '../../base/cidr.ts';
import { ipBits, ipFromBytes, ipToBytes, isIpv4, type Ip } from '../../base/ip.ts';
import type { Result } from '../../base/result.ts';
import {
  attr,
  Attributes,
  decoding,
  NetlinkFormatError,
  optional,
  StructReader,
  textAttr,
  u32Attr,
  u32Bytes,
  type NetlinkProblem,
} from './attributes.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, type NetlinkRequest } from './message.ts';
import { AF_INET, AF_INET6 } from './rtnetlink.ts';

// linux/rtnetlink.h
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;

// linux/fib_rules.h
/** struct fib_rule_hdr: family, dst_len, src_len, tos, table, two reserved, action, flags. */
const FIB_RULE_HDR_LENGTH = 12;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TUN_ID = 12;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;
const FIB_RULE_INVERT = 0x2;
export const FR_ACT_TO_TBL = 1;
export const FR_ACT_BLACKHOLE = 6;
export const FR_ACT_UNREACHABLE = 7;
export const FR_ACT_PROHIBIT = 8;

/** Selectors of which no more is told than that there is one. */
const FURTHER = [FRA_TUN_ID, FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE];

const RT_TABLE_UNSPEC = 0;
const TABLE_IN_HEADER_MAX = 255;
/** What the kernel tells where nothing is suppressed (-1). */
const NO_PREFIX_LENGTH = 0xffff_ffff;

/** "from SOURCE lookup TABLE". */
export type NewRule = {
  /** Host bits are cleared; a single address has all bits as its prefix. */
  readonly from: Cidr;
  readonly table: number;
  /**
   * The lower is asked first. Never left to the kernel, which would take another one for each (fib_default_rule_pref),
   * so that the same rule could be there any number of times.
   */
  readonly priority: number;
  /** RTPROT_*: who made it. Kernels before 4.17 do not keep it. */
  readonly protocol?: number | undefined;
};

/** A rule to be deleted: what is left out matches anything. */
export type OldRule = Omit<NewRule, 'priority'> & { readonly priority?: number | undefined };

/** "iif NAME to NETWORK ...": for what comes in by one interface, or from anywhere, for one network. */
export type DestinationRule = {
  /** By name, also of an interface that is not there yet. Absent: also what the node itself sends. */
  readonly iif?: string | undefined;
  /** Only what has this mark, all of its 32 bits. */
  readonly mark?: number | undefined;
  /** Host bits are cleared. */
  readonly to: Cidr;
  readonly priority: number;
  /** RTPROT_* */
  readonly protocol: number;
  /**
   * `prohibit`: it is refused (ICMP, administratively prohibited). Else it is looked up in a table, whose routes with a
   * prefix of at most this length do not count: with 0, its default route; with 31, all but those to single hosts.
   */
  readonly does: 'prohibit' | { readonly table: number; readonly suppressPrefixLength: number };
};

/** A rule as the kernel has it. */
export type Rule = {
  readonly family: 4 | 6;
  /** Absent: from anywhere. */
  readonly from?: Cidr;
  /** Absent: to anywhere. */
  readonly to?: Cidr;
  /** Absent: by whatever interface it came, or from the node itself. */
  readonly iif?: string;
  /** Absent: whatever interface the sender has chosen (SO_BINDTODEVICE). */
  readonly oif?: string;
  /** Of the packet's mark the bits in `mask`; absent: any. */
  readonly mark?: { readonly value: number; readonly mask: number };
  /** It has selectors beside these: TOS, user, protocol, ports, tunnel or VRF. */
  readonly further?: true;
  /** For all that its selectors do not fit. */
  readonly inverted?: true;
  readonly table: number;
  /** FR_ACT_*: 1 looks the table up, 8 prohibits. */
  readonly action: number;
  /** Routes of the table with a prefix of at most this length do not count. */
  readonly suppressPrefixLength?: number;
  readonly priority: number;
  readonly protocol: number;
};

type Header = {
  readonly family: number;
  readonly toLength?: number;
  readonly fromLength?: number;
  readonly table?: number;
  readonly action?: number;
};

function header({ family, toLength = 0, fromLength = 0, table = 0, action = 0 }: Header): Uint8Array {
  // A table over 255 does not fit and is told by FRA_TABLE alone.
  const shortTable = table > TABLE_IN_HEADER_MAX ? RT_TABLE_UNSPEC : table;
  return concat([Uint8Array.of(family, toLength, fromLength, 0, shortTable, 0, 0, action), u32Bytes(0)]);
}

function familyOf(address: Ip): number {
  return isIpv4(address) ? AF_INET : AF_INET6;
}

function payload(rule: OldRule): Uint8Array {
  const { address, prefix } = networkOf(rule.from);
  return concat([
    header({
      family: familyOf(address),
      fromLength: prefix,
      table: rule.table,
      action: FR_ACT_TO_TBL,
    }),
    ...(prefix === 0 ? [] : [attr(FRA_SRC, ipToBytes(address))]),
    u32Attr(FRA_TABLE, rule.table),
    ...optional(rule.priority, (priority) => u32Attr(FRA_PRIORITY, priority)),
    ...optional(rule.protocol, (protocol) => attr(FRA_PROTOCOL, Uint8Array.of(protocol))),
  ]);
}

function request(name: string, type: number, flags: number, rule: OldRule): NetlinkRequest {
  const op = `${name} from ${formatCidr(rule.from)} lookup ${rule.table}`;
  return { op, type, flags: NLM_F_ACK | flags, payload: payload(rule) };
}

/** Fails with EEXIST when there is the very same rule. */
export function addRuleRequest(rule: NewRule): NetlinkRequest {
  return request('RTM_NEWRULE', RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

/** Deletes the first rule that has all that is given. ENOENT when there is none. */
export function deleteRuleRequest(rule: OldRule): NetlinkRequest {
  return request('RTM_DELRULE', RTM_DELRULE, 0, rule);
}

function incoming(
  name: string,
  type: number,
  flags: number,
  { iif, mark, to, priority, protocol, does }: DestinationRule,
): NetlinkRequest {
  const { address, prefix } = networkOf(to);
  const family = familyOf(address);
  const what =
    does === 'prohibit'
      ? [header({ family, toLength: prefix, action: FR_ACT_PROHIBIT })]
      : [
          header({ family, toLength: prefix, table: does.table, action: FR_ACT_TO_TBL }),
          u32Attr(FRA_TABLE, does.table),
          u32Attr(FRA_SUPPRESS_PREFIXLEN, does.suppressPrefixLength),
        ];
  const body = concat([
    ...what,
    ...(prefix === 0 ? [] : [attr(FRA_DST, ipToBytes(address))]),
    ...optional(iif, (ifname) => textAttr(FRA_IIFNAME, ifname)),
    // Without FRA_FWMASK all bits count (fib4_rule_configure).
    ...optional(mark, (value) => u32Attr(FRA_FWMARK, value)),
    u32Attr(FRA_PRIORITY, priority),
    attr(FRA_PROTOCOL, Uint8Array.of(protocol)),
  ]);
  const verb = does === 'prohibit' ? does : `lookup ${does.table}`;
  const from = iif === undefined ? 'from all' : `iif ${iif}`;
  const marked = mark === undefined ? '' : ` fwmark 0x${mark.toString(16)}`;
  const op = `${name} ${from}${marked} to ${formatCidr(to)} ${verb}`;
  return { op, type, flags: NLM_F_ACK | flags, payload: body };
}

/** Fails with EEXIST when there is the very same rule. */
export function addDestinationRuleRequest(rule: DestinationRule): NetlinkRequest {
  return incoming('RTM_NEWRULE', RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

/** ENOENT when there is no such rule. */
export function deleteDestinationRuleRequest(rule: DestinationRule): NetlinkRequest {
  return incoming('RTM_DELRULE', RTM_DELRULE, 0, rule);
}

/** All rules of one family, in the order in which they are asked. */
export function listRulesRequest(family: 4 | 6): NetlinkRequest {
  return {
    op: 'RTM_GETRULE',
    type: RTM_GETRULE,
    flags: NLM_F_DUMP,
    payload: header({ family: family === 4 ? AF_INET : AF_INET6 }),
  };
}

type Side = { readonly type: number; readonly name: string; readonly prefix: number };

/** Undefined: anywhere. */
function readNetwork(attributes: Attributes, { type, name, prefix }: Side): Cidr | undefined {
  const bytes = attributes.bytes(type);
  if (bytes === undefined) return undefined;
  const address = ipFromBytes(bytes);
  if (address === undefined || prefix > ipBits(address)) throw new NetlinkFormatError('bad-length', name);
  return { address, prefix };
}

/** The payload of RTM_NEWRULE and RTM_DELRULE: struct fib_rule_hdr and FRA_* attributes. */
export function decodeRule(bytes: Uint8Array): Result<Rule, NetlinkProblem> {
  return decoding(() => {
    const reader = new StructReader(bytes, 'fib_rule_hdr', FIB_RULE_HDR_LENGTH);
    const family = reader.u8(0);
    if (family !== AF_INET && family !== AF_INET6) {
      throw new NetlinkFormatError('missing', `address family ${family} of fib_rule_hdr is not known here`);
    }
    const attributes = new Attributes(reader.after(FIB_RULE_HDR_LENGTH), 'fib_rule_hdr');
    const to = readNetwork(attributes, { type: FRA_DST, name: 'FRA_DST', prefix: reader.u8(1) });
    const from = readNetwork(attributes, { type: FRA_SRC, name: 'FRA_SRC', prefix: reader.u8(2) });
    const iif = attributes.text(FRA_IIFNAME);
    const oif = attributes.text(FRA_OIFNAME);
    const mask = attributes.u32(FRA_FWMASK);
    const further = reader.u8(3) !== 0 || FURTHER.some((type) => attributes.bytes(type) !== undefined);
    const suppressed = attributes.u32(FRA_SUPPRESS_PREFIXLEN) ?? NO_PREFIX_LENGTH;
    return {
      family: family === AF_INET ? 4 : 6,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(iif === undefined ? {} : { iif }),
      ...(oif === undefined ? {} : { oif }),
      ...(mask === undefined ? {} : { mark: { value: attributes.u32(FRA_FWMARK) ?? 0, mask } }),
      ...(further ? { further } : {}),
      ...((reader.u32(8) & FIB_RULE_INVERT) === 0 ? {} : { inverted: true }),
      table: attributes.u32(FRA_TABLE) ?? reader.u8(4),
      action: reader.u8(7),
      ...(suppressed === NO_PREFIX_LENGTH ? {} : { suppressPrefixLength: suppressed }),
      // The kernel leaves out a priority of 0.
      priority: attributes.u32(FRA_PRIORITY) ?? 0,
      protocol: attributes.u8(FRA_PROTOCOL) ?? 0,
    };
  });
}
