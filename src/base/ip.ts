import { ipv4FromBytes, ipv4ToBytes, parseIpv4, type Ipv4 } from './ipv4.ts';
import { ipv6FromBytes, ipv6ToBytes, parseIpv6, type Ipv6 } from './ipv6.ts';

export type Ip = Ipv4 | Ipv6;

export function isIpv4(address: Ip): address is Ipv4 {
  return !address.includes(':');
}

export function isIpv6(address: Ip): address is Ipv6 {
  return address.includes(':');
}

export function parseIp(text: string): Ip | undefined {
  return parseIpv4(text) ?? parseIpv6(text);
}

/** Four or sixteen bytes, network order. */
export function ipToBytes(address: Ip): Uint8Array {
  return isIpv4(address) ? ipv4ToBytes(address) : ipv6ToBytes(address);
}

/** Undefined unless there are four or sixteen bytes. */
export function ipFromBytes(bytes: Uint8Array): Ip | undefined {
  if (bytes.length === 4) return ipv4FromBytes(bytes);
  return bytes.length === 16 ? ipv6FromBytes(bytes) : undefined;
}

/** The number of bits in an address of this family. */
export function ipBits(address: Ip): 32 | 128 {
  return isIpv4(address) ? 32 : 128;
}
