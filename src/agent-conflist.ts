import { isJsonObject, type Json, type JsonObject, parseJson } from './base/json.ts';
import { readLeaseholdConf } from './cni/leasehold/conf.ts';
import { decodeConf } from './cni/spec/conf.ts';
import { CniError } from './cni/spec/errors.ts';
import { nameProblem } from './cni/spec/names.ts';

/**
 * Why a network configuration list is of no use: a runtime would not load it, no plugin of `installed` would be called by it, or
 * our plugin would refuse it for each pod. An update to it has to stop before it takes a node off its network. Undefined: nothing
 * is known against it; what only a node or a pod can tell is not judged.
 */
export function conflistProblem(text: string, installed: readonly string[]): string | undefined {
  const json = parseJson(text);
  const list = json.ok && isJsonObject(json.value) ? json.value : {};
  const { name, cniVersion } = list;
  const misnamed = typeof name === 'string' ? nameProblem(name) : 'is missing';
  if (misnamed !== undefined) return `"name" ${misnamed}`;
  const plugins: readonly Json[] = Array.isArray(list['plugins']) ? list['plugins'] : [];
  for (const [at, plugin] of plugins.entries()) {
    if (!isJsonObject(plugin)) return `plugins[${at}] is no object`;
    if (typeof plugin['type'] !== 'string' || plugin['type'] === '') return `plugins[${at}] has no "type"`;
  }
  if (!plugins.flatMap(typesOf).some((type) => installed.includes(type))) {
    return `no plugin in it is one of ${installed.join(', ')}, so nobody would call Leasehold`;
  }
  const head = { name: name ?? '', ...(cniVersion === undefined ? {} : { cniVersion }) };
  for (const [at, plugin] of plugins.entries()) {
    if (!isJsonObject(plugin) || plugin['type'] !== 'leasehold') continue;
    const problem = unread({ ...plugin, ...head });
    if (problem !== undefined) return `plugins[${at}]: ${problem}`;
  }
  return undefined;
}

/** What a runtime executes for one entry of the list, and what that executes. */
function typesOf(plugin: Json): readonly string[] {
  if (!isJsonObject(plugin)) return [];
  const { type, ipam } = plugin;
  return [type, isJsonObject(ipam) ? ipam['type'] : undefined].filter((one) => typeof one === 'string');
}

/** Why our plugin would refuse this configuration. */
function unread(conf: JsonObject): string | undefined {
  const read = decodeConf(new TextEncoder().encode(JSON.stringify(conf)));
  if (!read.ok) return read.error.message;
  try {
    readLeaseholdConf(read.value);
    return undefined;
  } catch (error) {
    if (error instanceof CniError) return error.message;
    throw error;
  }
}
