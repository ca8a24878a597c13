import type { Link } from '../wire/netlink/link.ts';
import { NetNs } from './netns.ts';
import type { Rtnl } from './rtnl.ts';

/** As cni/ports.ts has it. */
export type HostLan = {
  readonly uplinkIndex: number | undefined;
  readonly lan: { readonly index: number; readonly name: string } | undefined;
};

const NONE: HostLan = { uplinkIndex: undefined, lan: undefined };

/**
 * Looks from an interface of `pod` down into the daemon's own namespace, which is `host`: at the parent of a macvlan,
 * or at the bridge that a veth's peer is a port of. An index says nothing by itself: it counts in the namespace that
 * IFLA_LINK_NETNSID names, and that must be the daemon's.
 */
export async function hostLan(pod: Rtnl, host: Rtnl, index: number): Promise<HostLan> {
  const link = await pod.links.get(index);
  const below = link?.masterIndex;
  if (link === undefined || below === undefined || !(await leadsToHost(pod, link))) return NONE;
  if (link.kind === 'macvlan') return { uplinkIndex: below, lan: named(await host.links.get(below)) };
  if (link.kind === 'veth') return { uplinkIndex: undefined, lan: named(await bridgeOf(host, below, index)) };
  return NONE;
}

/** The MTU of what is below a macvlan, wherever that is visible from here; undefined when nothing limits the link. */
export async function parentMtu(pod: Rtnl, host: Rtnl, index: number): Promise<number | undefined> {
  const link = await pod.links.get(index);
  if (link?.kind !== 'macvlan' || link.masterIndex === undefined) return undefined;
  if (link.linkNetnsId === undefined) return (await pod.links.get(link.masterIndex))?.mtu;
  return (await leadsToHost(pod, link)) ? (await host.links.get(link.masterIndex))?.mtu : undefined;
}

async function leadsToHost(pod: Rtnl, link: Link): Promise<boolean> {
  if (link.linkNetnsId === undefined) return false;
  // The id is this namespace's name for the one that the other end is in: is that the daemon's? -1 is "not named".
  const hostId = await pod.namespaceId(NetNs.self());
  return hostId !== undefined && hostId >= 0 && hostId === link.linkNetnsId;
}

async function bridgeOf(host: Rtnl, peerIndex: number, index: number): Promise<Link | undefined> {
  const peer = await host.links.get(peerIndex);
  // It may have gone meanwhile, and its number may be another's: the other end knows this one.
  if (peer?.kind !== 'veth' || peer.masterIndex !== index || peer.controllerIndex === undefined) {
    return undefined;
  }
  const controller = await host.links.get(peer.controllerIndex);
  return controller?.kind === 'bridge' ? controller : undefined;
}

function named(link: Link | undefined): HostLan['lan'] {
  return link === undefined ? undefined : { index: link.index, name: link.name };
}
