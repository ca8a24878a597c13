import { linkName, type Check, type LocalView } from './check.ts';

/** The bridge that pods' frames cross on their way to the LAN: the uplink itself, or what it is a port of. */
function bridgeOf({ uplink, links }: LocalView): string | undefined {
  if (uplink?.kind === 'bridge') return uplink.name;
  return links.find(({ index, kind }) => index === uplink?.controllerIndex && kind === 'bridge')?.name;
}

/**
 * With br_netfilter what only crosses a bridge goes through iptables' FORWARD chain too (Documentation/networking/
 * ip-sysctl.rst, bridge-nf-call-iptables): a policy of drop there takes the pods off the LAN.
 */
export const bridgeNfCheck: Check = {
  subject: 'bridge-nf-call-iptables, where the uplink is a bridge',
  look: (view) => {
    const bridge = bridgeOf(view);
    const value = view.facts.sysctl(['bridge', 'bridge-nf-call-iptables']);
    if (bridge === undefined || value !== '1') return [];
    const drops =
      view.firewall.kind === 'known' ? view.firewall.forward.filter(({ policy }) => policy === 'drop') : [];
    return [
      {
        id: 'bridge-nf',
        severity: drops.length > 0 ? 'error' : 'warning',
        title:
          drops.length > 0
            ? `frames of pods that cross the bridge ${bridge} are dropped by the packet filter of this node`
            : `frames of pods that cross the bridge ${bridge} go through the packet filter of this node`,
        evidence: [
          'net.bridge.bridge-nf-call-iptables = 1',
          `the uplink ${view.uplink?.name ?? ''} reaches the LAN by ${linkName(view, view.links.find(({ name }) => name === bridge)?.index)}`,
          ...drops.map(({ family, table, name }) => `chain ${name} of table ${family} ${table}: policy drop`),
        ],
        remedy: [
          'sysctl -w net.bridge.bridge-nf-call-iptables=0, unless another network of this node needs it (kubeadm asks for 1)',
          `or let the bridge pass: iptables -I FORWARD -m physdev --physdev-is-bridged -i ${bridge} -o ${bridge} -j ACCEPT`,
        ],
      },
    ];
  },
};
