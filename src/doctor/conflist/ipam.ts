import { cidrContains, formatCidr, networkOf, parseCidr } from '../../base/cidr.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import type { Finding } from '../finding.ts';
import { masterOf } from './master.ts';
import { networksOn, type ConflistNode } from './node.ts';
import { ipamOf, ipamTypeOf, shown, textOf, type ListedPlugin } from './story.ts';

/** Types that stand on the LAN and need an address of it. */
const ON_THE_LAN: ReadonlySet<string> = new Set(['macvlan', 'ipvlan', 'vlan']);
const MOST_RANGES = 64;

export function ipamFindings(plugin: ListedPlugin, node: ConflistNode): readonly Finding[] {
  const { raw, type, index } = plugin;
  const { ipam } = raw;
  if (!ON_THE_LAN.has(type) && type !== 'bridge') return [];
  if (ipam === undefined || ipam === null || (isJsonObject(ipam) && Object.keys(ipam).length === 0)) {
    return [
      {
        id: 'ipam-missing',
        severity: 'warning',
        title: `plugins[${index}]: without "ipam" the interface gets no address, and Kubernetes refuses a pod without one`,
        evidence: [`plugins[${index}].ipam: ${shown(ipam)}`],
        remedy: ['"ipam": { "type": "dhcp" }'],
      },
    ];
  }
  if (isJsonObject(ipam) && ipamTypeOf(plugin) === undefined) {
    return [
      {
        id: 'ipam-missing',
        severity: 'error',
        title: `plugins[${index}]: "ipam" has no "type"`,
        evidence: [`plugins[${index}].ipam: ${shown(ipam)}`],
        remedy: ['"ipam": { "type": "dhcp" }'],
      },
    ];
  }
  const pool = ipamOf(plugin);
  return pool !== undefined && ON_THE_LAN.has(type) ? staticPool(plugin, pool, node) : [];
}

/** Ranges that a file gives out on a LAN where a DHCP server gives out the same. */
function staticPool(plugin: ListedPlugin, ipam: JsonObject, node: ConflistNode): readonly Finding[] {
  const type = ipamTypeOf(plugin);
  if (type !== 'host-local' && type !== 'static') return [];
  const lan = networksOn(node, masterOf(plugin, node));
  return rangesOf(ipam).map((range): Finding => {
    const inLan = lan.some((network) => {
      const parsed = parseCidr(network);
      return parsed !== undefined && cidrContains(parsed, range.address);
    });
    const text = formatCidr(range);
    const where = `plugins[${plugin.index}]`;
    return {
      id: 'static-pool',
      severity: 'warning',
      title:
        inLan || lan.length === 0
          ? `${where}: ${type} gives out addresses of ${text} without asking the DHCP server, which may give the same ones to others`
          : `${where}: ${text} is not the network of the LAN (${lan.join(', ')}): no router there answers for it`,
      evidence: [
        type === 'host-local'
          ? 'host-local counts on each node for itself: two nodes give out the same'
          : text,
      ],
      remedy: [
        '"ipam": { "type": "dhcp" }',
        'or keep the range out of the pool of the server, and another one on each node',
      ],
    };
  });
}

function rangesOf(ipam: JsonObject): readonly NonNullable<ReturnType<typeof parseCidr>>[] {
  const lists: readonly (Json | undefined)[] = [
    textOf(ipam, 'subnet'),
    ...itemsOf(ipam['ranges'])
      .flatMap(itemsOf)
      .map((range) => (isJsonObject(range) ? range['subnet'] : undefined)),
    ...itemsOf(ipam['addresses']).map((one) => (isJsonObject(one) ? one['address'] : undefined)),
  ];
  return lists.slice(0, MOST_RANGES).flatMap((text) => {
    const parsed = typeof text === 'string' ? parseCidr(text) : undefined;
    return parsed === undefined ? [] : [networkOf(parsed)];
  });
}

function itemsOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
