import { formatCidr, networkOf } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { LocalView } from '../local/check.ts';
import { findPlugin, type PluginPlace } from '../local/plugin-search.ts';
import type { NodeAddress, NodeLink } from '../local/ports.ts';
import type { FoundServiceNetwork } from '../../node/services/found.ts';

/** What of a node decides whether a network configuration works there. */
export type ConflistNode = {
  readonly links: readonly NodeLink[];
  readonly addresses: readonly NodeAddress[];
  readonly uplink: NodeLink | undefined;
  readonly services: readonly FoundServiceNetwork[];
  readonly bins: readonly string[];
  readonly plugin: (type: string) => PluginPlace;
};

export function conflistNode(
  view: Pick<LocalView, 'facts' | 'places' | 'links' | 'addresses' | 'uplink' | 'services'>,
): ConflistNode {
  const { facts, places, links, addresses, uplink, services } = view;
  return {
    links,
    addresses,
    uplink,
    services,
    bins: places.cniBins,
    plugin: (type) => findPlugin(facts, places.cniBins, type),
  };
}

/** The IPv4 networks on a link, as text; none of a single address. */
export function networksOn(node: ConflistNode, link: NodeLink | undefined): readonly string[] {
  return node.addresses
    .filter(({ index, cidr }) => index === link?.index && isIpv4(cidr.address) && cidr.prefix < 32)
    .map(({ cidr }) => formatCidr(networkOf(cidr)));
}
