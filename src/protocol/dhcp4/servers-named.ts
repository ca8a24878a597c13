import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { hostFault } from './own-network.ts';

/** So many addresses that are left out are named. */
const MOST_NAMED = 4;

/**
 * The servers of a list that can be meant, each once, and a remark on the others. None is 0.0.0.0, 255.255.255.255,
 * multicast, or loopback, which in a pod is the pod itself; the end of the pod's own network is nobody's. Link-local
 * addresses can be: of resolvers on the node, or of a cloud. So can the pod's own address: it may be the LAN's server.
 */
export function serversNamed(
  own: Cidr<Ipv4>,
  named: readonly Ipv4[],
): { readonly servers: readonly Ipv4[]; readonly remark: string | undefined } {
  const all = [...new Set(named)];
  const left = all.filter((address) => hostFault(own, address) !== undefined);
  if (left.length === 0) return { servers: all, remark: undefined };
  const names = left.slice(0, MOST_NAMED).join(', ');
  const more = left.length > MOST_NAMED ? ` and ${left.length - MOST_NAMED} more` : '';
  return {
    servers: all.filter((address) => !left.includes(address)),
    remark: `left out ${names}${more}: no address of a server`,
  };
}
