import { invariant } from './invariant.ts';

/** A 48-bit Ethernet address as lower-case colon-separated text ("02:00:5e:10:00:01"). */
export type Mac = string & { readonly __brand: 'Mac' };

/** Every station of a LAN (IEEE 802). */
export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;

/** Accepts colons or dashes between six pairs of hex digits. Undefined for anything else, multicast included or not. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(\1[0-9a-fA-F]{2}){4}$/.test(text)) return undefined;
  return text.toLowerCase().replaceAll('-', ':') as Mac;
}

/** For constants in code and tests; throws on a bad literal. */
export function mac(text: string): Mac {
  const address = parseMac(text);
  invariant(address !== undefined, `not a MAC address: ${text}`);
  return address;
}

// Made once: every packet has an address or two to be written as text.
const HEX_PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexPair(byte = 0): string {
  return HEX_PAIRS[byte] ?? '00';
}

export function macFromBytes(bytes: Uint8Array, at = 0): Mac {
  invariant(bytes.length >= at + 6, 'six bytes make a MAC address');
  let text = hexPair(bytes[at]);
  for (let i = at + 1; i < at + 6; i++) text += `:${hexPair(bytes[i])}`;
  return text as Mac;
}

export function macToBytes(address: Mac): Uint8Array {
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) bytes[i] = Number.parseInt(address.slice(i * 3, i * 3 + 2), 16);
  return bytes;
}

/** The group bit (IEEE 802): such an address can receive but is no interface's own. */
export function isMulticastMac(address: Mac): boolean {
  return (Number.parseInt(address.slice(0, 2), 16) & 1) === 1;
}

/** Locally administered (IEEE 802): nobody's card came with it. */
export function isLocalMac(address: Mac): boolean {
  return (Number.parseInt(address.slice(0, 2), 16) & 2) === 2;
}

export function isZeroMac(address: Mac): boolean {
  return address === '00:00:00:00:00:00';
}
