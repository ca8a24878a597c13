import { invariant } from './invariant.ts';

/**
 * An IPv4 address as its one canonical dotted-quad text. Text and not a number, so that stores, logs and JSON show
 * what a person expects and `===` is equality; the brand keeps unchecked strings out.
 */
export type Ipv4 = string & { readonly __brand: 'Ipv4' };

export const IPV4_ANY = '0.0.0.0' as Ipv4;
export const IPV4_BROADCAST = '255.255.255.255' as Ipv4;

const QUAD = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

const DOT = 0x2e;
const ZERO = 0x30;

/** Strict dotted quad: no leading zeros, no short forms. Undefined for anything else. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const match = QUAD.exec(text);
  if (match === null || match.slice(1).some((part) => Number(part) > 255)) return undefined;
  return text as Ipv4;
}

/** For constants in code and tests; throws on a bad literal. */
export function ipv4(text: string): Ipv4 {
  const address = parseIpv4(text);
  invariant(address !== undefined, `not an IPv4 address: ${text}`);
  return address;
}

export function ipv4FromBytes(bytes: Uint8Array, at = 0): Ipv4 {
  invariant(bytes.length >= at + 4, 'four bytes make an IPv4 address');
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ipv4;
}

export function ipv4ToBytes(address: Ipv4): Uint8Array {
  const value = ipv4ToNumber(address);
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The address as an unsigned 32-bit number, first octet most significant. */
export function ipv4ToNumber(address: Ipv4): number {
  // Digit by digit: every packet is written with several of these, and split() costs five times as much.
  let value = 0;
  let part = 0;
  for (let i = 0; i < address.length; i++) {
    const c = address.charCodeAt(i);
    if (c === DOT) {
      value = value * 256 + part;
      part = 0;
    } else {
      part = part * 10 + c - ZERO;
    }
  }
  return value * 256 + part;
}

export function ipv4FromNumber(value: number): Ipv4 {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}` as Ipv4;
}

/** 0 gives 0.0.0.0, 32 gives 255.255.255.255. */
export function maskFromPrefix(prefix: number): Ipv4 {
  return ipv4FromNumber(prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);
}

/** Undefined when the ones are not contiguous from the left. */
export function prefixFromMask(mask: Ipv4): number | undefined {
  const prefix = Math.clz32(~ipv4ToNumber(mask) >>> 0);
  return maskFromPrefix(prefix) === mask ? prefix : undefined;
}

export function isMulticastIpv4(address: Ipv4): boolean {
  return ipv4ToNumber(address) >>> 28 === 0xe;
}

/** 127.0.0.0/8 (RFC 1122 3.2.1.3). */
export function isLoopbackIpv4(address: Ipv4): boolean {
  return ipv4ToNumber(address) >>> 24 === 127;
}

/** Whether an address may be one host's own: not 0/8, loopback, multicast, reserved 240/4 or broadcast. */
export function isHostIpv4(address: Ipv4): boolean {
  const first = ipv4ToNumber(address) >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}
