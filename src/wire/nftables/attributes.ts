import { concat } from '../../base/bytes.ts';
import { attr, NLA_HEADER_LENGTH, NLA_F_NESTED, align4, NetlinkFormatError } from '../netlink/attributes.ts';

// Numbers inside nf_tables' attributes are big-endian, unlike those of rtnetlink.

export function beU16Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

export function beU32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function beU32Attr(type: number, value: number): Uint8Array {
  return attr(type, beU32Bytes(value));
}

/** `value` is at most 2^53. */
export function beU64Attr(type: number, value: number): Uint8Array {
  const high = Math.floor(value / 2 ** 32);
  return attr(type, concat([beU32Bytes(high), beU32Bytes(value % 2 ** 32)]));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Undefined for an attribute that is not there or has another length. */
export function readBeU32(bytes: Uint8Array | undefined): number | undefined {
  return bytes?.length === 4 ? view(bytes).getUint32(0) : undefined;
}

export function readBeU64(bytes: Uint8Array | undefined): bigint | undefined {
  return bytes?.length === 8 ? view(bytes).getBigUint64(0) : undefined;
}

export type OrderedAttribute = {
  readonly type: number;
  readonly nested: boolean;
  readonly value: Uint8Array;
};

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * Attributes in their order, equal types among them: a rule's expressions all have the type NFTA_LIST_ELEM. `nested` is
 * the flag, which the kernel leaves out of most of what it sends. NetlinkFormatError for what is none.
 */
export function orderedAttributes(bytes: Uint8Array, what: string): readonly OrderedAttribute[] {
  const found: OrderedAttribute[] = [];
  const header = view(bytes);
  for (let at = 0; at + NLA_HEADER_LENGTH <= bytes.length;) {
    const length = header.getUint16(at, HOST_IS_LITTLE_ENDIAN);
    if (length < NLA_HEADER_LENGTH || at + length > bytes.length) {
      throw new NetlinkFormatError('bad-length', `attribute at byte ${at} of ${what}`);
    }
    const type = header.getUint16(at + 2, HOST_IS_LITTLE_ENDIAN);
    const value = bytes.subarray(at + NLA_HEADER_LENGTH, at + length);
    found.push({ type: type & ~NLA_F_NESTED, nested: (type & NLA_F_NESTED) !== 0, value });
    at += align4(length);
  }
  return found;
}
