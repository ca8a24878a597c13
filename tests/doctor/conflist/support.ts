import { networkOf, parseCidr } from '../../../src/base/cidr.ts';
import { isIpv4 } from '../../../src/base/ip.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { checkConflist, type ConflistReport } from '../../../src/doctor/conflist/check.ts';
import type { ConflistNode } from '../../../src/doctor/conflist/node.ts';
import type { Finding } from '../../../src/doctor/finding.ts';
import type { NodeLink } from '../../../src/doctor/local/ports.ts';

/** A link of the node; hardware, up, unless told otherwise. */
export function linkOf(index: number, name: string, more: Partial<NodeLink> = {}): NodeLink {
  return { index, name, mtu: 1500, up: true, lowerUp: true, wireless: false, ...more };
}

export const ETH0 = linkOf(2, 'eth0');

type Wish = {
  readonly links?: readonly NodeLink[];
  readonly uplink?: NodeLink | undefined;
  readonly addresses?: readonly (readonly [index: number, cidr: string])[];
  readonly services?: readonly string[];
  readonly programs?: readonly string[];
};

/** A node with eth0 at 192.168.2.125/24 and every program, in which `wish` changes something. */
export function nodeWith(wish: Wish = {}): ConflistNode {
  const links = wish.links ?? [ETH0];
  const addresses = wish.addresses ?? [[2, '192.168.2.125/24']];
  return {
    links,
    uplink: 'uplink' in wish ? wish.uplink : links[0],
    addresses: addresses.map(([index, text]) => ({ index, cidr: read(text) })),
    services: (wish.services ?? []).map((text) => {
      const { address, prefix } = networkOf(read(text));
      return { network: { address: ipv4(address), prefix }, source: 'a test' };
    }),
    bins: ['/opt/cni/bin'],
    plugin: (type) =>
      wish.programs === undefined || wish.programs.includes(type)
        ? { kind: 'there', path: `/opt/cni/bin/${type}` }
        : { kind: 'missing' },
  };
}

function read(text: string) {
  const parsed = parseCidr(text);
  if (parsed === undefined || !isIpv4(parsed.address)) throw new Error(`not an IPv4 network: ${text}`);
  return parsed;
}

export function check(plugins: readonly object[], node = nodeWith(), list: object = {}): ConflistReport {
  return checkConflist(JSON.stringify({ cniVersion: '1.0.0', name: 'lan', plugins, ...list }), node);
}

export function allOf({ findings, plugins }: ConflistReport): readonly Finding[] {
  return [...findings, ...plugins.flatMap((plugin) => plugin.findings)];
}

/** "error master-missing" of each, in order. */
export function idsOf(report: ConflistReport): readonly string[] {
  return allOf(report).map(({ id, severity }) => `${severity} ${id}`);
}

export function one(report: ConflistReport, id: string): Finding {
  const found = allOf(report).filter((finding) => finding.id === id);
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} of ${id}: ${idsOf(report).join()}`);
  return first;
}
