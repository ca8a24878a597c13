import { formatCidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import {
  type HostAddress,
  type HostChange,
  type HostLink,
  type HostNeighbour,
  type HostRoute,
  RTPROT_LEASEHOLD,
} from './ports.ts';

/** What the shim of one uplink has to be like. */
export type ShimWanted = {
  readonly mac: Mac;
  readonly mtu: number;
  /** Whether the uplink is up: nothing on top of it can be before. */
  readonly up: boolean;
  readonly alias: string;
  /** The node's addresses on the uplink, and those that it lost a moment ago. */
  readonly addresses: readonly Ipv4[];
  /** The one that the node speaks to pods with; undefined: none yet. */
  readonly source: Ipv4 | undefined;
  /** The pods on this uplink: their addresses, and the MAC addresses that these are behind. */
  readonly hosts: ReadonlyMap<Ipv4, Mac>;
  /** Those to whom others have made a route, which may come before ours. */
  readonly contested: ReadonlySet<Ipv4>;
};

/** What the kernel has of it. */
export type ShimSeen = {
  readonly link: HostLink;
  readonly addresses: readonly HostAddress[];
  /** Those of them that we put there, and those that we are about to. */
  readonly own: readonly Ipv4[];
  readonly routes: readonly HostRoute[];
  readonly neighbours: readonly HostNeighbour[];
};

/**
 * One thing that is not as it should be, by a name that stays the same, and what mends it. `ends`: what is not wanted any
 * more goes, and the item is not expected from then on.
 */
export type Step = { readonly item: string; readonly change: HostChange; readonly ends?: true };

/** An address of a single host (/32). */
export const HOST_PREFIX = 32;
const SCOPE_GLOBAL = 0;

/**
 * What has to be done so that the shim is as it should be. In this order: the link, then addresses, for routes name
 * them as their source; then what must go, addresses last, because routes that name them go with them.
 */
export function planShim(wanted: ShimWanted, seen: ShimSeen): readonly Step[] {
  return [
    ...planLink(wanted, seen.link),
    ...planNewAddresses(wanted, seen),
    ...planRoutes(wanted, seen),
    ...planNeighbours(wanted, seen),
    ...planOldAddresses(wanted, seen),
  ];
}

function planLink(wanted: ShimWanted, link: HostLink): readonly Step[] {
  const { index, name } = link;
  const steps: Step[] = [];
  if (link.mac !== wanted.mac)
    steps.push({ item: `MAC of ${name}`, change: { kind: 'set-link', index, mac: wanted.mac } });
  if (link.mtu !== wanted.mtu)
    steps.push({ item: `MTU of ${name}`, change: { kind: 'set-link', index, mtu: wanted.mtu } });
  if (link.alias !== wanted.alias)
    steps.push({ item: `alias of ${name}`, change: { kind: 'set-link', index, alias: wanted.alias } });
  if (wanted.up && !link.up)
    steps.push({ item: `${name} up`, change: { kind: 'set-link', index, up: true } });
  return steps;
}

function planNewAddresses(wanted: ShimWanted, { link, addresses }: ShimSeen): readonly Step[] {
  const { index, name } = link;
  const present = new Set(addresses.filter(isHostAddress).map(({ cidr }) => cidr.address));
  return wanted.addresses
    .filter((address) => !present.has(address))
    .map((address) => ({
      item: `address ${address} of ${name}`,
      change: { kind: 'add-address', index, address },
    }));
}

/** Ours alone: what others put there, a virtual address for example, is theirs. */
function planOldAddresses(wanted: ShimWanted, { link, addresses, own }: ShimSeen): readonly Step[] {
  const { index, name } = link;
  return addresses
    .filter((one) => isOwn(one, own) && !wanted.addresses.includes(one.cidr.address))
    .map(({ cidr }) => ({
      item: `address ${cidr.address} of ${name}`,
      change: { kind: 'remove-address', index, cidr },
      ends: true,
    }));
}

function isHostAddress({ cidr, scope }: HostAddress): boolean {
  return cidr.prefix === HOST_PREFIX && scope === SCOPE_GLOBAL;
}

function isOwn(address: HostAddress, own: readonly Ipv4[]): boolean {
  return isHostAddress(address) && own.includes(address.cidr.address);
}

/**
 * Which of the shim's addresses are ours: all that it shall have, for nobody else has a reason to put the uplink's
 * address there, and of those that were ours (`known`) those that are still there.
 */
export function ownAddresses(
  wanted: readonly Ipv4[],
  known: readonly Ipv4[],
  there: readonly HostAddress[],
): readonly Ipv4[] {
  const left = known.filter(
    (address) => !wanted.includes(address) && there.some((one) => isOwn(one, [address])),
  );
  return [...wanted, ...left].toSorted();
}

/** Addresses on the shim that are not of our making, as text. */
export function foreignAddresses({ addresses, own }: Pick<ShimSeen, 'addresses' | 'own'>): readonly string[] {
  return addresses.filter((one) => !isOwn(one, own)).map(({ cidr }) => formatCidr(cidr));
}

function planRoutes(wanted: ShimWanted, { link, routes }: ShimSeen): readonly Step[] {
  const { index } = link;
  const { source } = wanted;
  // The kernel takes none through an interface that is down.
  if (!wanted.up) return [];
  const ours = routes.filter(({ protocol }) => protocol === RTPROT_LEASEHOLD);
  const present = new Map(ours.map((route) => [route.dst.address, route]));
  const missing = [...wanted.hosts.keys()].filter((to) => {
    const route = present.get(to);
    const isRight = route?.source === source && route?.dst.prefix === HOST_PREFIX;
    return !isRight || wanted.contested.has(to);
  });
  const old = [...present.keys()].filter((to) => !wanted.hosts.has(to));
  return [
    ...missing.map((to) => ({
      item: `route to ${to}`,
      change: { kind: 'put-route', index, to, source } as const,
    })),
    ...old.map((to) => ({
      item: `route to ${to}`,
      change: { kind: 'remove-route', index, to } as const,
      ends: true as const,
    })),
  ];
}

function planNeighbours(wanted: ShimWanted, { link, neighbours }: ShimSeen): readonly Step[] {
  const { index } = link;
  const present = new Map(
    neighbours.filter(({ permanent }) => permanent).map(({ address, mac }) => [address, mac]),
  );
  const missing = [...wanted.hosts].filter(([address, mac]) => present.get(address) !== mac);
  const old = [...present.keys()].filter((address) => !wanted.hosts.has(address));
  return [
    ...missing.map(([address, mac]) => ({
      item: `neighbour ${address}`,
      change: { kind: 'put-neighbour', index, address, mac } as const,
    })),
    ...old.map((address) => ({
      item: `neighbour ${address}`,
      change: { kind: 'remove-neighbour', index, address } as const,
      ends: true as const,
    })),
  ];
}
