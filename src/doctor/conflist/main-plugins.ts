import type { Finding, Severity } from '../finding.ts';
import { masterFindings, masterName, wifiFinding } from './master.ts';
import type { ConflistNode } from './node.ts';
import { linkNamed } from '../local/uplink.ts';
import { ipamTypeOf, shown, textOf, type Explain, type ListedPlugin } from './story.ts';

/** What the modes of macvlan other than `bridge` keep pods from (linux/if_link.h; ip-link(8)). */
const MODES: ReadonlyMap<string, { readonly severity: Severity; readonly why: string }> = new Map([
  [
    'private',
    { severity: 'warning', why: 'pods on this node cannot reach each other, nor the node by its shim' },
  ],
  [
    'vepa',
    {
      severity: 'warning',
      why: 'pods on this node reach each other only if the switch sends frames back (802.1Qbg)',
    },
  ],
  [
    'passthru',
    { severity: 'error', why: 'only one pod of the node can have it, and the node loses the interface' },
  ],
]);

function modeFindings({ raw, index }: ListedPlugin): readonly Finding[] {
  const mode = textOf(raw, 'mode') ?? 'bridge';
  const consequence = MODES.get(mode);
  if (consequence === undefined) return [];
  return [
    {
      id: 'macvlan-mode',
      severity: consequence.severity,
      title: `plugins[${index}]: in mode ${shown(mode)} ${consequence.why}`,
      evidence: [`plugins[${index}].mode: ${shown(mode)}`],
      remedy: ['leave "mode" out: "bridge" is the default, and what Leasehold\'s shim needs'],
    },
  ];
}

/** "without an address", "with an address from dhcp". */
function addressing(plugin: ListedPlugin): string {
  const type = ipamTypeOf(plugin);
  if (type === undefined) return 'without an address';
  return type === 'dhcp'
    ? 'with a lease from the DHCP server of the LAN'
    : `with an address from ${shown(type)}`;
}

export const explainLeasehold: Explain = (plugin, node) => {
  const { raw } = plugin;
  const names = typeof raw['master'] === 'string' || raw['master'] === undefined;
  if (raw['chained'] === true) {
    return {
      does: 'gives the interface of the plugin before it host access, services and answers by the way they came',
      findings: [],
    };
  }
  const pattern = /[*?]/.test(textOf(raw, 'master') ?? '');
  return {
    does: `makes a macvlan on ${names ? masterName(plugin, node) : 'the first master that is there'}, leases its address, and lets node, pods and services reach each other`,
    findings: names && !pattern ? [...masterFindings(plugin, node), ...wifiFinding(plugin, node)] : [],
  };
};

export const explainMacvlan: Explain = (plugin, node) => ({
  does: `makes an interface with a MAC address of its own on ${masterName(plugin, node)}, ${addressing(plugin)}`,
  findings: [...masterFindings(plugin, node), ...wifiFinding(plugin, node), ...modeFindings(plugin)],
});

export const explainIpvlan: Explain = (plugin, node) => {
  const mode = textOf(plugin.raw, 'mode') ?? 'l2';
  const findings: Finding[] = [...masterFindings(plugin, node)];
  if (ipamTypeOf(plugin) === 'dhcp') findings.push(ipvlanDhcp(plugin, mode));
  return {
    does: `makes an interface that shares the MAC address of ${masterName(plugin, node)}, ${addressing(plugin)}`,
    findings,
  };
};

function ipvlanDhcp({ index }: ListedPlugin, mode: string): Finding {
  if (mode !== 'l2') {
    return {
      id: 'ipvlan-l3-dhcp',
      severity: 'error',
      title: `plugins[${index}]: ipvlan in mode ${shown(mode)} carries no broadcasts, so DHCP cannot work`,
      evidence: [`plugins[${index}].mode: ${shown(mode)}`],
      remedy: ['"mode": "l2"'],
    };
  }
  return {
    id: 'ipvlan-dhcp',
    severity: 'note',
    title: `plugins[${index}]: all pods of an ipvlan have one MAC address, so the server must tell them apart by client-id`,
    evidence: [
      'answers must be broadcast: the Go dhcp plugin of 1.6 and later does not ask for that, Leasehold does',
      'reservations by MAC address cannot work',
    ],
    remedy: ['make reservations by client-id ("clientId": "pod"), or use macvlan'],
  };
}

/** Where frames leave a bridge: a port that is not a pod's veth. */
function bridgeUplinks(node: ConflistNode, name: string): readonly string[] {
  const bridge = linkNamed(node.links, name);
  if (bridge === undefined) return [];
  return node.links
    .filter(({ controllerIndex, kind }) => controllerIndex === bridge.index && kind !== 'veth')
    .map((link) => link.name);
}

export const explainBridge: Explain = (plugin, node) => {
  const { raw, index } = plugin;
  const name = textOf(raw, 'bridge') ?? 'cni0';
  const exists = linkNamed(node.links, name) !== undefined;
  const uplinks = bridgeUplinks(node, name);
  const dhcp = ipamTypeOf(plugin) === 'dhcp';
  const findings: Finding[] = [];
  if (uplinks.length === 0) {
    findings.push({
      id: 'bridge-no-uplink',
      severity: dhcp ? 'error' : 'note',
      title: dhcp
        ? `plugins[${index}]: the bridge ${name} has no port to the LAN, so no DHCP server hears the pods`
        : `plugins[${index}]: the bridge ${name} has no port to the LAN: pods are reached from this node only`,
      evidence: [
        exists
          ? `${name} has no port but those of pods`
          : `there is no ${name}: the plugin makes one without an uplink`,
      ],
      remedy: [
        `make ${name} with the network configuration of the host, with the LAN's interface as its port and the node's address on it`,
        'or use { "type": "leasehold" }, which needs no bridge',
      ],
    });
  }
  if (dhcp && (raw['isGateway'] === true || raw['isDefaultGateway'] === true)) {
    findings.push({
      id: 'bridge-gateway',
      severity: 'error',
      title: `plugins[${index}]: "isGateway" puts the gateway of the lease, the LAN's router, on this node's bridge`,
      evidence: ['two machines then have the address of the router, and the LAN loses it'],
      remedy: ['remove "isGateway" and "isDefaultGateway": with DHCP the router is the gateway'],
    });
  }
  if (dhcp) {
    findings.push({
      id: 'bridge-release',
      severity: 'note',
      title: `plugins[${index}]: bridge removes the link before its IPAM is told, so only Leasehold's dhcp can release the lease`,
      evidence: ['the Go dhcp daemon, up to v1.10.0, would send its RELEASE by the link that is gone'],
      remedy: [],
    });
  }
  return {
    does: `makes a port of the bridge ${name} (${uplinks.join(', ') || 'no uplink'}), ${addressing(plugin)}`,
    findings,
  };
};

export const explainVlan: Explain = (plugin, node) => ({
  does: `makes a VLAN interface ${shown(plugin.raw['vlanId'])} on ${masterName(plugin, node)}, ${addressing(plugin)}; one pod per VLAN and node`,
  findings: masterFindings(plugin, node),
});

export const explainHostDevice: Explain = (plugin) => ({
  does: `moves the interface ${shown(plugin.raw['device'] ?? plugin.raw['hwaddr'] ?? plugin.raw['pciBusID'])} into the pod, ${addressing(plugin)}: one pod can have it`,
  findings: [],
});

export const explainPtp: Explain = (plugin) => ({
  does: `makes a pair of interfaces between pod and node, ${addressing(plugin)}: the pod is not on the LAN`,
  findings:
    ipamTypeOf(plugin) === 'dhcp'
      ? [
          {
            id: 'ptp-dhcp',
            severity: 'error',
            title: `plugins[${plugin.index}]: on a ptp link no DHCP server hears the pod`,
            evidence: ['the other end is the node'],
            remedy: ['use { "type": "leasehold" }, or host-local'],
          },
        ]
      : [],
});

export const explainLoopback: Explain = () => ({ does: 'sets up the loopback interface', findings: [] });
