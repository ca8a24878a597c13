import { isShimAlias } from '../../node/host/shim.ts';
import { formatCidr, networkOf } from '../../base/cidr.ts';
import { type Finding, wifiFact } from '../finding.ts';
import { linkName, type Check, type LocalView } from './check.ts';
import type { NodeLink, NodeRoute } from './ports.ts';

/** By its name or an alternative one. */
export function linkNamed(links: readonly NodeLink[], name: string): NodeLink | undefined {
  return links.find((link) => link.name === name || link.altNames?.includes(name) === true);
}

/** The link named, or that of the default route with the lowest metric, IPv4 first. */
export function uplinkOf(
  links: readonly NodeLink[],
  routes: readonly NodeRoute[],
  name: string | undefined,
): NodeLink | undefined {
  if (name !== undefined) return linkNamed(links, name);
  const best = routes
    .filter(({ dst, index }) => dst.prefix === 0 && index !== undefined)
    .toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0))[0];
  const link = links.find(({ index }) => index === best?.index);
  // A network manager that took the shim for its own gave it a default route too.
  const below = isShimAlias(link?.alias) ? link?.masterIndex : undefined;
  return below === undefined ? link : links.find(({ index }) => index === below);
}

/** Kinds of links that pods' macvlans cannot stand on, or should not. */
export const uplinkKindCheck: Check = {
  subject: 'what kind of interface the uplink is',
  look: ({ uplink, ...view }) => (uplink === undefined ? [] : kindFindings(uplink, { ...view, uplink })),
};

function kindFindings(uplink: NodeLink, view: LocalView): readonly Finding[] {
  const findings: Finding[] = [];
  if (uplink.wireless) {
    findings.push({
      id: 'uplink-wifi',
      fact: wifiFact(uplink.name),
      severity: 'error',
      title: `${uplink.name} is a Wi-Fi adapter: access points drop frames from other MAC addresses than its own`,
      evidence: [`/sys/class/net/${uplink.name} has a wireless part`],
      remedy: [
        'use a cable, and name that interface in "master"',
        'or use ipvlan, whose pods share the adapter\'s MAC address: { "type": "ipvlan", "ipam": { "type": "dhcp" } }',
      ],
    });
  }
  if (uplink.controllerIndex !== undefined) {
    const above = linkName(view, uplink.controllerIndex);
    findings.push({
      id: 'uplink-is-port',
      severity: 'error',
      title: `${uplink.name} is a port of ${above}: no macvlan can stand on it`,
      evidence: [`ip link show ${uplink.name}: master ${above}`],
      remedy: [`name ${above} in "master"`],
    });
  }
  return findings;
}

/** "192.168.2.0/24" of each IPv4 address of the uplink that is a network, not a single host. */
export function lanNetworks(view: Pick<LocalView, 'addresses' | 'uplink'>): readonly string[] {
  return view.addresses
    .filter(
      ({ index, cidr }) => index === view.uplink?.index && cidr.prefix < 32 && !cidr.address.includes(':'),
    )
    .map(({ cidr }) => formatCidr(networkOf(cidr)));
}
