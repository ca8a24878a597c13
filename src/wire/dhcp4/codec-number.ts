import { err, ok, type Result } from '../../base/result.ts';
import { parseAll, splitItems, type Codec } from './codec.ts';

type Width = 1 | 2 | 4;
const U32_BYTES = 4;

function readUnsigned(bytes: Uint8Array, at: number, width: Width): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

function writeNumber(bytes: Uint8Array, at: number, width: Width, value: number): void {
  for (let i = 0; i < width; i++) bytes[at + i] = value >>> (8 * (width - 1 - i));
}

function parseInteger(text: string, min: number, max: number): Result<number, string> {
  const value = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    return err(`"${text}" is not a whole number from ${min} to ${max}`);
  }
  return ok(value === 0 ? 0 : value);
}

/** Unsigned, network order. `min` is for options whose RFC gives a least value. */
function unsigned(width: Width, min = 0): Codec<number> {
  const max = 2 ** (8 * width) - 1;
  return {
    kind: `number ${min}..${max}`,
    size: width,
    decode(bytes) {
      if (bytes.length !== width) return err(`${bytes.length} bytes instead of ${width}`);
      const value = readUnsigned(bytes, 0, width);
      return value < min ? err(`${value} is less than ${min}`) : ok(value);
    },
    encode(value) {
      const bytes = new Uint8Array(width);
      writeNumber(bytes, 0, width, value);
      return bytes;
    },
    parse: (text) => parseInteger(text, min, max),
    format: String,
  };
}

function unsignedList(width: Width): Codec<readonly number[]> {
  const max = 2 ** (8 * width) - 1;
  return {
    kind: `list of numbers 0..${max}`,
    decode(bytes) {
      if (bytes.length === 0 || bytes.length % width !== 0) {
        return err(`${bytes.length} bytes are not a list of ${width}-byte numbers`);
      }
      const values: number[] = [];
      for (let at = 0; at < bytes.length; at += width) values.push(readUnsigned(bytes, at, width));
      return ok(values);
    },
    encode(values) {
      const bytes = new Uint8Array(values.length * width);
      values.forEach((value, i) => writeNumber(bytes, i * width, width, value));
      return bytes;
    },
    parse(text) {
      const items = splitItems(text);
      if (items.length === 0) return err('at least one number is needed');
      return parseAll(items, (item) => parseInteger(item, 0, max));
    },
    format: (values) => values.join(', '),
  };
}

export const u8 = unsigned(1);
export const u16 = unsigned(2);
export const u32 = unsigned(U32_BYTES);
export const u8List = unsignedList(1);
export const u16List = unsignedList(2);

/** A time-to-live: "the TTL as an octet with a value between 1 and 255" (RFC 2132 4.5, 7.1). */
export const ttl = unsigned(1, 1);

/** "The minimum legal value for the MTU is 68" (RFC 2132 5.1). */
export const mtu = unsigned(2, 68);

/** A datagram size that every host must take: "the minimum legal value is 576" (RFC 2132 4.4 and 9.10). */
export const datagramSize = unsigned(2, 576);

const S32_MIN = -(2 ** 31);
const S32_MAX = 2 ** 31 - 1;

export const s32: Codec<number> = {
  kind: `number ${S32_MIN}..${S32_MAX}`,
  size: U32_BYTES,
  decode(bytes) {
    const value = u32.decode(bytes);
    return value.ok ? ok(value.value | 0) : value;
  },
  encode: (value) => u32.encode(value >>> 0),
  parse: (text) => parseInteger(text, S32_MIN, S32_MAX),
  format: String,
};

/** All ones means that the time never ends (RFC 2131 3.3). */
export const INFINITE_SECONDS = 0xffffffff;

/** A length of time in seconds; INFINITE_SECONDS is written "infinite". */
export const duration: Codec<number> = {
  kind: 'seconds or "infinite"',
  size: U32_BYTES,
  decode: (bytes) => u32.decode(bytes),
  encode: (value) => u32.encode(value),
  parse: (text) => (text === 'infinite' ? ok(INFINITE_SECONDS) : u32.parse(text)),
  format: (value) => (value === INFINITE_SECONDS ? 'infinite' : String(value)),
};

const FLAG_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['1', true],
  ['true', true],
  ['on', true],
  ['yes', true],
  ['0', false],
  ['false', false],
  ['off', false],
  ['no', false],
]);

/** One byte, 0 or 1. Any other byte is malformed: there is no telling what its sender meant. */
export const flag: Codec<boolean> = {
  kind: 'true or false',
  size: 1,
  decode(bytes) {
    if (bytes.length !== 1) return err(`${bytes.length} bytes instead of 1`);
    const byte = bytes[0];
    return byte === 0 || byte === 1 ? ok(byte === 1) : err(`${byte} is neither 0 nor 1`);
  },
  encode: (value) => Uint8Array.of(value ? 1 : 0),
  parse(text) {
    const value = FLAG_WORDS.get(text.toLowerCase());
    return value === undefined ? err(`"${text}" is neither true nor false`) : ok(value);
  },
  format: String,
};

/** An option whose presence is its value: no bytes (RFC 4039 section 4). */
export const presence: Codec<true> = {
  kind: 'no value',
  size: 0,
  decode: (bytes) => (bytes.length === 0 ? ok(true) : err(`${bytes.length} bytes instead of none`)),
  encode: () => new Uint8Array(0),
  parse: (text) => (text === '' ? ok(true) : err('this option has no value: leave it empty')),
  format: () => '',
};
