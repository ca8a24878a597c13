import { utf8 } from '../../base/bytes.ts';
import { ipv4ToBytes, parseIpv4 } from '../../base/ipv4.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseHexText } from '../../wire/dhcp4/codec-text.ts';
import { nearest } from '../../base/nearest.ts';
import { encodeOptionText } from '../../wire/dhcp4/option-text.ts';
import type { OptionRow } from '../../wire/dhcp4/options.ts';
import { quoted } from '../spec/errors.ts';

export const VALUE_TYPES = ['ip', 'ips', 'u8', 'u16', 'u32', 'bool', 'text', 'hex'] as const;

export type ValueType = (typeof VALUE_TYPES)[number];

/** More addresses than an option of 255 bytes holds are refused before they are read. */
const MOST_IPS = 63;
const BITS = { u8: 8, u16: 16, u32: 32 } as const;

/**
 * Which types an option takes beside `hex`, by what its codec calls itself (the column "value" of
 * docs/dhcp-options.md). Numbers are held to their width by the codec; names and routes are written as plain text.
 */
const TYPES_OF_KIND: readonly (readonly [kind: RegExp, types: readonly ValueType[]])[] = [
  [/^(\d+ )?bytes$/, ['ip', 'ips', 'u8', 'u16', 'u32', 'bool', 'text']],
  [/^text$/, ['text']],
  [/^(IPv4 address|subnet mask)$/, ['ip']],
  [/^IPv4 addresses$/, ['ip', 'ips']],
  [/^pairs of IPv4 addresses/, ['ips']],
  [/^true or false$/, ['bool']],
  [/number|^seconds/, ['u8', 'u16', 'u32']],
];

export function typesOf(row: OptionRow): readonly ValueType[] {
  const found = TYPES_OF_KIND.find(([kind]) => kind.test(row.codec.kind))?.[1] ?? [];
  return row.literal === true ? [...found, 'text', 'hex'] : [...found, 'hex'];
}

/**
 * The bytes of one entry of `send`: `{"ips": ["192.168.1.1"]}` and the like; or plain text, a number or true/false,
 * which the option's own codec reads. The error says what the option takes.
 */
export function encodeValue(row: OptionRow, value: Json): Result<Uint8Array, string> {
  if (isJsonObject(value)) return encodeTyped(row, value);
  if (typeof value === 'string') return encodeOptionText(row, value);
  const types = typesOf(row);
  const fits = typeof value === 'number' ? types.includes('u8') : types.includes('bool');
  const isBytes = types.includes('text');
  if ((typeof value !== 'number' && typeof value !== 'boolean') || !fits || isBytes) {
    return err(`${takes(row)}, not ${shown(value)}`);
  }
  return encodeOptionText(row, String(value));
}

function encodeTyped(row: OptionRow, value: JsonObject): Result<Uint8Array, string> {
  const [key, ...more] = Object.keys(value);
  const type = VALUE_TYPES.find((known) => known === key);
  if (key === undefined || more.length > 0) return err(`has one type: ${takes(row)}`);
  if (type === undefined) {
    const near = nearest(key.toLowerCase(), VALUE_TYPES);
    const hint = near === undefined ? '' : `did you mean "${near}"? `;
    return err(`${quoted(key)} is no type: ${hint}${takes(row)}`);
  }
  if (!typesOf(row).includes(type)) return err(`"${type}" does not fit: ${takes(row)}`);
  const bytes = bytesOf(type, value[key] ?? null);
  if (!bytes.ok) return err(`${type}: ${bytes.error}`);
  // Hex is the person's own word for what goes on the wire; so is the text of an option that is sent as it is.
  if (type !== 'hex' && row.literal !== true) {
    const read = row.codec.decode(bytes.value);
    if (!read.ok) return err(`${type}: ${read.error}: ${takes(row)}`);
  }
  // As hex, for the bounds that all values of configuration have.
  return encodeOptionText(row, `0x${bytes.value.toHex()}`);
}

function bytesOf(type: ValueType, value: Json): Result<Uint8Array, string> {
  switch (type) {
    case 'ip':
      return addresses([value]);
    case 'ips':
      return Array.isArray(value) ? addresses(value) : err('must be a list of IPv4 addresses');
    case 'u8':
    case 'u16':
    case 'u32':
      return unsigned(value, BITS[type]);
    case 'bool':
      return typeof value === 'boolean' ? ok(Uint8Array.of(value ? 1 : 0)) : err('must be true or false');
    case 'text':
      return typeof value === 'string' && value !== '' && value.isWellFormed()
        ? ok(utf8(value))
        : err('must be text that is not empty');
    case 'hex':
      return hexBytes(value);
  }
}

function addresses(values: readonly Json[]): Result<Uint8Array, string> {
  if (values.length === 0 || values.length > MOST_IPS) return err(`must be 1 to ${MOST_IPS} IPv4 addresses`);
  const bytes: number[] = [];
  for (const value of values) {
    const address = typeof value === 'string' ? parseIpv4(value) : undefined;
    if (address === undefined) return err(`${shown(value)} is not an IPv4 address`);
    bytes.push(...ipv4ToBytes(address));
  }
  return ok(Uint8Array.from(bytes));
}

function unsigned(value: Json, bits: number): Result<Uint8Array, string> {
  const max = 2 ** bits - 1;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    return err(`${shown(value)} is not a whole number from 0 to ${max}`);
  }
  const bytes = new Uint8Array(bits / 8);
  for (let i = 0; i < bytes.length; i++) bytes[i] = value >>> (bits - 8 * (i + 1));
  return ok(bytes);
}

/** With or without 0x in front. */
function hexBytes(value: Json): Result<Uint8Array, string> {
  if (typeof value !== 'string') return err('must be text of hex digits');
  return parseHexText(value.startsWith('0x') ? value : `0x${value}`) ?? err('must be hex digits');
}

function takes(row: OptionRow): string {
  const kind = row.literal === true ? 'text' : row.codec.kind;
  const types = typesOf(row).map((type) => `"${type}"`);
  return `${row.name} takes ${kind}, plain or as ${types.join(', ')}`;
}

const LONGEST_SHOWN = 40;

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
