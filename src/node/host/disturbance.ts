import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { HOST_PREFIX } from './plan.ts';
import type { HostKernel, HostLink, InterfaceNotice } from './ports.ts';

/** What an uplink's side knows of itself; an index is undefined while the interface is away. */
export type SideView = {
  readonly uplink: { readonly name: string; readonly index: number | undefined };
  readonly shim: { readonly name: string; readonly index: number | undefined };
  readonly hosts: ReadonlyMap<Ipv4, Mac>;
  /** What the shim has to have. */
  readonly addresses: readonly Ipv4[];
  readonly source: Ipv4 | undefined;
};

/** What a notice of net.ipv4.conf.all names as its interface. */
const ALL_INTERFACES = 0;

/** Whether something is not as it should be after this. What we do ourselves is as it should be. */
export function isDisturbance(notice: InterfaceNotice, view: SideView): boolean {
  const { index, kind } = notice;
  const isShim = index === view.shim.index;
  const isUplink = index === view.uplink.index;
  switch (kind) {
    case 'link':
      return isShim || isUplink || notice.name === view.uplink.name || notice.name === view.shim.name;
    case 'address':
      return isUplink || (isShim && notice.gone === view.addresses.includes(notice.cidr.address));
    case 'route':
      return isShim && isWrongRoute(notice, view);
    case 'neighbour':
      return isShim && isWrongNeighbour(notice, view);
    case 'dead-end':
      return false;
    case 'sysctl':
      return isShim || isUplink || index === ALL_INTERFACES;
  }
}

function isWrongRoute(
  notice: Extract<InterfaceNotice, { kind: 'route' }>,
  { hosts, source }: SideView,
): boolean {
  if (notice.dst.prefix !== HOST_PREFIX || !hosts.has(notice.dst.address)) return false;
  return notice.gone || notice.source !== source;
}

function isWrongNeighbour(
  { gone, address, mac, permanent }: Extract<InterfaceNotice, { kind: 'neighbour' }>,
  { hosts }: SideView,
): boolean {
  const wanted = hosts.get(address);
  return wanted !== undefined && (gone || mac !== wanted || !permanent);
}

/**
 * A pod to which somebody made a route by another interface. Of ours, where it took its place, the kernel says
 * nothing; where it came before ours, ours is still in the table.
 */
export function contestedBy(
  notice: InterfaceNotice,
  { shim, hosts }: { readonly shim: number | undefined; readonly hosts: ReadonlyMap<Ipv4, Mac> },
): Ipv4 | undefined {
  if (notice.kind !== 'route' || notice.gone || shim === undefined || notice.index === shim) return undefined;
  const { address, prefix } = notice.dst;
  return prefix === HOST_PREFIX && hosts.has(address) ? address : undefined;
}

/**
 * The kernel tells of an uplink for each macvlan that comes or goes on it (NETDEV_CHANGEUPPER), with nothing changed that
 * matters here since it was `seen`. A change that was taken back since is none of those: routes may have gone with it.
 */
export function isOldNews(
  notice: InterfaceNotice,
  seen: HostLink | undefined,
  kernel: Pick<HostKernel, 'peek'>,
): boolean {
  if (seen === undefined || notice.kind !== 'link' || notice.gone || notice.index !== seen.index)
    return false;
  if (notice.name !== seen.name || notice.up !== seen.up || notice.lowerUp !== seen.lowerUp) return false;
  if (notice.mtu !== undefined) return notice.mtu === seen.mtu && notice.mac === seen.mac;
  // What the notice does not say.
  const now = kernel.peek(seen.name);
  return now?.index === seen.index && now.mtu === seen.mtu && now.mac === seen.mac;
}
