import type { JsonObject } from '../../base/json.ts';
import { nearest } from '../../base/nearest.ts';
import type { Finding } from '../finding.ts';
import { COMMON_KEYS, IPAM_KEYS, LIST_KEYS, PLUGINS } from './known-plugins.ts';
import { ipamOf, ipamTypeOf, shown, type ListedPlugin } from './story.ts';

/** So many keys are named; who has more has put one object into another. */
const MOST_NAMED = 8;

/** Keys that no reader of this object knows. The Go plugins pass them over in silence, so a slip does nothing. */
function unknownKeys(object: JsonObject, known: readonly string[], where: string): readonly Finding[] {
  return Object.keys(object)
    .filter((key) => !known.includes(key) && !isComment(key))
    .slice(0, MOST_NAMED)
    .map((key): Finding => {
      const near = nearest(key, known) ?? known.find((name) => name.toLowerCase() === key.toLowerCase());
      return {
        id: 'key-unknown',
        severity: near === undefined ? 'note' : 'warning',
        title: `${where}: ${shown(key)} is no key, and does nothing`,
        evidence: [
          `keys there are: ${known.filter((name) => !COMMON_KEYS.includes(name)).join(', ') || 'none'}`,
        ],
        remedy: [near === undefined ? `remove ${shown(key)}` : `did you mean "${near}"?`],
      };
    });
}

/** What people write to leave a remark in JSON; and what runtimes add. */
function isComment(key: string): boolean {
  return key.startsWith('_') || key.startsWith('//') || key.startsWith('$') || key.startsWith('cni.dev/');
}

export function listKeyFindings(list: JsonObject): readonly Finding[] {
  return unknownKeys(list, LIST_KEYS, 'the list');
}

/** What Go's JSON takes for a key in whatever case of letters, and our plugins of the same names too. */
function respelledKeys({ type, index, respelled }: ListedPlugin): readonly Finding[] {
  return respelled.slice(0, MOST_NAMED).map(({ written, key }): Finding => ({
    id: 'key-case',
    severity: 'note',
    title: `plugins[${index}] (${type}): ${shown(written)} is taken as ${shown(key)}`,
    evidence: [
      'the case of letters does not count in what a plugin written in Go reads; of one key written in several ways the last counts, and small letters come last',
    ],
    remedy: [`write ${shown(key)}`],
  }));
}

export function pluginKeyFindings(plugin: ListedPlugin): readonly Finding[] {
  return [...respelledKeys(plugin), ...unknownPluginKeys(plugin)];
}

function unknownPluginKeys(plugin: ListedPlugin): readonly Finding[] {
  const { type, raw, index } = plugin;
  const known = PLUGINS.get(type);
  // It refuses what it does not know by itself, and says so better.
  const own =
    known === undefined || type === 'leasehold'
      ? []
      : unknownKeys(raw, [...known.keys, ...COMMON_KEYS], `plugins[${index}] (${type})`);
  const ipam = ipamOf(plugin);
  const keys = IPAM_KEYS.get(ipamTypeOf(plugin) ?? '');
  if (ipam === undefined || keys === undefined) return own;
  // What is nearly one of ours the plugin refuses, as an invalid value.
  const inIpam = unknownKeys(ipam, keys, `plugins[${index}].ipam`);
  return ipamTypeOf(plugin) === 'dhcp'
    ? [...own, ...inIpam.filter(({ severity }) => severity === 'note')]
    : [...own, ...inIpam];
}
