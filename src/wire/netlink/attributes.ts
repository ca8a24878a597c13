import { concat, utf8 } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { err, ok, type Result } from '../../base/result.ts';

// linux/netlink.h
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
export const NLA_HEADER_LENGTH = 4;
/** struct nlattr: length, type. */
const NLA_TYPE_AT = 2;
const TEXT = new TextDecoder();
const NLA_ALIGNTO = 4;
const NLA_LENGTH_MAX = 0xffff;

/** Why bytes are not the netlink message they claim to be; `what` names the place. */
export type NetlinkProblem = {
  readonly kind: 'truncated' | 'bad-length' | 'missing';
  readonly what: string;
};

/** Travels only inside this folder: `decoding` turns it into a Result. */
export class NetlinkFormatError extends Error {
  override readonly name = 'NetlinkFormatError';
  readonly problem: NetlinkProblem;

  constructor(kind: NetlinkProblem['kind'], what: string) {
    super(`${kind}: ${what}`);
    this.problem = { kind, what };
  }
}

/** Runs a decoder; its format errors become values, everything else is a bug and goes on. */
export function decoding<T>(decode: () => T): Result<T, NetlinkProblem> {
  try {
    return ok(decode());
  } catch (error) {
    if (error instanceof NetlinkFormatError) return err(error.problem);
    throw error;
  }
}

export function align4(length: number): number {
  return (length + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1);
}

// Netlink speaks the host's byte order, which is also that of typed arrays.
const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

// Written here and copied: V8 makes an ArrayBuffer that is asked for outside of its heap, which takes ten times as long.
const half = new Uint16Array(1);
const halfBytes = new Uint8Array(half.buffer);
const word = new Uint32Array(1);
const wordBytes = new Uint8Array(word.buffer);

export function u16Bytes(value: number): Uint8Array {
  half[0] = value;
  return halfBytes.slice();
}

export function u32Bytes(value: number): Uint8Array {
  word[0] = value;
  return wordBytes.slice();
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  half[0] = value;
  bytes.set(halfBytes, at);
}

/** One struct nlattr, padded to four bytes. */
export function attr(type: number, value: Uint8Array): Uint8Array {
  const length = NLA_HEADER_LENGTH + value.length;
  invariant(length <= NLA_LENGTH_MAX, `attribute ${type} of ${value.length} bytes`);
  const bytes = new Uint8Array(align4(length));
  putU16(bytes, 0, length);
  putU16(bytes, NLA_TYPE_AT, type);
  bytes.set(value, NLA_HEADER_LENGTH);
  return bytes;
}

export function u16Attr(type: number, value: number): Uint8Array {
  return attr(type, u16Bytes(value));
}

export function u32Attr(type: number, value: number): Uint8Array {
  return attr(type, u32Bytes(value));
}

/** NUL-terminated. A NUL inside would silently name something else, so names are checked before they come here. */
export function textAttr(type: number, value: string): Uint8Array {
  invariant(!value.includes('\0'), `attribute ${type} holds a NUL`);
  return attr(type, utf8(`${value}\0`));
}

export function nestedAttr(type: number, children: readonly Uint8Array[]): Uint8Array {
  return attr(type | NLA_F_NESTED, concat(children));
}

/** The encoded attribute, or nothing when there is no value: for spreading into a list. */
export function optional<T>(value: T | undefined, encode: (value: T) => Uint8Array): readonly Uint8Array[] {
  return value === undefined ? [] : [encode(value)];
}

/** Reads fixed structs in host order; past the end is a NetlinkFormatError that names the struct. */
export class StructReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string, length: number) {
    if (bytes.length < length) throw new NetlinkFormatError('truncated', what);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytes = bytes;
    this.#what = what;
  }

  #at(offset: number, length: number): number {
    if (offset + length > this.#bytes.length) throw new NetlinkFormatError('truncated', this.#what);
    return offset;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#at(offset, 1));
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#at(offset, 2), HOST_IS_LITTLE_ENDIAN);
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#at(offset, 4), HOST_IS_LITTLE_ENDIAN);
  }

  i32(offset: number): number {
    return this.#view.getInt32(this.#at(offset, 4), HOST_IS_LITTLE_ENDIAN);
  }

  /** What follows the struct: its attributes. */
  after(offset: number): Uint8Array {
    return this.#bytes.subarray(this.#at(offset, 0));
  }
}

function textIn(value: Uint8Array): string {
  const end = value.indexOf(0);
  return TEXT.decode(end < 0 ? value : value.subarray(0, end));
}

/** A flat list of attributes by type, flag bits removed. The last of equals wins, as in the kernel's nla_parse. */
export class Attributes {
  readonly #bytes: Uint8Array;
  /** Where each begins, its header included: a link has fifty, of which few are read. */
  readonly #starts = new Map<number, number>();
  readonly #view: DataView;
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // Fewer than four bytes at the end are padding.
    for (let at = 0; at + NLA_HEADER_LENGTH <= bytes.length;) {
      const length = this.#view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
      // A length under the header's own would stand still for ever.
      if (length < NLA_HEADER_LENGTH || at + length > bytes.length) {
        throw new NetlinkFormatError('bad-length', `attribute at byte ${at} of ${what}`);
      }
      const type = this.#view.getUint16(at + NLA_TYPE_AT, HOST_IS_LITTLE_ENDIAN);
      this.#starts.set(type & NLA_TYPE_MASK, at);
      at += align4(length);
    }
  }

  #sized(type: number, length: number): StructReader | undefined {
    const value = this.bytes(type);
    if (value === undefined) return undefined;
    if (value.length !== length) {
      throw new NetlinkFormatError('bad-length', `attribute ${type} of ${this.#what}`);
    }
    return new StructReader(value, this.#what, length);
  }

  bytes(type: number): Uint8Array | undefined {
    const at = this.#starts.get(type);
    if (at === undefined) return undefined;
    return this.#bytes.subarray(at + NLA_HEADER_LENGTH, at + this.#view.getUint16(at, HOST_IS_LITTLE_ENDIAN));
  }

  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.u8(0);
  }

  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.u16(0);
  }

  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.u32(0);
  }

  i32(type: number): number | undefined {
    return this.#sized(type, 4)?.i32(0);
  }

  text(type: number): string | undefined {
    const value = this.bytes(type);
    return value === undefined ? undefined : textIn(value);
  }

  /** Of every attribute of this type, in their order: a list is equal attributes one after another. */
  texts(type: number): readonly string[] {
    const found: string[] = [];
    for (let at = 0; at + NLA_HEADER_LENGTH <= this.#bytes.length;) {
      const length = this.#view.getUint16(at, HOST_IS_LITTLE_ENDIAN);
      const here = this.#view.getUint16(at + NLA_TYPE_AT, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
      if (here === type) found.push(textIn(this.#bytes.subarray(at + NLA_HEADER_LENGTH, at + length)));
      at += align4(length);
    }
    return found;
  }

  nested(type: number): Attributes | undefined {
    const value = this.bytes(type);
    return value === undefined ? undefined : new Attributes(value, `attribute ${type} of ${this.#what}`);
  }
}
