import { isJsonObject, type Json, type JsonObject, parseJson } from './base/json.ts';
import { readLeaseholdConf } from './cni/leasehold/conf.ts';
import { decodeConf } from './cni/spec/conf.ts';
import { CniError } from './cni/spec/errors.ts';
import { nameProblem } from './cni/spec/names.ts';

/**
 * Throws an Error for a network configuration list that a runtime would not load, by which no plugin of `installed` would be
 * called, or that our plugin would refuse for each pod: an update to it has to stop before it takes a node off its network.
 * What only a node or a pod can tell is not judged.
 */
export function refuseUselessConflist(text: string, installed: readonly string[]): void {
  const json = parseJson(text);
  const list = json.ok && isJsonObject(json.value) ? json.value : {};
  const { name, cniVersion } = list;
  const problem = typeof name === 'string' ? nameProblem(name) : 'is missing';
  if (problem !== undefined) throw useless(`"name" ${problem}`);
  const plugins: readonly Json[] = Array.isArray(list['plugins']) ? list['plugins'] : [];
  const called = plugins.map((plugin, at) => typesOf(plugin, `plugins[${at}]`));
  if (!called.flat().some((type) => installed.includes(type))) {
    throw useless(`no plugin in it is one of ${installed.join(', ')}, so nobody would call Leasehold`);
  }
  const head = { name: name ?? '', ...(cniVersion === undefined ? {} : { cniVersion }) };
  plugins.forEach((plugin, at) => {
    if (isJsonObject(plugin) && plugin['type'] === 'leasehold')
      refuseUnread({ ...plugin, ...head }, `plugins[${at}]`);
  });
}

/** What a runtime executes for one entry of the list, and what that executes. */
function typesOf(plugin: Json, place: string): readonly string[] {
  if (!isJsonObject(plugin)) throw useless(`${place} is no object`);
  const { type, ipam } = plugin;
  if (typeof type !== 'string' || type === '') throw useless(`${place} has no "type"`);
  const below = isJsonObject(ipam) ? ipam['type'] : undefined;
  return typeof below === 'string' ? [type, below] : [type];
}

function refuseUnread(conf: JsonObject, place: string): void {
  try {
    const read = decodeConf(new TextEncoder().encode(JSON.stringify(conf)));
    if (!read.ok) throw read.error;
    readLeaseholdConf(read.value);
  } catch (error) {
    if (error instanceof CniError) throw useless(`${place}: ${error.message}`);
    throw error;
  }
}

function useless(what: string): Error {
  return new Error(`--conflist: ${what}`);
}
