import { concat } from '../../base/bytes.ts';
import { attr, nestedAttr, optional, textAttr, u32Bytes } from '../netlink/attributes.ts';
import { RTN_LOCAL } from '../netlink/route.ts';
import { beU32Attr, beU64Attr } from './attributes.ts';

/**
 * The virtual machine's instructions (linux/netfilter/nf_tables.h): each reads and writes registers, and one that does
 * not match ends its rule. Encoded as the elements of NFTA_RULE_EXPRESSIONS.
 */
export type Expression = Uint8Array;

export const NFTA_LIST_ELEM = 1;
export const NFTA_EXPR_NAME = 1;
export const NFTA_EXPR_DATA = 2;

// enum nft_registers. NFT_REG_1 is NFT_REG32_00 to 03 and so on; the kernel names the first of each so in dumps.
const NFT_REG_VERDICT = 0;
export const NFT_REG_1 = 1;
export const NFT_REG_2 = 2;
const NFT_REG_3 = 3;
export const NFT_REG32_01 = 9;
export const NFT_REG32_02 = 10;
export const NFT_REG32_03 = 11;

/** linux/netfilter.h and enum nft_verdicts, as 32 bits. */
export const VERDICTS = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;
export type Verdict =
  | { readonly to: 'accept' | 'drop' | 'return' }
  | { readonly to: 'jump' | 'goto'; readonly chain: string };

// enum nft_data_attributes, enum nft_verdict_attributes
export const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

export function expression(name: string, attributes: readonly Uint8Array[]): Expression {
  return nestedAttr(NFTA_LIST_ELEM, [textAttr(NFTA_EXPR_NAME, name), nestedAttr(NFTA_EXPR_DATA, attributes)]);
}

export function dataValue(type: number, value: Uint8Array): Uint8Array {
  return nestedAttr(type, [attr(NFTA_DATA_VALUE, value)]);
}

// enum nft_meta_keys
export const NFT_META_PROTOCOL = 1;
const NFT_META_MARK = 3;
export const NFT_META_IIFNAME = 6;
export const NFT_META_OIFNAME = 7;
export const NFT_META_NFPROTO = 15;
export const NFT_META_L4PROTO = 16;
export const NFT_META_PKTTYPE = 19;
// enum nft_meta_attributes
const NFTA_META_DREG = 1;
const NFTA_META_KEY = 2;
const NFTA_META_SREG = 3;

export function meta(key: number, dreg = NFT_REG_1): Expression {
  return expression('meta', [beU32Attr(NFTA_META_KEY, key), beU32Attr(NFTA_META_DREG, dreg)]);
}

// enum nft_cmp_ops
export const NFT_CMP_EQ = 0;
export const NFT_CMP_NEQ = 1;
// enum nft_cmp_attributes
const NFTA_CMP_SREG = 1;
const NFTA_CMP_OP = 2;
const NFTA_CMP_DATA = 3;

/** Goes on when the register (the first by default) has, or has not, this value. */
export function cmp(op: number, value: Uint8Array, sreg = NFT_REG_1): Expression {
  return expression('cmp', [
    beU32Attr(NFTA_CMP_SREG, sreg),
    beU32Attr(NFTA_CMP_OP, op),
    dataValue(NFTA_CMP_DATA, value),
  ]);
}

// enum nft_payload_bases
export const NFT_PAYLOAD_LL_HEADER = 0;
export const NFT_PAYLOAD_NETWORK_HEADER = 1;
export const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
// enum nft_payload_attributes
const NFTA_PAYLOAD_DREG = 1;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_PAYLOAD_LEN = 4;
const NFTA_PAYLOAD_SREG = 5;
const NFTA_PAYLOAD_CSUM_TYPE = 6;
const NFT_PAYLOAD_CSUM_NONE = 0;

/** A field of a packet. */
export type Field = { readonly base: number; readonly offset: number; readonly length: number };

function fieldAttributes(field: Field): readonly Uint8Array[] {
  return [
    beU32Attr(NFTA_PAYLOAD_BASE, field.base),
    beU32Attr(NFTA_PAYLOAD_OFFSET, field.offset),
    beU32Attr(NFTA_PAYLOAD_LEN, field.length),
  ];
}

/** Ends the rule where the packet is too short, or a fragment without the transport header. */
export function load(field: Field, dreg = NFT_REG_1): Expression {
  return expression('payload', [beU32Attr(NFTA_PAYLOAD_DREG, dreg), ...fieldAttributes(field)]);
}

/** Writes a field that no checksum covers. */
export function store(field: Field, sreg: number): Expression {
  return expression('payload', [
    beU32Attr(NFTA_PAYLOAD_SREG, sreg),
    ...fieldAttributes(field),
    beU32Attr(NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_NONE),
  ]);
}

// enum nft_bitwise_attributes
const NFTA_BITWISE_SREG = 1;
const NFTA_BITWISE_DREG = 2;
const NFTA_BITWISE_LEN = 3;
const NFTA_BITWISE_MASK = 4;
const NFTA_BITWISE_XOR = 5;

/** The first register AND `mask`, in place. */
export function and(mask: Uint8Array): Expression {
  return expression('bitwise', [
    beU32Attr(NFTA_BITWISE_SREG, NFT_REG_1),
    beU32Attr(NFTA_BITWISE_DREG, NFT_REG_1),
    beU32Attr(NFTA_BITWISE_LEN, mask.length),
    dataValue(NFTA_BITWISE_MASK, mask),
    dataValue(NFTA_BITWISE_XOR, new Uint8Array(mask.length)),
  ]);
}

// enum nft_lookup_attributes
const NFTA_LOOKUP_SET = 1;
const NFTA_LOOKUP_SREG = 2;
const NFTA_LOOKUP_DREG = 3;
const NFTA_LOOKUP_FLAGS = 5;
const NFT_LOOKUP_F_INV = 1;

/** Goes on when the key that begins in the first register is in the set; of a map the value goes to `dreg`. */
export function lookup(set: string, dreg?: number): Expression {
  return expression('lookup', [
    textAttr(NFTA_LOOKUP_SET, set),
    beU32Attr(NFTA_LOOKUP_SREG, NFT_REG_1),
    ...optional(dreg, (register) => beU32Attr(NFTA_LOOKUP_DREG, register)),
  ]);
}

/** Goes on when the key that begins in the first register is not in the set. */
export function lookupNot(set: string): Expression {
  return expression('lookup', [
    textAttr(NFTA_LOOKUP_SET, set),
    beU32Attr(NFTA_LOOKUP_SREG, NFT_REG_1),
    beU32Attr(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV),
  ]);
}

/**
 * enum nft_dynset_ops. `add` leaves an element that is there as it is; `update` sets its end of life, but not its value;
 * `delete` does not care whether there is one. Of a map all three want a register for the value.
 */
export const DYNSET_OPS = { add: 0, update: 1, delete: 2 } as const;
// enum nft_dynset_attributes
const NFTA_DYNSET_SET_NAME = 1;
const NFTA_DYNSET_OP = 3;
const NFTA_DYNSET_SREG_KEY = 4;
const NFTA_DYNSET_SREG_DATA = 5;
const NFTA_DYNSET_TIMEOUT = 6;

/** Changes a set by a packet: the key begins in the first register. Ends the rule when the set is full. */
export function dynset(
  op: keyof typeof DYNSET_OPS,
  set: string,
  options: { readonly dataReg?: number | undefined; readonly timeoutMs?: number | undefined } = {},
): Expression {
  return expression('dynset', [
    textAttr(NFTA_DYNSET_SET_NAME, set),
    beU32Attr(NFTA_DYNSET_OP, DYNSET_OPS[op]),
    beU32Attr(NFTA_DYNSET_SREG_KEY, NFT_REG_1),
    ...optional(options.dataReg, (register) => beU32Attr(NFTA_DYNSET_SREG_DATA, register)),
    ...optional(options.timeoutMs, (ms) => beU64Attr(NFTA_DYNSET_TIMEOUT, ms)),
  ]);
}

// enum nft_immediate_attributes
const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;

export function verdict(what: Verdict): Expression {
  const chain = 'chain' in what ? [textAttr(NFTA_VERDICT_CHAIN, what.chain)] : [];
  const value = nestedAttr(NFTA_DATA_VERDICT, [beU32Attr(NFTA_VERDICT_CODE, VERDICTS[what.to]), ...chain]);
  return expression('immediate', [
    beU32Attr(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT),
    nestedAttr(NFTA_IMMEDIATE_DATA, [value]),
  ]);
}

export const COUNTER = 'counter';
// enum nft_counter_attributes
export const NFTA_COUNTER_BYTES = 1;
export const NFTA_COUNTER_PACKETS = 2;

export function counter(): Expression {
  return expression(COUNTER, []);
}

// enum nft_reject_types, enum nft_reject_attributes
const NFT_REJECT_ICMP_UNREACH = 0;
const NFT_REJECT_TCP_RST = 1;
const NFTA_REJECT_TYPE = 1;
const NFTA_REJECT_ICMP_CODE = 2;

/** Drops, and says so to the sender by ICMP destination unreachable with this code. Not in netdev chains. */
export function rejectIcmp(code: number): Expression {
  return expression('reject', [
    beU32Attr(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH),
    attr(NFTA_REJECT_ICMP_CODE, Uint8Array.of(code)),
  ]);
}

/** The same of a TCP connection, by a RST, which a connect(2) hears at once. For packets of TCP only. */
export function rejectReset(): Expression {
  return expression('reject', [beU32Attr(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST)]);
}

// enum nft_ct_keys, enum nft_ct_attributes; linux/netfilter/nf_conntrack_tuple_common.h
const NFT_CT_STATE = 0;
const NFT_CT_STATUS = 2;
const NFT_CT_DST_IP = 20;
const NFTA_CT_DREG = 1;
const NFTA_CT_KEY = 2;
const NFTA_CT_DIRECTION = 3;
const IP_CT_DIR_ORIGINAL = 0;

/** NF_CT_STATE_BIT(IP_CT_ESTABLISHED), NF_CT_STATE_BIT(IP_CT_RELATED) of linux/netfilter/nf_conntrack_common.h. */
const CT_ESTABLISHED_OR_RELATED = 0x02 | 0x04;
/** IPS_DST_NAT: its destination was translated. */
const CT_DST_NAT = 0x20;

/** What conntrack says of a packet is kept in the machine's own byte order. */
function noneOf(key: number, bits: number): readonly Expression[] {
  return [
    expression('ct', [beU32Attr(NFTA_CT_DREG, NFT_REG_1), beU32Attr(NFTA_CT_KEY, key)]),
    and(u32Bytes(bits)),
    cmp(NFT_CMP_EQ, u32Bytes(0)),
  ];
}

/** Goes on for what belongs to no connection that is known: its first packet, or one that conntrack cannot place. */
export function isNewConnection(): readonly Expression[] {
  return noneOf(NFT_CT_STATE, CT_ESTABLISHED_OR_RELATED);
}

/** Goes on where nobody has changed the destination (DNAT). */
export function isNotTranslated(): readonly Expression[] {
  return noneOf(NFT_CT_STATUS, CT_DST_NAT);
}

/** The IPv4 address that a connection was first sent to, before any translation. */
export function originalDestination(dreg = NFT_REG_1): Expression {
  return expression('ct', [
    beU32Attr(NFTA_CT_DREG, dreg),
    beU32Attr(NFTA_CT_KEY, NFT_CT_DST_IP),
    attr(NFTA_CT_DIRECTION, Uint8Array.of(IP_CT_DIR_ORIGINAL)),
  ]);
}

// enum nft_fib_attributes, enum nft_fib_result, enum nft_fib_flags
const NFTA_FIB_DREG = 1;
const NFTA_FIB_RESULT = 2;
const NFTA_FIB_FLAGS = 3;
const NFT_FIB_RESULT_OIF = 1;
const NFT_FIB_RESULT_OIFNAME = 2;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_DADDR = 1 << 1;
const NFTA_FIB_F_MARK = 1 << 2;

function fibOfDestination(result: number, further = 0): Expression {
  return expression('fib', [
    beU32Attr(NFTA_FIB_DREG, NFT_REG_1),
    beU32Attr(NFTA_FIB_RESULT, result),
    beU32Attr(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR | further),
  ]);
}

/**
 * The name of the interface by which the node itself would send to the destination; empty where it has no route, or the
 * address is its own. At hook prerouting, input and forward.
 */
export function routeInterfaceName(): Expression {
  return fibOfDestination(NFT_FIB_RESULT_OIFNAME);
}

/**
 * Goes on where the node would have no route to the destination, or a policy rule refused it, if the packet had this mark;
 * or where the address is its own. The packet keeps the mark that it has. At the same hooks.
 */
export function hasNoRouteWith(mark: number): readonly Expression[] {
  const setMark = (sreg: number): Expression =>
    expression('meta', [beU32Attr(NFTA_META_KEY, NFT_META_MARK), beU32Attr(NFTA_META_SREG, sreg)]);
  return [
    meta(NFT_META_MARK, NFT_REG_2),
    expression('immediate', [
      beU32Attr(NFTA_IMMEDIATE_DREG, NFT_REG_3),
      dataValue(NFTA_IMMEDIATE_DATA, u32Bytes(mark)),
    ]),
    setMark(NFT_REG_3),
    fibOfDestination(NFT_FIB_RESULT_OIF, NFTA_FIB_F_MARK),
    setMark(NFT_REG_2),
    cmp(NFT_CMP_EQ, u32Bytes(0)),
  ];
}

/** Goes on for a destination that is no address of the node. */
export function isNotLocal(): readonly Expression[] {
  return [fibOfDestination(NFT_FIB_RESULT_ADDRTYPE), cmp(NFT_CMP_NEQ, u32Bytes(RTN_LOCAL))];
}

/** From here on the connection has the address of the interface that it leaves by. In chains of type nat. */
export function masquerade(): Expression {
  return expression('masq', []);
}

/** One rule: its expressions in order. */
export function expressionList(type: number, expressions: readonly Expression[]): Uint8Array {
  return nestedAttr(type, [concat(expressions)]);
}
