import { networkOf, parseCidr, type Cidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import {
  ipv4FromBytes,
  ipv4FromNumber,
  ipv4ToNumber,
  parseIpv4,
  prefixFromMask,
  type Ipv4,
} from '../../base/ipv4.ts';
import { ipv6FromBytes, ipv6ToBytes, parseIpv6, type Ipv6 } from '../../base/ipv6.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseAll, splitItems, type Codec } from './codec.ts';

const IPV4_BYTES = 4;
const PAIR_BYTES = 2 * IPV4_BYTES;
const IPV6_BYTES = 16;

function parseAddress(text: string): Result<Ipv4, string> {
  const address = parseIpv4(text);
  return address === undefined ? err(`"${text}" is not an IPv4 address`) : ok(address);
}

function writeIpv4(bytes: Uint8Array, at: number, address: Ipv4): void {
  const value = ipv4ToNumber(address);
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readIpv4s(bytes: Uint8Array): readonly Ipv4[] {
  const addresses: Ipv4[] = [];
  for (let at = 0; at < bytes.length; at += IPV4_BYTES) addresses.push(ipv4FromBytes(bytes, at));
  return addresses;
}

function writeIpv4s(addresses: readonly Ipv4[]): Uint8Array {
  const bytes = new Uint8Array(addresses.length * IPV4_BYTES);
  addresses.forEach((address, i) => writeIpv4(bytes, i * IPV4_BYTES, address));
  return bytes;
}

export const ipv4Address: Codec<Ipv4> = {
  kind: 'IPv4 address',
  size: IPV4_BYTES,
  decode(bytes) {
    if (bytes.length !== IPV4_BYTES) return err(`${bytes.length} bytes instead of ${IPV4_BYTES}`);
    return ok(ipv4FromBytes(bytes));
  },
  encode: (address) => writeIpv4s([address]),
  parse: parseAddress,
  format: String,
};

/** A subnet mask. Ones that do not stand together make no prefix, so nothing could be configured from them. */
export const ipv4Mask: Codec<Ipv4> = {
  ...ipv4Address,
  kind: 'subnet mask',
  decode(bytes) {
    const mask = ipv4Address.decode(bytes);
    return !mask.ok || prefixFromMask(mask.value) !== undefined ? mask : err(`${mask.value} is no mask`);
  },
  parse(text) {
    const mask = parseAddress(text);
    return !mask.ok || prefixFromMask(mask.value) !== undefined ? mask : err(`"${text}" is no mask`);
  },
};

export const ipv4List: Codec<readonly Ipv4[]> = {
  kind: 'IPv4 addresses',
  decode(bytes) {
    if (bytes.length === 0 || bytes.length % IPV4_BYTES !== 0) {
      return err(`${bytes.length} bytes are not a list of IPv4 addresses`);
    }
    return ok(readIpv4s(bytes));
  },
  encode: writeIpv4s,
  parse(text) {
    const items = splitItems(text);
    if (items.length === 0) return err('at least one IPv4 address is needed');
    return parseAll(items, parseAddress);
  },
  format: (addresses) => addresses.join(', '),
};

/** The same where an empty list says something: "no home agents are available" (RFC 2132 8.13). */
export const ipv4ListOrNone: Codec<readonly Ipv4[]> = {
  ...ipv4List,
  decode: (bytes) => (bytes.length === 0 ? ok([]) : ipv4List.decode(bytes)),
  parse: (text) => (text === '' ? ok([]) : ipv4List.parse(text)),
};

/** Pairs of addresses, whose two members are called `first` and `second` (RFC 2132 4.3 and 5.8). */
export function ipv4Pairs<const A extends string, const B extends string>(
  first: A,
  second: B,
): Codec<readonly Readonly<Record<A | B, Ipv4>>[]> {
  type Pair = Readonly<Record<A | B, Ipv4>>;
  const pairsOf = (addresses: readonly Ipv4[]): readonly Pair[] => {
    const pairs: Pair[] = [];
    for (let i = 0; i + 1 < addresses.length; i += 2) {
      pairs.push({ [first]: addresses[i], [second]: addresses[i + 1] } as Pair);
    }
    return pairs;
  };
  return {
    kind: `pairs of IPv4 addresses (${first}, ${second})`,
    decode(bytes) {
      if (bytes.length === 0 || bytes.length % PAIR_BYTES !== 0) {
        return err(`${bytes.length} bytes are not pairs of IPv4 addresses`);
      }
      return ok(pairsOf(readIpv4s(bytes)));
    },
    encode: (pairs) => writeIpv4s(pairs.flatMap((pair) => [pair[first], pair[second]])),
    parse(text) {
      const addresses = ipv4List.parse(text);
      if (!addresses.ok) return addresses;
      if (addresses.value.length % 2 !== 0) return err(`a ${second} is missing: addresses come in pairs`);
      return ok(pairsOf(addresses.value));
    },
    format: (pairs) => pairs.map((pair) => `${pair[first]} ${pair[second]}`).join(', '),
  };
}

export const ipv6Address: Codec<Ipv6> = {
  kind: 'IPv6 address',
  size: IPV6_BYTES,
  decode(bytes) {
    if (bytes.length !== IPV6_BYTES) return err(`${bytes.length} bytes instead of ${IPV6_BYTES}`);
    return ok(ipv6FromBytes(bytes));
  },
  encode: ipv6ToBytes,
  parse(text) {
    const address = parseIpv6(text);
    return address === undefined ? err(`"${text}" is not an IPv6 address`) : ok(address);
  },
  format: String,
};

/** One route of options 121 and 249. A router of 0.0.0.0 means "on the link" (RFC 3442, "Local Subnet Routes"). */
export type ClasslessRoute = { readonly destination: Cidr<Ipv4>; readonly router: Ipv4 };

const IPV4_BITS = 32;

function parseDestination(text: string): Result<Cidr<Ipv4>, string> {
  const network = parseCidr(text);
  if (network === undefined || !isIpv4(network.address)) return err(`"${text}" is not an IPv4 network`);
  return ok(networkOf({ address: network.address, prefix: network.prefix }));
}

/**
 * RFC 3442: prefix length, as many octets of the network as are significant, router; repeated. Host bits in the last
 * significant octet are cleared, as a route with them would be refused by the kernel.
 */
export const classlessRoutes: Codec<readonly ClasslessRoute[]> = {
  kind: 'routes (network router)',
  decode(bytes) {
    if (bytes.length === 0) return err('no route');
    const routes: ClasslessRoute[] = [];
    let at = 0;
    while (at < bytes.length) {
      const prefix = bytes[at++] ?? 0;
      if (prefix > IPV4_BITS) return err(`prefix length ${prefix}`);
      const octets = Math.ceil(prefix / 8);
      if (at + octets + IPV4_BYTES > bytes.length) return err('the last route is cut off');
      let network = 0;
      for (let i = 0; i < IPV4_BYTES; i++) network = network * 256 + (i < octets ? (bytes[at + i] ?? 0) : 0);
      const hostSize = 2 ** (IPV4_BITS - prefix);
      const address = ipv4FromNumber(network - (network % hostSize));
      at += octets;
      routes.push({ destination: { address, prefix }, router: ipv4FromBytes(bytes, at) });
      at += IPV4_BYTES;
    }
    return ok(routes);
  },
  encode(routes) {
    const bytes: number[] = [];
    for (const { destination, router } of routes) {
      const octets = Math.ceil(destination.prefix / 8);
      bytes.push(destination.prefix, ...writeIpv4s([destination.address]).subarray(0, octets));
      bytes.push(...writeIpv4s([router]));
    }
    return Uint8Array.from(bytes);
  },
  parse(text) {
    // A dash between network and router is Kea's way of writing it.
    const items = text.split(/[\s,-]+/).filter((item) => item !== '');
    if (items.length === 0) return err('at least one route is needed: "10.0.0.0/8 192.168.1.1"');
    const routes: ClasslessRoute[] = [];
    for (let i = 0; i < items.length; i += 2) {
      const destination = parseDestination(items[i] ?? '');
      if (!destination.ok) return destination;
      const router = items[i + 1];
      if (router === undefined) return err(`the router of ${items[i]} is missing`);
      const address = parseAddress(router);
      if (!address.ok) return address;
      routes.push({ destination: destination.value, router: address.value });
    }
    return ok(routes);
  },
  format: (routes) =>
    routes
      .map(({ destination, router }) => `${destination.address}/${destination.prefix} ${router}`)
      .join(', '),
};
