import { cidrContains, formatCidr } from '../../base/cidr.ts';
import type { Finding } from '../finding.ts';
import { PLUGINS } from './known-plugins.ts';
import { addedRoutes } from './meta-plugins.ts';
import type { ConflistNode } from './node.ts';
import type { ListedPlugin } from './story.ts';

const APART_FROM_HOST: ReadonlySet<string> = new Set(['macvlan', 'ipvlan']);
const ONE_PLUGIN = 'use { "type": "leasehold" } in place of the whole list';
const CHAINED = 'or put { "type": "leasehold", "chained": true } behind it';

/** What is wrong with the list as a whole. */
export function chainFindings(chain: readonly ListedPlugin[], node: ConflistNode): readonly Finding[] {
  return [...order(chain), ...hostAccess(chain), ...services(chain, node)];
}

function isMain({ type, raw }: ListedPlugin): boolean {
  return PLUGINS.get(type)?.role === 'main' && raw['chained'] !== true;
}

function isMeta({ type, raw }: ListedPlugin): boolean {
  return PLUGINS.get(type)?.role === 'meta' || raw['chained'] === true;
}

function order(chain: readonly ListedPlugin[]): readonly Finding[] {
  const findings: Finding[] = [];
  const [first] = chain;
  if (first !== undefined && isMeta(first)) {
    findings.push({
      id: 'chain-order',
      severity: 'error',
      title: `${first.type} stands first, but it changes an interface that a plugin before it must have made`,
      evidence: [chain.map(({ type }) => type).join(', ')],
      remedy: ['put the plugin that makes the interface first: leasehold, macvlan, ipvlan, bridge ...'],
    });
  }
  const mains = chain.filter((plugin) => isMain(plugin) && plugin.type !== 'loopback');
  if (mains.length > 1) {
    findings.push({
      id: 'chain-two-interfaces',
      severity: 'error',
      title: `${mains.map(({ type }) => type).join(' and ')} each make an interface of the same name: the second one fails`,
      evidence: ['all plugins of a list work on one interface (CNI_IFNAME)'],
      remedy: ['one list for each network; a second interface needs Multus'],
    });
  }
  return findings;
}

function hostAccess(chain: readonly ListedPlugin[]): readonly Finding[] {
  const apart = chain.find(({ type, raw }) => APART_FROM_HOST.has(type) && raw['linkInContainer'] !== true);
  const ours = chain.find(({ type }) => type === 'leasehold');
  if (ours?.raw['hostAccess'] === false) {
    return [
      {
        id: 'no-host-access',
        severity: 'note',
        title: '"hostAccess" is off: this node and its own pods cannot reach each other',
        evidence: [`plugins[${ours.index}].hostAccess: false`],
        remedy: ['fine for a second interface (Multus); else remove the key'],
      },
    ];
  }
  if (apart === undefined || ours !== undefined) return [];
  return [
    {
      id: 'no-host-access',
      severity: 'warning',
      title: `pods of ${apart.type} cannot reach the node they run on, nor the node them: probes of the kubelet fail`,
      evidence: ['the kernel does not pass frames between a macvlan or ipvlan and the interface below it'],
      remedy: [ONE_PLUGIN, CHAINED],
    },
  ];
}

function services(chain: readonly ListedPlugin[], node: ConflistNode): readonly Finding[] {
  const apart = chain.find(({ type }) => APART_FROM_HOST.has(type) || type === 'leasehold');
  const ours = chain.find(({ type }) => type === 'leasehold');
  if (apart === undefined || (ours !== undefined && ours.raw['services'] !== 'off')) return [];
  const routes = chain.filter(({ type }) => type === 'route-override').flatMap(addedRoutes);
  if (node.services.length === 0) {
    if (routes.length > 0) return [];
    return [
      {
        id: 'no-service-route',
        severity: 'note',
        title: 'if this node is part of a cluster: pods have no route to its services',
        evidence: ['no service network was found on this node'],
        remedy: [ONE_PLUGIN, CHAINED],
      },
    ];
  }
  const without = node.services.filter(
    ({ network }) => !routes.some(({ dst }) => dst.prefix > 0 && cidrContains(dst, network.address)),
  );
  return without.map(({ network, source }): Finding => {
    const shown = formatCidr(network);
    return {
      id: 'no-service-route',
      severity: 'error',
      title: `pods have no route to the services ${shown}: what they send there goes to the router of the LAN`,
      evidence: [
        `service network ${shown}: ${source}`,
        'another cluster behind the router may answer in its place',
      ],
      remedy: ours === undefined ? [ONE_PLUGIN, CHAINED] : ['remove "services": "off"'],
    };
  });
}
