import { isIpv4 } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Pod, PodLink } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';

/** Where another plugin's interface stands, and what addresses it was given. */
export type ChainedPlace = {
  readonly link: PodLink;
  readonly uplink: string;
  readonly addresses: readonly Ipv4[];
};

export function missingPrevResult(): CniError {
  return new CniError(
    'invalid-config',
    'prevResult: is missing; "chained" comes behind the plugin that made the interface',
  );
}

/** Throws CniError 113 for an interface that a shim on the uplink would not reach. */
export async function chainedPlace(pod: Pod, ifname: string, prev: CniResult): Promise<ChainedPlace> {
  const link = await pod.link(ifname);
  if (link === undefined) {
    throw new CniError('not-chainable', `the plugins before this one made no interface ${ifname}`);
  }
  if (link.kind !== 'macvlan') {
    throw new CniError(
      'not-chainable',
      `${ifname} is no macvlan but ${link.kind === undefined ? 'a device' : `a ${link.kind}`}: the node reaches it by itself, or not at all`,
    );
  }
  if (link.macvlanMode !== 'bridge') {
    throw new CniError(
      'not-chainable',
      `${ifname} is a macvlan of mode ${link.macvlanMode ?? 'unknown'}, which does not speak to others on its uplink: use mode bridge`,
    );
  }
  const { lan } = await pod.hostLan(link);
  if (lan === undefined) {
    throw new CniError('not-chainable', `the uplink of ${ifname} is no interface of this node`);
  }
  return { link, uplink: lan.name, addresses: addressesOf(ifname, prev) };
}

/** IPv4 addresses that the result says are this interface's, or nobody's in particular. */
function addressesOf(ifname: string, { interfaces, ips }: CniResult): readonly Ipv4[] {
  const at = interfaces.findIndex(({ name, sandbox }) => name === ifname && sandbox !== undefined);
  return ips
    .filter((ip) => ip.interface === undefined || ip.interface === at)
    .map(({ address }) => address.address)
    .filter(isIpv4);
}
