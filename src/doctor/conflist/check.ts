import { isJsonObject, parseJson, type Json, type JsonObject } from '../../base/json.ts';
import {
  CNI_VERSIONS,
  isSupported,
  knowsCheck,
  LIST_VERSIONS,
  UNSTATED_VERSION,
} from '../../cni/spec/versions.ts';
import { nameProblem } from '../../cni/spec/names.ts';
import { nearest } from '../../base/nearest.ts';
import type { Finding } from '../finding.ts';
import { asRead } from './as-read.ts';
import { chainFindings } from './chain.ts';
import { ipamFindings } from './ipam.ts';
import { listKeyFindings, pluginKeyFindings } from './keys.ts';
import { IPAM_KEYS, PLUGINS } from './known-plugins.ts';
import * as main from './main-plugins.ts';
import * as meta from './meta-plugins.ts';
import type { ConflistNode } from './node.ts';
import { ipamTypeOf, shown, textOf, type Explain, type ListedPlugin, type PluginStory } from './story.ts';
import { valueFindings } from './values.ts';

/** What a list should state: as `leasehold conflist` does. */
const VERSIONS_TEXT = JSON.stringify(LIST_VERSIONS).slice(1, -1);

/** No list that works has more; each is explained. */
const MOST_PLUGINS = 32;

export type ConflistReport = {
  readonly name: string;
  readonly cniVersion: string;
  /** Of the list as a whole. */
  readonly findings: readonly Finding[];
  readonly plugins: readonly PluginStory[];
};

const EXPLAINERS: ReadonlyMap<string, Explain> = new Map([
  ['leasehold', main.explainLeasehold],
  ['macvlan', main.explainMacvlan],
  ['ipvlan', main.explainIpvlan],
  ['bridge', main.explainBridge],
  ['vlan', main.explainVlan],
  ['host-device', main.explainHostDevice],
  ['ptp', main.explainPtp],
  ['loopback', main.explainLoopback],
  ['route-override', meta.explainRouteOverride],
  ['portmap', meta.explainPortmap],
  ['bandwidth', meta.explainBandwidth],
  ['firewall', meta.explainFirewall],
  ['tuning', meta.explainTuning],
  ['sbr', meta.explainSbr],
  ['vrf', meta.explainVrf],
]);

/** What a network configuration does on this node, plugin by plugin, and what of it will not work. Never throws. */
export function checkConflist(text: string, node: ConflistNode): ConflistReport {
  const json = parseJson(text);
  if (!json.ok) {
    const why = json.error.kind === 'syntax' ? json.error.text : `nests deeper than ${json.error.limit}`;
    return unreadable(`it is not JSON: ${why}`, ['libcni takes no comments and no trailing commas']);
  }
  if (!isJsonObject(json.value)) return unreadable('it is not a JSON object', []);
  const object = json.value;
  const single = !('plugins' in object) && asRead(object).type !== '';
  const listed = single ? [object] : object['plugins'];
  if (!Array.isArray(listed) || listed.length === 0) {
    return unreadable('it has no "plugins"', [`{ ${VERSIONS_TEXT}, "name": "lan", "plugins": [ ... ] }`]);
  }
  const list = { name: textOf(object, 'name') ?? '', cniVersion: textOf(object, 'cniVersion') ?? '' };
  const chain = chainOf(listed, list);
  return {
    ...list,
    findings: [
      ...(single ? [singleFinding()] : listKeyFindings(object)),
      ...nameFindings(object),
      ...versionFindings(object),
      ...versionsFindings(object),
      ...countFindings(listed),
      ...chainFindings(chain, node),
    ],
    plugins: chain.map((plugin) => explain(plugin, node)),
  };
}

function chainOf(listed: readonly Json[], list: ListedPlugin['list']): readonly ListedPlugin[] {
  const chain: ListedPlugin[] = [];
  for (const [index, raw] of listed.slice(0, MOST_PLUGINS).entries()) {
    if (isJsonObject(raw)) chain.push({ ...asRead(raw), index, chain, list });
  }
  return chain;
}

function explain(plugin: ListedPlugin, node: ConflistNode): PluginStory {
  const { type, index } = plugin;
  const explainer = EXPLAINERS.get(type);
  const told = explainer?.(plugin, node) ?? { does: 'is not known here', findings: unknownType(plugin) };
  const isNamed = type !== '';
  return {
    index,
    type: isNamed ? type : '(no type)',
    does: told.does,
    findings: [
      ...(isNamed ? programs(plugin, node) : []),
      ...valueFindings(plugin),
      ...told.findings,
      ...ipamFindings(plugin, node),
      ...pluginKeyFindings(plugin),
    ],
  };
}

function unknownType({ type, index }: ListedPlugin): readonly Finding[] {
  if (type === '') {
    return [
      {
        id: 'plugin-no-type',
        severity: 'error',
        title: `plugins[${index}] has no "type", so there is no program to run`,
        evidence: [],
        remedy: ['"type": "leasehold"'],
      },
    ];
  }
  const near = nearest(type, [...PLUGINS.keys()]);
  return [
    {
      id: 'plugin-unknown',
      severity: 'note',
      title: `plugins[${index}]: the type ${shown(type)} is not known here, and not explained`,
      evidence: [],
      remedy: near === undefined ? [] : [`did you mean "${near}"?`],
    },
  ];
}

/** The executables that it needs and a runtime would not find. */
function programs(plugin: ListedPlugin, node: ConflistNode): readonly Finding[] {
  const ipam = ipamTypeOf(plugin);
  const types = ipam === undefined || plugin.type === 'leasehold' ? [plugin.type] : [plugin.type, ipam];
  return types.flatMap((type): readonly Finding[] => {
    const place = node.plugin(type);
    if (place.kind === 'there') return [];
    const near = nearest(
      type,
      [...PLUGINS.keys(), ...IPAM_KEYS.keys()].filter((name) => name !== type),
    );
    return [
      {
        id: 'plugin-missing',
        severity: 'error',
        title:
          place.kind === 'missing'
            ? `plugins[${plugin.index}]: there is no program ${shown(type)} on this node`
            : `plugins[${plugin.index}]: ${place.path} cannot be executed`,
        evidence: [`searched: ${node.bins.join(', ')}`],
        remedy: [
          'leasehold, dhcp, macvlan and route-override come with "leasehold install", others with the CNI plugins of your distribution',
          ...(near === undefined || PLUGINS.has(type) || IPAM_KEYS.has(type)
            ? []
            : [`did you mean "${near}"?`]),
        ],
      },
    ];
  });
}

function singleFinding(): Finding {
  return {
    id: 'conflist-single',
    severity: 'note',
    title:
      'this is one plugin and no list: its file must end in .conf or .json, and nothing can be chained behind it',
    evidence: [],
    remedy: ['a list is the same within "plugins": [ ... ], in a file that ends in .conflist'],
  };
}

function nameFindings(object: JsonObject): readonly Finding[] {
  const name = object['name'];
  const problem = typeof name === 'string' && name !== '' ? nameProblem(name) : 'is missing';
  if (problem === undefined) return [];
  return [
    {
      id: 'conflist-name',
      severity: 'error',
      title: `the name of the network, "name", ${problem}`,
      evidence: [`name: ${shown(name)}`],
      remedy: ['"name": "lan"; leases and caches are kept under it'],
    },
  ];
}

/** As libcni reads `cniVersions` since 1.2.0: a list of texts, of which it passes over what is newer than itself. */
function versionsFindings(object: JsonObject): readonly Finding[] {
  const versions = object['cniVersions'];
  if (versions === undefined) return [];
  const odd = Array.isArray(versions) ? versions.find((one) => !isVersion(one)) : versions;
  if (odd === undefined) return [];
  return [
    {
      id: 'conflist-version',
      severity: 'error',
      title: `cniVersions ${shown(odd)} is no ${Array.isArray(versions) ? 'version' : 'list of versions'}: libcni reads nothing of the file`,
      evidence: [],
      remedy: [VERSIONS_TEXT],
    },
  ];
}

/** Three numbers at most, with dots between them (libcni's version.ParseVersion). */
function isVersion(value: Json): boolean {
  return typeof value === 'string' && /^\d+(\.\d+){0,2}$/.test(value);
}

function versionFindings(object: JsonObject): readonly Finding[] {
  const version = object['cniVersion'] ?? '';
  const remedy = [VERSIONS_TEXT];
  if (typeof version !== 'string' || (version !== '' && !isSupported(version))) {
    return [
      {
        id: 'conflist-version',
        severity: 'error',
        title: `cniVersion ${shown(version)} is no version of the CNI specification`,
        evidence: [`there are ${CNI_VERSIONS.join(', ')}`],
        remedy,
      },
    ];
  }
  const known = isSupported(version) ? version : UNSTATED_VERSION;
  if (knowsCheck(known)) return [];
  return [
    {
      id: 'conflist-version',
      severity: version === '' ? 'warning' : 'note',
      title: `cniVersion ${known} has no CHECK: a runtime cannot ask whether a container's network is still right`,
      evidence: [
        version === '' ? 'cniVersion is not stated, which means 0.1.0' : `cniVersion: ${shown(version)}`,
      ],
      remedy,
    },
  ];
}

function countFindings(listed: readonly Json[]): readonly Finding[] {
  const odd = listed.findIndex((plugin) => !isJsonObject(plugin));
  if (odd >= 0) return [notUsable(`plugins[${odd}] is not an object`, [])];
  return listed.length > MOST_PLUGINS ? [notUsable(`it has more than ${MOST_PLUGINS} plugins`, [])] : [];
}

function unreadable(why: string, remedy: readonly string[]): ConflistReport {
  return { name: '', cniVersion: '', findings: [notUsable(why, remedy)], plugins: [] };
}

function notUsable(why: string, remedy: readonly string[]): Finding {
  return {
    id: 'conflist-unreadable',
    severity: 'error',
    title: `no runtime can use this file: ${why}`,
    evidence: [],
    remedy,
  };
}
