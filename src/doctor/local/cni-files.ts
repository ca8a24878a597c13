import { isJsonObject, parseJson, type Json, type JsonObject } from '../../base/json.ts';
import { COMMON_KEYS } from '../../cni/spec/conf.ts';
import { foldKeys } from '../../cni/spec/key-case.ts';
import type { NodeFacts } from './ports.ts';

/** libcni reads these endings and nothing else, in the order of the names' bytes. */
const ENDINGS = /\.(conf|conflist|json)$/;
/** More are no folder of network configurations. */
const MOST_FILES = 256;
const MOST_PLUGINS = 64;

export type CniFile = {
  readonly path: string;
  readonly name: string;
  readonly text: string | undefined;
  /** The plugins in their order; empty for a file that no runtime can use, and `why` says so. */
  readonly plugins: readonly JsonObject[];
  readonly network: string;
  readonly why?: string | undefined;
};

/** The files that a runtime reads, in its order: the first that can be used is the network of the pods. */
export function cniFiles(facts: NodeFacts, folder: string): readonly CniFile[] {
  return (facts.list(folder) ?? [])
    .filter((name) => ENDINGS.test(name) && facts.look(`${folder}/${name}`)?.kind !== 'folder')
    .toSorted(byBytes)
    .slice(0, MOST_FILES)
    .map((name) => readCniFile(`${folder}/${name}`, name, facts.readText(`${folder}/${name}`)));
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function readCniFile(path: string, name: string, text: string | undefined): CniFile {
  const broken = (why: string): CniFile => ({ path, name, text, plugins: [], network: '', why });
  if (text === undefined) return broken('cannot be read, or is larger than 1 MiB');
  const json = parseJson(text);
  if (!json.ok)
    return broken(json.error.kind === 'syntax' ? `is not JSON: ${json.error.text}` : 'nests too deep');
  if (!isJsonObject(json.value)) return broken('is not a JSON object');
  const plugins = pluginsOf(json.value, name.endsWith('.conflist'));
  if (typeof plugins === 'string') return broken(plugins);
  const network = json.value['name'];
  return { path, name, text, plugins, network: typeof network === 'string' ? network : '' };
}

/** As libcni: a `.conflist` needs "plugins", any other file is one plugin and needs "type". */
function pluginsOf(object: JsonObject, isList: boolean): readonly JsonObject[] | string {
  if (!isList) {
    const plugin = asLibcni(object);
    if (typeof plugin['type'] === 'string' && plugin['type'] !== '') return [plugin];
    return 'plugins' in object
      ? 'is a list of plugins, which must be named .conflist'
      : 'has no "type", so there is no plugin to run';
  }
  const list: Json | undefined = object['plugins'];
  if (!Array.isArray(list) || list.length === 0) return 'has no "plugins"';
  return list.filter(isJsonObject).slice(0, MOST_PLUGINS).map(asLibcni);
}

/** In what it reads of a plugin the case of letters does not count; in a list it does. */
function asLibcni(plugin: JsonObject): JsonObject {
  return foldKeys(plugin, COMMON_KEYS).value;
}

/** The executables that a file needs: each plugin and its IPAM plugin, each once. */
export function typesIn(file: CniFile): readonly string[] {
  const types = file.plugins.flatMap((plugin) => {
    const { ipam } = plugin;
    return [plugin['type'], isJsonObject(ipam) ? ipam['type'] : undefined];
  });
  return [...new Set(types.filter((type) => typeof type === 'string' && type !== ''))].map(String);
}
