import { invariant } from './invariant.ts';
import { ipBits, ipFromBytes, ipToBytes, isIpv4, parseIp, type Ip } from './ip.ts';
import type { Ipv4 } from './ipv4.ts';
import type { Ipv6 } from './ipv6.ts';

/** An address with the length of its network prefix; the host bits are kept ("192.168.2.7/24"). */
export type Cidr<A extends Ip = Ip> = { readonly address: A; readonly prefix: number };

/** Needs the slash: an address alone is not a network, and guessing its length would hide a mistake. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  if (match === null) return undefined;
  const address = parseIp(match[1] ?? '');
  const prefix = Number(match[2]);
  if (address === undefined || prefix > ipBits(address)) return undefined;
  return { address, prefix };
}

/** For constants in code and tests; throws on a bad literal. */
export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  invariant(parsed !== undefined, `not a network: ${text}`);
  return parsed;
}

export function formatCidr(network: Cidr): string {
  return `${network.address}/${network.prefix}`;
}

/** The same network with its host bits cleared. */
export function networkOf<A extends Ip>(network: Cidr<A>): Cidr<A> {
  const bytes = ipToBytes(network.address);
  for (let i = 0; i < bytes.length; i++) {
    const bits = Math.min(8, Math.max(0, network.prefix - i * 8));
    bytes[i] = (bytes[i] ?? 0) & (0xff << (8 - bits));
  }
  return { address: ipFromBytes(bytes) as A, prefix: network.prefix };
}

export function cidrContains(network: Cidr, address: Ip): boolean {
  if (isIpv4(network.address) !== isIpv4(address)) return false;
  return networkOf({ address, prefix: network.prefix }).address === networkOf(network).address;
}

export function equalNetwork(a: Cidr, b: Cidr): boolean {
  return a.prefix === b.prefix && networkOf(a).address === networkOf(b).address;
}

export const DEFAULT_V4 = { address: '0.0.0.0' as Ipv4, prefix: 0 } as const satisfies Cidr<Ipv4>;
export const DEFAULT_V6 = { address: '::' as Ipv6, prefix: 0 } as const satisfies Cidr<Ipv6>;

/** 0.0.0.0/0 or ::/0. */
export function isDefault(network: Cidr): boolean {
  return network.prefix === 0;
}
