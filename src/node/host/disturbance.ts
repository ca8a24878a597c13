import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { HOST_PREFIX } from './plan.ts';
import type { HostNotice } from './ports.ts';

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
export function isDisturbance(notice: HostNotice, view: SideView): boolean {
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
    case 'sysctl':
      return isShim || isUplink || index === ALL_INTERFACES;
  }
}

function isWrongRoute(notice: Extract<HostNotice, { kind: 'route' }>, { hosts, source }: SideView): boolean {
  if (notice.dst.prefix !== HOST_PREFIX || !hosts.has(notice.dst.address)) return false;
  return notice.gone || notice.source !== source;
}

function isWrongNeighbour(
  { gone, address, mac, permanent }: Extract<HostNotice, { kind: 'neighbour' }>,
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
  notice: HostNotice,
  { shim, hosts }: { readonly shim: number | undefined; readonly hosts: ReadonlyMap<Ipv4, Mac> },
): Ipv4 | undefined {
  if (notice.kind !== 'route' || notice.gone || shim === undefined || notice.index === shim) return undefined;
  const { address, prefix } = notice.dst;
  return prefix === HOST_PREFIX && hosts.has(address) ? address : undefined;
}
