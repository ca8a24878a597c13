import * as v from 'valibot';
import { isJsonObject, parseJson, type Json, type JsonObject } from '../../base/json.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { CniError, quoted } from './errors.ts';
import { nameProblem, pluginNameProblem } from './names.ts';
import { foldKeys, type KeyTree, leaves } from './key-case.ts';
import { DNS_KEYS, dnsShape, type CniDns, type CniResult } from './result.ts';
import { parseResult } from './result-read.ts';
import { jsonObject, maybe, optionalText, readShape } from './schema.ts';
import { CNI_VERSIONS, isSupported, NEWEST_VERSION, UNSTATED_VERSION, type CniVersion } from './versions.ts';

export const MAX_CONF_BYTES = 1 << 20;
const MAX_CONF_DEPTH = 64;

export type Attachment = { readonly containerId: string; readonly ifname: string };

/** The keys that every plugin's configuration has in common, checked; `raw` is all of it, for the plugin's own schema. */
export type NetConf = {
  readonly cniVersion: CniVersion;
  readonly name: string;
  /** Absent where a plugin is called by hand: the name of the executable says the same. */
  readonly type: string | undefined;
  readonly ipam: JsonObject | undefined;
  /** Undefined for "no IPAM", which is a layer 2 attachment. Safe as a file name. */
  readonly ipamType: string | undefined;
  readonly dns: CniDns | undefined;
  readonly args: JsonObject;
  readonly runtimeConfig: JsonObject;
  readonly capabilities: Readonly<Record<string, boolean>>;
  /** Not read yet, because a DEL must not fail over it: see `readPrevResult`. */
  readonly prevResult: JsonObject | undefined;
  /** What GC keeps. Undefined is "not said", never "none": a GC without it must remove nothing. */
  readonly validAttachments: readonly Attachment[] | undefined;
  readonly raw: JsonObject;
};

/**
 * Reads what came on stdin; with `keys` the case of letters does not count in them (`foldKeys`). Errors: code 6 when it
 * is not JSON within the limits, 1 for an unknown cniVersion, 7 for a wrong shape, naming the key.
 */
export function decodeConf(bytes: Uint8Array, keys: KeyTree = {}): Result<NetConf, CniError> {
  const json = decodeJson(bytes);
  if (!json.ok) return json;
  if (!isJsonObject(json.value))
    return err(new CniError('invalid-config', 'the configuration must be a JSON object'));
  const raw = foldKeys(json.value, keys).value;
  // First of all, because an unknown version may have given any other key another shape.
  const version = readVersion(raw['cniVersion'] ?? '');
  if (!version.ok) return version;
  const read = readShape(confShape, raw);
  if (!read.ok) return read;
  const { ipam, ...rest } = read.value;
  const ipamType = readIpamType(ipam);
  if (!ipamType.ok) return ipamType;
  const attachments = readAttachments(raw);
  if (!attachments.ok) return attachments;
  return ok({
    cniVersion: version.value,
    name: rest.name,
    type: rest.type,
    ipam,
    ipamType: ipamType.value,
    dns: rest.dns,
    args: rest.args ?? {},
    runtimeConfig: rest.runtimeConfig ?? {},
    capabilities: rest.capabilities ?? {},
    prevResult: rest.prevResult,
    validAttachments: attachments.value,
    raw,
  });
}

/** The `prevResult` of a chained plugin, or undefined where there is none. */
export function readPrevResult(conf: NetConf): Result<CniResult | undefined, CniError> {
  return conf.prevResult === undefined ? ok(undefined) : parseResult(conf.prevResult, conf.cniVersion);
}

/** The version to answer in when the configuration cannot be read as a whole, and to VERSION. */
export function answerVersion(bytes: Uint8Array, keys: KeyTree = {}): CniVersion {
  const json = decodeJson(bytes);
  const stated =
    json.ok && isJsonObject(json.value) ? foldKeys(json.value, keys).value['cniVersion'] : undefined;
  return typeof stated === 'string' && isSupported(stated) ? stated : NEWEST_VERSION;
}

function decodeJson(bytes: Uint8Array): Result<Json, CniError> {
  if (bytes.length > MAX_CONF_BYTES) {
    return undecodable(`the configuration has ${bytes.length} bytes; the most is ${MAX_CONF_BYTES}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return undecodable('the configuration is not UTF-8 text', error);
  }
  if (text.trim() === '') return undecodable('there is no configuration on stdin');
  const json = parseJson(text, MAX_CONF_DEPTH);
  if (json.ok) return json;
  if (json.error.kind === 'too-deep') {
    return undecodable(`the configuration nests deeper than ${json.error.limit} levels`);
  }
  return undecodable(`the configuration is not JSON: ${json.error.text}`);
}

function undecodable(msg: string, cause?: unknown): Result<never, CniError> {
  return err(new CniError('not-decodable', msg, undefined, { cause }));
}

function readVersion(stated: Json): Result<CniVersion, CniError> {
  if (typeof stated !== 'string') return err(new CniError('invalid-config', 'cniVersion: must be a string'));
  if (stated === '') return ok(UNSTATED_VERSION);
  if (isSupported(stated)) return ok(stated);
  const list = CNI_VERSIONS.join(', ');
  return err(
    new CniError(
      'incompatible-version',
      `cniVersion: ${quoted(stated)} is not supported`,
      `supported: ${list}`,
    ),
  );
}

/** A string in which `problemOf` finds nothing wrong. */
function textWith(problemOf: (text: string) => string | undefined) {
  return v.pipe(
    v.string(),
    v.check(
      (text) => problemOf(text) === undefined,
      ({ input }) => `${quoted(input)} ${problemOf(input) ?? ''}`,
    ),
  );
}

const confShape = v.object({
  name: textWith((text) => (text === '' ? 'is empty; it is the name of the network' : nameProblem(text))),
  type: optionalText,
  ipam: maybe(jsonObject),
  dns: maybe(dnsShape),
  args: maybe(jsonObject),
  runtimeConfig: maybe(jsonObject),
  capabilities: maybe(v.record(v.string(), v.boolean())),
  prevResult: maybe(jsonObject),
});

/** What a runtime or a person may say of one container: `runtimeConfig` by capability, or `args.cni`. */
export const CONTAINER_KEYS: KeyTree = leaves(['mac', 'ips']);

/** Of every plugin's configuration; what is in a result is read by `parseResult`. */
export const COMMON_KEYS: KeyTree = {
  ...leaves(['cniVersion', ...Object.keys(confShape.entries)]),
  ipam: { type: true },
  dns: DNS_KEYS,
  args: { cni: true },
};

const ipamShape = v.object({ type: v.nullish(textWith(pluginNameProblem), '') });

function readIpamType(ipam: JsonObject | undefined): Result<string | undefined, CniError> {
  if (ipam === undefined) return ok(undefined);
  const read = readShape(ipamShape, ipam, 'ipam');
  if (!read.ok) return read;
  return ok(read.value.type === '' ? undefined : read.value.type);
}

/** Not bounded like other lists: a big node has thousands, and an attachment that is not read would be removed. */
const attachmentsShape = v.array(v.object({ containerID: v.string(), ifname: v.string() }));

/** The second key is what the 1.1.0 spec first said by mistake; libcni sends both, older runtimes only that one. */
const ATTACHMENT_KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments'] as const;

function readAttachments(raw: JsonObject): Result<readonly Attachment[] | undefined, CniError> {
  const key = ATTACHMENT_KEYS.find((name) => (raw[name] ?? null) !== null);
  if (key === undefined) return ok(undefined);
  const read = readShape(attachmentsShape, raw[key], key);
  if (!read.ok) return read;
  return ok(read.value.map(({ containerID, ifname }) => ({ containerId: containerID, ifname })));
}
