import { cidrContains, formatCidr, networkOf, parseCidr, type Cidr } from '../../base/cidr.ts';
import { parseIp } from '../../base/ip.ts';
import { isJsonObject } from '../../base/json.ts';
import type { Finding } from '../finding.ts';
import { masterOf } from './master.ts';
import type { ConflistNode } from './node.ts';
import { ipamTypeOf, shown, textOf, type Explain, type ListedPlugin } from './story.ts';

/** Types whose traffic never passes the node's own network stack. */
const PAST_THE_HOST: ReadonlySet<string> = new Set(['leasehold', 'macvlan', 'ipvlan', 'vlan', 'host-device']);

/** The interface's maker, as far as the chain names one. */
export function mainOf({ chain }: ListedPlugin): ListedPlugin | undefined {
  return chain.find(({ type, raw }) => PAST_THE_HOST.has(type) && raw['chained'] !== true);
}

export type ListedRoute = { readonly dst: Cidr; readonly gateway: string | undefined };

/** What `addroutes` asks for; what cannot be read is reported elsewhere. */
export function addedRoutes({ raw }: ListedPlugin): readonly ListedRoute[] {
  const list = raw['addroutes'];
  if (!Array.isArray(list)) return [];
  return list.filter(isJsonObject).flatMap((route) => {
    const dst = parseCidr(textOf(route, 'dst') ?? '');
    return dst === undefined ? [] : [{ dst, gateway: textOf(route, 'gw') }];
  });
}

export const explainRouteOverride: Explain = (plugin, node) => {
  const { raw } = plugin;
  const routes = addedRoutes(plugin);
  const parts = [
    raw['flushroutes'] === true ? 'removes all routes by a gateway' : '',
    raw['flushgateway'] === true ? 'removes the default route' : '',
    Array.isArray(raw['delroutes']) && raw['delroutes'].length > 0 ? 'removes routes' : '',
    routes.length > 0
      ? `adds ${routes.map(({ dst, gateway }) => `${formatCidr(dst)} via ${gateway ?? 'the interface'}`).join(', ')}`
      : '',
  ].filter((part) => part !== '');
  return {
    does: parts.length === 0 ? 'changes no route' : parts.join(', '),
    findings: routes.flatMap((route) => hardCoded(plugin, route, node)),
  };
};

/** Addresses of one cluster, or of one node, in a file that every node has. */
function hardCoded(plugin: ListedPlugin, route: ListedRoute, node: ConflistNode): readonly Finding[] {
  const { dst, gateway } = route;
  const findings: Finding[] = [];
  const where = `plugins[${plugin.index}].addroutes: ${formatCidr(dst)} via ${gateway ?? 'the interface'}`;
  const services = node.services.map(({ network }) => formatCidr(network));
  if (services.length > 0 && !node.services.some(({ network }) => cidrContains(dst, network.address))) {
    findings.push({
      id: 'hard-coded-network',
      severity: 'warning',
      title: `plugins[${plugin.index}]: ${formatCidr(networkOf(dst))} is no service network of this node, whose are ${services.join(', ')}`,
      evidence: [where, ...node.services.map(({ network, source }) => `${formatCidr(network)}: ${source}`)],
      remedy: ['{ "type": "leasehold", "chained": true } in its place finds the service networks by itself'],
    });
  }
  if (gateway !== undefined) findings.push(hardCodedGateway(plugin, gateway, where, node));
  return findings;
}

function hardCodedGateway(plugin: ListedPlugin, gateway: string, where: string, node: ConflistNode): Finding {
  const address = parseIp(gateway);
  const own = node.addresses.filter(({ cidr }) => cidr.address === address);
  const main = mainOf(plugin);
  const master = main === undefined ? undefined : masterOf(main, node);
  const onShim = own.some(({ index }) =>
    node.links.some(
      (link) => link.index === index && link.kind === 'macvlan' && link.masterIndex === master?.index,
    ),
  );
  const unreachable = own.length > 0 && !onShim && own.some(({ index }) => index === master?.index);
  const remedy = [
    '{ "type": "leasehold", "chained": true } in its place: its next hop is the same on every node and follows address changes',
    'or the one plugin { "type": "leasehold" } for all of the list',
  ];
  if (unreachable) {
    return {
      id: 'hard-coded-address',
      severity: 'error',
      title: `plugins[${plugin.index}]: the gateway ${gateway} is this node's own address on ${master?.name ?? 'the master'}, which no pod on it can reach`,
      evidence: [
        where,
        'the kernel does not pass frames between a macvlan or ipvlan and the interface below it',
      ],
      remedy,
    };
  }
  return {
    id: 'hard-coded-address',
    severity: 'warning',
    title:
      own.length > 0
        ? `plugins[${plugin.index}]: the gateway ${gateway} is the address of this one node: on another node, or when it changes, pods lose the services`
        : `plugins[${plugin.index}]: the gateway ${gateway} is not an address of this node: pods here depend on another machine`,
    evidence: [where],
    remedy,
  };
}

export const explainPortmap: Explain = (plugin) => {
  const main = mainOf(plugin);
  return {
    does: 'maps ports of the node to ports of the pod (hostPort)',
    findings:
      main === undefined
        ? []
        : [
            {
              id: 'portmap-no-way',
              severity: 'warning',
              title: `plugins[${plugin.index}]: hostPort does not work by itself on a ${main.type}: the pod answers past the node that translated the port`,
              evidence: ['the pod is on the LAN: its answers leave by its own interface'],
              remedy: [
                'reach the pod by its own address; or have host access and "lastHop" by { "type": "leasehold", "chained": true }',
              ],
            },
          ],
  };
};

export const explainBandwidth: Explain = (plugin) => {
  const main = mainOf(plugin);
  return {
    does: 'limits the rate of the interface, at its end on the node',
    findings:
      main === undefined
        ? []
        : [
            {
              id: 'bandwidth-no-interface',
              severity: 'error',
              title: `plugins[${plugin.index}]: bandwidth fails where a limit is asked for, because a ${main.type} has no end on the node`,
              evidence: ['it shapes the veth of a bridge or ptp'],
              remedy: ['remove it from this list'],
            },
          ],
  };
};

export const explainFirewall: Explain = (plugin) => {
  const main = mainOf(plugin);
  return {
    does: 'adds rules to the packet filter of the node',
    findings:
      main === undefined
        ? []
        : [
            {
              id: 'firewall-no-effect',
              severity: 'warning',
              title: `plugins[${plugin.index}]: the packet filter of the node does not see what a ${main.type} sends to the LAN`,
              evidence: ['its frames go to the interface below without passing the IP stack of the node'],
              remedy: ['remove it, and filter at the router or in the pod'],
            },
          ],
  };
};

export const explainTuning: Explain = (plugin) => {
  const leased = plugin.chain.some((other) => other.type === 'leasehold' || ipamTypeOf(other) === 'dhcp');
  const mac = textOf(plugin.raw, 'mac');
  return {
    does: 'sets sysctls, MAC address, MTU or flags of the interface',
    findings:
      mac !== undefined && leased
        ? [
            {
              id: 'mac-after-dhcp',
              severity: 'error',
              title: `plugins[${plugin.index}]: tuning changes the MAC address after the lease was got with another one`,
              evidence: [
                `plugins[${plugin.index}].mac: ${shown(mac)}`,
                'the server knows the pod by the old one',
              ],
              remedy: ['give the MAC address to the plugin that makes the interface ("mac")'],
            },
          ]
        : [],
  };
};

export const explainSbr: Explain = () => ({
  does: "moves the interface's routes into a table of its own, used for packets from its address",
  findings: [],
});

export const explainVrf: Explain = (plugin) => ({
  does: `puts the interface into the VRF ${shown(plugin.raw['vrfname'])}`,
  findings: [],
});
