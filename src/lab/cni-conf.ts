import { readFile } from 'node:fs/promises';
import { ifnameProblem } from '../base/ifname.ts';
import { isJsonObject, parseJson, type Json, type JsonObject } from '../base/json.ts';

/** The newest version of the CNI spec this runtime speaks. */
const NEWEST = '1.1.0';
const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** A network configuration list as a runtime loads it (CNI spec section 1). `plugins` holds each entry as written. */
export type NetworkList = {
  readonly name: string;
  /** Empty when the list does not say; it is handed on like that. */
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  readonly plugins: readonly PluginEntry[];
};

export type PluginEntry = { readonly type: string; readonly conf: JsonObject };

/** What a runtime knows of one container's place on a network; `netns` is empty when the namespace is gone. */
export type Attachment = {
  readonly containerId: string;
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS, in order. */
  readonly args?: Readonly<Record<string, string>>;
  /** Goes to the plugins that declare the capability, as `runtimeConfig`. */
  readonly capabilityArgs?: JsonObject;
};

/** A configuration or an attachment that a runtime refuses before any plugin is run. */
export class CniInputError extends Error {
  override readonly name = 'CniInputError';
}

function versionParts(version: string): readonly [number, number, number] {
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?$/.exec(version === '' ? '0.1.0' : version);
  if (match === null) throw new CniInputError(`not a CNI version: "${version}"`);
  return [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [versionParts(a), versionParts(b)];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** An empty version counts as 0.1.0, the first one. */
export function versionAtLeast(version: string, wanted: string): boolean {
  return compareVersions(version, wanted) >= 0;
}

function text(conf: JsonObject, key: string, where: string): string | undefined {
  const value = conf[key];
  if (value === undefined || typeof value === 'string') return value;
  throw new CniInputError(`${where}: "${key}" must be a string`);
}

/** Runtimes take the words "true" and "false" too. */
function flag(conf: JsonObject, key: string): boolean {
  const value = conf[key];
  const lower = typeof value === 'string' ? value.toLowerCase() : value;
  if (lower === undefined || lower === false || lower === 'false') return false;
  if (lower === true || lower === 'true') return true;
  throw new CniInputError(`network configuration: "${key}" must be true or false`);
}

/** The newest of `cniVersion` and `cniVersions` that this runtime speaks. */
function versionOf(conf: JsonObject): string {
  const single = text(conf, 'cniVersion', 'network configuration') ?? '';
  const several = conf['cniVersions'];
  if (several === undefined) {
    versionParts(single);
    return single;
  }
  if (!Array.isArray(several) || !several.every((version) => typeof version === 'string')) {
    throw new CniInputError('network configuration: "cniVersions" must be a list of strings');
  }
  const known = [...several, ...(single === '' ? [] : [single])].filter(
    (v) => !(compareVersions(v, NEWEST) > 0),
  );
  return known.toSorted(compareVersions).at(-1) ?? single;
}

function pluginEntry(conf: Json, at: number): PluginEntry {
  const where = `plugin ${at + 1}`;
  if (!isJsonObject(conf)) throw new CniInputError(`${where} is not an object`);
  const type = text(conf, 'type', where);
  if (type === undefined || type === '') throw new CniInputError(`${where} has no "type"`);
  return { type, conf };
}

/** Reads a .conflist; a .conf (one plugin, no "plugins") becomes a list of one. Throws CniInputError. */
export function parseNetworkList(source: string): NetworkList {
  const parsed = parseJson(source);
  if (!parsed.ok)
    throw new CniInputError(`network configuration is not JSON: ${JSON.stringify(parsed.error)}`);
  const conf = parsed.value;
  if (!isJsonObject(conf)) throw new CniInputError('network configuration is not a JSON object');
  const name = text(conf, 'name', 'network configuration');
  if (name === undefined) throw new CniInputError('network configuration has no "name"');
  if (!NETWORK_NAME.test(name)) {
    throw new CniInputError(
      `network name "${name}" has characters other than letters, digits, "_", "." and "-"`,
    );
  }
  const entries = conf['plugins'] ?? (conf['type'] === undefined ? [] : [conf]);
  if (!Array.isArray(entries) || entries.length === 0) {
    throw new CniInputError(`network ${name}: "plugins" must be a list with at least one plugin`);
  }
  return {
    name,
    cniVersion: versionOf(conf),
    disableCheck: flag(conf, 'disableCheck'),
    disableGc: flag(conf, 'disableGC'),
    plugins: (entries as readonly Json[]).map(pluginEntry),
  };
}

export async function loadNetworkList(path: string): Promise<NetworkList> {
  return parseNetworkList(await readFile(path, 'utf8'));
}

/** What a runtime checks of an attachment before ADD. Throws CniInputError. */
export function checkAttachment(attachment: Attachment): void {
  const { containerId, ifName } = attachment;
  if (!NETWORK_NAME.test(containerId)) throw new CniInputError(`container id "${containerId}" is not valid`);
  const problem = ifnameProblem(ifName);
  if (problem !== undefined) throw new CniInputError(`interface name "${ifName}" ${problem}`);
}

function declaredCapabilities(conf: JsonObject, args: JsonObject): JsonObject | undefined {
  const declared = conf['capabilities'];
  if (!isJsonObject(declared)) return undefined;
  const wanted = Object.entries(args).filter(([name]) => declared[name] === true);
  return wanted.length === 0 ? undefined : Object.fromEntries(wanted);
}

/**
 * The text one plugin gets on stdin (CNI spec section 3, "deriving execution configuration"): its entry with the
 * list's name and version, the previous result, and runtimeConfig for the capabilities it declares.
 */
export function executionConf(
  list: NetworkList,
  plugin: PluginEntry,
  extra: {
    readonly prevResult?: JsonObject | undefined;
    readonly capabilityArgs?: JsonObject | undefined;
    readonly inject?: JsonObject;
  },
): string {
  const runtimeConfig = declaredCapabilities(plugin.conf, extra.capabilityArgs ?? {});
  return JSON.stringify({
    ...plugin.conf,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(extra.prevResult === undefined ? {} : { prevResult: extra.prevResult }),
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ...extra.inject,
  });
}
