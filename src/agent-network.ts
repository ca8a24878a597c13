import { isJsonObject, type Json, parseJson } from './base/json.ts';
import { decodeConf } from './cni/spec/conf.ts';
import { CniError } from './cni/spec/errors.ts';
import { NEWEST_VERSION } from './cni/spec/versions.ts';
import { readLeaseholdConf } from './cni/leasehold/conf.ts';

/**
 * Why each pod of this network configuration list would fail: a key or value of one of its `leasehold` plugins. Undefined:
 * none is known; plugins of others are not judged. A text that is no list is the business of whoever puts it on the node.
 */
export function networkProblem(text: string): string | undefined {
  const json = parseJson(text);
  if (!json.ok || !isJsonObject(json.value)) return undefined;
  const { name, plugins } = json.value;
  if (!Array.isArray(plugins)) return undefined;
  for (const plugin of plugins) {
    const problem = pluginProblem(plugin, name ?? '');
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Read as it reaches the plugin from a runtime: with the list's name. Which version the runtime takes is not known here. */
function pluginProblem(plugin: Json, name: Json): string | undefined {
  if (!isJsonObject(plugin) || plugin['type'] !== 'leasehold') return undefined;
  const given = JSON.stringify({ ...plugin, name, cniVersion: NEWEST_VERSION });
  const conf = decodeConf(new TextEncoder().encode(given));
  if (!conf.ok) return conf.error.message;
  try {
    readLeaseholdConf(conf.value);
    return undefined;
  } catch (error) {
    if (error instanceof CniError) return error.message;
    throw error;
  }
}
