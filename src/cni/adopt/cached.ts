import * as v from 'valibot';
import { isJsonObject, type JsonObject, parseJson } from '../../base/json.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { CONF_KEYS } from '../plugins/conf-keys.ts';
import { foldKeys } from '../spec/key-case.ts';
import { jsonObject } from '../spec/schema.ts';

/** What libcni's cache says of itself, since its version 0.8. */
const CACHE_KIND = 'cniCacheV1';

/** One attachment as a runtime remembers it: libcni's `cachedInfo`, one file each in <cache>/results. */
export type CachedAttachment = {
  readonly containerId: string;
  readonly network: string;
  readonly ifname: string;
  /** Newer libcni writes it; before, only the result tells. */
  readonly netns: string | undefined;
  /** As in CNI_ARGS. */
  readonly args: string;
  readonly capabilityArgs: JsonObject;
  /** A configuration list, or the configuration of one plugin. */
  readonly config: JsonObject;
  readonly result: JsonObject;
};

const shape = v.object({
  kind: v.literal(CACHE_KIND),
  containerId: v.string(),
  networkName: v.string(),
  ifName: v.string(),
  netns: v.optional(v.string()),
  cniArgs: v.nullish(v.array(v.tuple([v.string(), v.string()])), []),
  capabilityArgs: v.nullish(jsonObject, {}),
  config: v.pipe(v.string(), v.base64()),
  result: jsonObject,
});

/** Reads one file of the cache. The error says what it is instead. */
export function parseCached(text: string): Result<CachedAttachment, string> {
  const json = parseJson(text);
  if (!json.ok) return err('is not JSON');
  const read = v.safeParse(shape, json.value);
  if (!read.success) {
    const [issue] = read.issues;
    return err(`${v.getDotPath(issue) ?? 'the file'}: ${issue.message}`);
  }
  const { containerId, networkName, ifName, netns, cniArgs, capabilityArgs, config, result } = read.output;
  const conf = parseJson(Buffer.from(config, 'base64').toString('utf8'));
  if (!conf.ok || !isJsonObject(conf.value)) return err('config: is no JSON object');
  return ok({
    containerId,
    network: networkName,
    ifname: ifName,
    netns: netns === '' ? undefined : netns,
    args: (cniArgs ?? []).map(([key, value]) => `${key}=${value}`).join(';'),
    capabilityArgs: capabilityArgs ?? {},
    config: conf.value,
    result,
  });
}

/** The namespace of the attachment: as the cache says, else the sandbox of its interface in the result. */
export function namespaceOf({ netns, ifname, result }: CachedAttachment): string | undefined {
  if (netns !== undefined) return netns;
  const interfaces = result['interfaces'];
  if (!Array.isArray(interfaces)) return undefined;
  for (const entry of interfaces) {
    if (!isJsonObject(entry) || entry['name'] !== ifname) continue;
    const { sandbox } = entry;
    if (typeof sandbox === 'string' && sandbox !== '') return sandbox;
  }
  return undefined;
}

/** One plugin of the configuration that gets its addresses by DHCP, as it would see a CHECK on its stdin. */
export type CachedPlugin = { readonly type: string; readonly stdin: Uint8Array };

export function dhcpPluginsOf(cached: CachedAttachment): readonly CachedPlugin[] {
  const { config, network, result } = cached;
  const listed = config['plugins'];
  const plugins = (Array.isArray(listed) ? listed.filter(isJsonObject) : [config]).map(asGoReads);
  const version = config['cniVersion'] ?? '';
  return plugins.flatMap((plugin) => {
    const { type, ipam } = plugin;
    if (typeof type !== 'string' || !isJsonObject(ipam) || ipam['type'] !== 'dhcp') return [];
    const conf = {
      ...plugin,
      name: network,
      cniVersion: version,
      runtimeConfig: runtimeConfigOf(plugin, cached.capabilityArgs),
      prevResult: result,
    };
    return [{ type, stdin: Buffer.from(JSON.stringify(conf)) }];
  });
}

/** Of a main plugin whatever it is: `dhcp` reads the configuration of the one that calls it. */
function asGoReads(plugin: JsonObject): JsonObject {
  const keys = plugin['type'] === 'leasehold' ? undefined : CONF_KEYS.get('macvlan');
  return keys === undefined ? plugin : foldKeys(plugin, keys).value;
}

/** As libcni does: what the runtime gives for the capabilities that the plugin states. */
function runtimeConfigOf(plugin: JsonObject, capabilityArgs: JsonObject): JsonObject {
  const { capabilities } = plugin;
  if (!isJsonObject(capabilities)) return {};
  return Object.fromEntries(Object.entries(capabilityArgs).filter(([name]) => capabilities[name] === true));
}
