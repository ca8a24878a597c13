import { cidrContains, equalNetwork, formatCidr, isDefault, networkOf, type Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { kubeletServerAddress } from '../../node/services/kubelet-server.ts';
import { RTPROT_LEASEHOLD } from '../../node/host/ports.ts';
import type { Finding } from '../finding.ts';
import { linkName, type Check, type LocalView } from './check.ts';
import { lanNetworks } from './uplink.ts';

function overlap(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, networkOf(b).address) || cidrContains(b, networkOf(a).address);
}

export const serviceOverlapCheck: Check = {
  subject: 'whether the service networks overlap the LAN, a route or the API server',
  look: (view) => {
    const api = kubeletServerAddress(view.facts, view.places);
    return view.services.flatMap(({ network, source }) => [
      ...overlapping(view, network, source),
      ...(api !== undefined && cidrContains(network, api) ? [holdsApiServer(network, source, api)] : []),
    ]);
  },
};

function holdsApiServer(network: Cidr, source: string, api: Ipv4): Finding {
  const shown = formatCidr(network);
  return {
    id: 'service-network-overlap',
    severity: 'error',
    title: `the service network ${shown} contains ${api}, the API server that this node's kubelet uses: it is not in use`,
    evidence: [`service network ${shown}: ${source}`],
    remedy: ['state the network as it is: --service-cidr, or "services" in the daemon\'s file'],
  };
}

function overlapping(view: LocalView, network: Cidr, source: string): readonly Finding[] {
  const shown = formatCidr(network);
  const lan = new Set(lanNetworks(view));
  return (
    view.routes
      // Ours lead to service networks because they shall.
      .filter(
        ({ dst, protocol }) => !isDefault(dst) && protocol !== RTPROT_LEASEHOLD && overlap(dst, network),
      )
      .map(({ dst, index, gateway }): Finding => {
        const isLan = lan.has(formatCidr(networkOf(dst)));
        const name = linkName(view, index);
        return {
          id: 'service-network-overlap',
          severity: isLan ? 'error' : 'warning',
          title: isLan
            ? `the service network ${shown} overlaps the LAN ${formatCidr(dst)}: one of both cannot be reached`
            : `the service network ${shown} overlaps a route of this node to ${formatCidr(dst)}`,
          evidence: [
            `service network ${shown}: ${source}`,
            `route ${formatCidr(dst)}${gateway === undefined ? '' : ` via ${gateway}`} dev ${name}`,
          ],
          remedy: equalNetwork(dst, network)
            ? [
                `remove the route if it is there to reach services: ip route del ${formatCidr(dst)} dev ${name}`,
              ]
            : [
                'give the cluster another service network (k3s --service-cidr, kubeadm networking.serviceSubnet)',
                'or the LAN another one at its router',
              ],
        };
      })
  );
}
