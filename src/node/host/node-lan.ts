import { type Cidr, cidrContains, formatCidr, networkOf } from '../../base/cidr.ts';
import { type Ipv4, ipv4, ipv4FromBytes, ipv4ToBytes } from '../../base/ipv4.ts';
import { HOST_PREFIX } from './plan.ts';
import { type HostAddress, type HostRoute, RTPROT_LEASEHOLD } from './ports.ts';
import { distinct } from './service-networks.ts';

/** What the node's kernel has at one moment: all of its addresses, and all routes of its main table. */
export type NodeLan = {
  readonly addresses: readonly HostAddress[];
  readonly routes: readonly HostRoute[];
};

/** An interface of the node that pods stand on. */
export type UplinkHere = {
  readonly name: string;
  readonly index: number;
  /** What is on its LAN as far as the node's addresses and routes do not say. Counts only while they say nothing. */
  readonly stated: readonly Cidr<Ipv4>[];
};

/** A network of services that is larger is a slip: 10.0.0.0/8 is the largest that anybody may use as he likes (RFC 1918). */
export const SERVICE_PREFIX_MIN = 8;

/** RFC 3021: a network of two addresses has neither an address of its own nor one for all. */
const SMALLEST_WITH_BROADCAST = 30;
/** RFC 3927: whoever has no address of a LAN yet gives one to himself. */
const LINK_LOCAL: Cidr<Ipv4> = { address: ipv4('169.254.0.0'), prefix: 16 };
/** RFC 6890: "this network", loopback; from 224.0.0.0 on no hosts. */
const NO_HOSTS: readonly Cidr<Ipv4>[] = [
  { address: ipv4('0.0.0.0'), prefix: 8 },
  { address: ipv4('127.0.0.0'), prefix: 8 },
  { address: ipv4('224.0.0.0'), prefix: 3 },
];

export function overlaps(a: Cidr<Ipv4>, b: Cidr<Ipv4>): boolean {
  return cidrContains(a, networkOf(b).address) || cidrContains(b, networkOf(a).address);
}

/** Why a network cannot be one of services, as far as it is the LAN itself; undefined: it can. */
export function serviceProblem(
  { addresses, routes }: NodeLan,
  uplinks: readonly UplinkHere[],
  network: Cidr<Ipv4>,
): string | undefined {
  if (network.prefix < SERVICE_PREFIX_MIN) return `is larger than a /${SERVICE_PREFIX_MIN}`;
  for (const { name, index, stated } of uplinks) {
    const own = addresses.filter((one) => one.index === index).map((one) => networkOf(one.cidr));
    const lan = [...own, ...stated].find((one) => overlaps(one, network));
    if (lan !== undefined) return `overlaps ${formatCidr(lan)}, the network of ${name}`;
  }
  const gateway = routes
    .filter(({ dst }) => dst.prefix === 0)
    .flatMap((route) => route.gateway ?? [])
    .find((one) => cidrContains(network, one));
  return gateway === undefined ? undefined : `contains ${gateway}, the router of this node`;
}

/** Networks of which the node says that they are on this interface itself, without a router between. */
export function onLink({ addresses, routes }: NodeLan, index: number): readonly Cidr<Ipv4>[] {
  const own = addresses.filter((one) => one.index === index && !cidrContains(LINK_LOCAL, one.cidr.address));
  const routed = routes.filter((one) => one.index === index && one.gateway === undefined && !isOurs(one));
  const all = [...own.map(({ cidr }) => cidr), ...routed.map(({ dst }) => dst)];
  return distinct(all.filter(({ prefix }) => prefix > 0 && prefix < HOST_PREFIX));
}

/**
 * A network that the node reaches by another way than this interface and that has the address, of at least this prefix
 * length. What is on the uplink itself wins over what is no longer, as in the kernel; what is only stated wins over
 * nothing but halves of the default route, as VPNs set them.
 */
function coverOf(
  { addresses, routes }: NodeLan,
  index: number,
  address: Ipv4,
  least: number,
): Cidr<Ipv4> | undefined {
  const others = [
    ...addresses.filter((one) => one.index !== index).map((one) => networkOf(one.cidr)),
    ...routes.filter((one) => one.index !== index && !isOurs(one)).map(({ dst }) => dst),
  ];
  return others.find((one) => one.prefix >= least && one.prefix < HOST_PREFIX && cidrContains(one, address));
}

function isOurs({ protocol }: HostRoute): boolean {
  return protocol === RTPROT_LEASEHOLD;
}

/**
 * Why the node must not lead this address to a pod; undefined: it may. What an address is taken for comes from a DHCP
 * server, or from a file: neither may turn what the node sends to its router, to itself or to the Internet to a pod.
 */
export function addressProblem(lan: NodeLan, uplink: UplinkHere, address: Ipv4): string | undefined {
  const { addresses, routes } = lan;
  if (NO_HOSTS.some((network) => cidrContains(network, address))) return 'is no address of a host';
  if (addresses.some(({ cidr }) => cidr.address === address)) return 'is an address of the node itself';
  const routed = routes.find(({ gateway }) => gateway === address);
  if (routed !== undefined) return `is the gateway of the node's route to ${formatCidr(routed.dst)}`;
  const own = onLink(lan, uplink.index);
  const networks = own.length > 0 ? own : uplink.stated;
  // The server's word alone could be any address of the Internet.
  if (networks.length === 0) {
    return `cannot be told from an address elsewhere: the node has no IPv4 network on ${uplink.name} (write the networks of this LAN into the daemon's file, "lan": ["192.168.2.0/24"], and reload it; or set "hostAccess" to false and "services" to "off" for these pods)`;
  }
  const around = networks.filter((network) => cidrContains(network, address));
  if (around.length === 0) {
    return own.length > 0
      ? `is in no network that the node has on ${uplink.name} (${networks.map(formatCidr).join(', ')})`
      : `is in no network of the LAN at ${uplink.name}, on which the node has no IPv4 network of its own (${networks.map(formatCidr).join(', ')}: "lan" in the daemon's file names them)`;
  }
  const least = own.length > 0 ? Math.max(...around.map(({ prefix }) => prefix)) + 1 : SERVICE_PREFIX_MIN;
  const elsewhere = coverOf(lan, uplink.index, address, least);
  if (elsewhere !== undefined)
    return `is in ${formatCidr(elsewhere)}, which the node has elsewhere: ip route show`;
  const edge = around.find((network) => isEdge(network, address));
  if (edge !== undefined) return `is no address of a host in ${formatCidr(edge)}`;
  const other = routes.find(
    (one) => one.dst.prefix === HOST_PREFIX && one.dst.address === address && !isOurs(one),
  );
  return other === undefined ? undefined : 'has a route on this node that others made: ip route show';
}

/**
 * Who has an address on the LAN of an interface, of the node itself and the routers that it knows, in words; undefined:
 * nobody. The same address on another interface is another network's, unless the node says that it is on this one too.
 * A router is who has a default route: that of a single network may be the very pod that asks for its address again.
 */
export function holderOnLan(lan: NodeLan, index: number, address: Ipv4): string | undefined {
  const isHere = onLink(lan, index).some((network) => cidrContains(network, address));
  const own = lan.addresses.find(({ cidr }) => cidr.address === address);
  if (own !== undefined && (isHere || own.index === index)) return 'the node itself';
  const routed = lan.routes.find(
    (one) => one.dst.prefix === 0 && one.gateway === address && (isHere || one.index === index),
  );
  return routed === undefined ? undefined : `the gateway of the node's route to ${formatCidr(routed.dst)}`;
}

/** The first or the last address of a network: of the network itself, or of all in it. */
function isEdge(network: Cidr<Ipv4>, address: Ipv4): boolean {
  if (network.prefix > SMALLEST_WITH_BROADCAST) return false;
  return address === network.address || address === broadcastOf(network);
}

function broadcastOf({ address, prefix }: Cidr<Ipv4>): Ipv4 {
  const bytes = ipv4ToBytes(address).map((byte, at) => {
    const bits = Math.min(8, Math.max(0, prefix - at * 8));
    return byte | (0xff >> bits);
  });
  return ipv4FromBytes(bytes);
}
