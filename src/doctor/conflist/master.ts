import { linkNameProblem } from '../../base/ifname.ts';
import { nearest } from '../../base/nearest.ts';
import { type Finding, wifiFact } from '../finding.ts';
import type { ConflistNode } from './node.ts';
import type { NodeLink } from '../local/ports.ts';
import { linkNamed } from '../local/uplink.ts';
import { shown, textOf, type ListedPlugin } from './story.ts';

/** The interface below: the one named, or that of the default route. */
export function masterOf({ raw }: ListedPlugin, node: ConflistNode): NodeLink | undefined {
  const name = textOf(raw, 'master');
  if (name === undefined || name === 'auto') return node.uplink;
  return linkNamed(node.links, name);
}

/** For the sentence: "eth0", "eth0 (default route)", "eth0 (its alternative name)". */
export function masterName(plugin: ListedPlugin, node: ConflistNode): string {
  const name = textOf(plugin.raw, 'master');
  if (name !== undefined && name !== 'auto') {
    const own = linkNamed(node.links, name)?.name ?? name;
    return own === name ? name : `${own} (${name})`;
  }
  return node.uplink === undefined
    ? 'the interface of the default route'
    : `${node.uplink.name} (default route)`;
}

export function masterFindings(plugin: ListedPlugin, node: ConflistNode): readonly Finding[] {
  if (plugin.raw['linkInContainer'] === true) {
    return [
      {
        id: 'link-in-container',
        severity: 'warning',
        title: `plugins[${plugin.index}]: "linkInContainer" looks for the master inside the pod: there must be one already`,
        evidence: ['an earlier network of the pod (Multus) has to put an interface there'],
        remedy: ['remove "linkInContainer" unless that is so'],
      },
    ];
  }
  const master = masterOf(plugin, node);
  return master === undefined ? missing(plugin, node) : unfit(plugin, master, node);
}

function missing({ raw, index }: ListedPlugin, node: ConflistNode): readonly Finding[] {
  const name = textOf(raw, 'master');
  const names = node.links.flatMap(({ name: own, altNames = [] }) =>
    own === 'lo' ? [] : [own, ...altNames],
  );
  if (name === undefined || name === 'auto') {
    return [
      {
        id: 'master-missing',
        severity: 'error',
        title: `plugins[${index}]: no interface of this node has a default route to find the master by`,
        evidence: [`interfaces: ${names.join(', ') || 'none'}`],
        remedy: ['name the interface to the LAN: "master": "eth0"'],
      },
    ];
  }
  const near = linkNameProblem(name) === undefined ? nearest(name, names) : undefined;
  const meant = near ?? node.uplink?.name;
  return [
    {
      id: 'master-missing',
      severity: 'error',
      title: `plugins[${index}]: the master ${shown(name)} does not exist on this node`,
      evidence: [`interfaces: ${names.join(', ') || 'none'}`],
      remedy: [
        meant === undefined ? 'name an interface that ip link shows' : `did you mean "${meant}"?`,
        'left out, the interface with the default route is taken, on every node its own',
      ],
    },
  ];
}

function unfit({ raw, index }: ListedPlugin, master: NodeLink, node: ConflistNode): readonly Finding[] {
  const findings: Finding[] = [];
  const above = node.links.find((link) => link.index === master.controllerIndex);
  if (above !== undefined) {
    findings.push({
      id: 'master-is-port',
      severity: 'error',
      title: `plugins[${index}]: ${master.name} is a port of ${above.name}, so nothing else can stand on it`,
      evidence: [`ip link show ${master.name}: master ${above.name}`],
      remedy: [`"master": "${above.name}"`],
    });
  }
  if (!master.up) {
    findings.push({
      id: 'master-down',
      severity: 'warning',
      title: `plugins[${index}]: ${master.name} is switched off`,
      evidence: [`ip link show ${master.name}`],
      remedy: [`ip link set ${master.name} up`],
    });
  }
  const mtu = raw['mtu'];
  if (typeof mtu === 'number' && mtu > master.mtu) {
    findings.push({
      id: 'mtu-too-large',
      severity: 'error',
      title: `plugins[${index}]: "mtu" ${mtu} is more than the ${master.mtu} of ${master.name}: the kernel refuses it`,
      evidence: [`ip link show ${master.name}: mtu ${master.mtu}`],
      remedy: ['leave "mtu" out: then it is that of the master'],
    });
  }
  return findings;
}

/** Access points know one MAC address per station. */
export function wifiFinding(plugin: ListedPlugin, node: ConflistNode): readonly Finding[] {
  const master = masterOf(plugin, node);
  if (master?.wireless !== true) return [];
  return [
    {
      id: 'master-wifi',
      fact: wifiFact(master.name),
      severity: 'error',
      title: `plugins[${plugin.index}]: ${master.name} is a Wi-Fi adapter, whose access point drops frames of other MAC addresses`,
      evidence: ['each pod has a MAC address of its own on a macvlan'],
      remedy: ['use an interface with a cable, or ipvlan, whose pods share the MAC address of the adapter'],
    },
  ];
}
