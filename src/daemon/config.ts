import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import * as v from 'valibot';
import { type Cidr, networkOf, parseCidr } from '../base/cidr.ts';
import { isIpv4 } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../base/json.ts';
import { nearest } from '../base/nearest.ts';
import { isPlain } from '../base/outside-text.ts';
import { type Duration, seconds } from '../base/time.ts';
import type { DhcpSettings } from '../cni/context.ts';
import { identifying, isAnonymous, refuseIdentifying } from '../cni/dhcp/anonymous.ts';
import { DHCP_KEYS, readDhcpKeys } from '../cni/dhcp/keys.ts';
import { MAC_POLICIES } from '../cni/identity/pod-mac.ts';
import { CniError, quoted } from '../cni/spec/errors.ts';
import { readShape } from '../cni/spec/schema.ts';
import { foreignButRoot, remedyFor } from '../kernel/ownership.ts';
import { SERVICE_PREFIX_MIN } from '../node/host/node-lan.ts';

/** Networks that routes are kept out of: services, nodes, other clusters. Each is compared with every route. */
export const MOST_PROTECTED = 256;
/** The networks of all LANs on which the node has pods and no address of its own. */
export const MOST_LAN = 16;
/** A cluster has one service network of each family, or a few. Each pod has a route to each. */
export const MOST_SERVICES = 16;
/** The longest DNS name (RFC 1035 2.3.4): more than any cluster or node is called. */
export const MAX_NAME = 253;
export const MAX_KEY = 1024;
/** PATH_MAX of linux/limits.h, without its last zero byte. */
export const MAX_PATH = 4095;
export const MAX_SECONDS = 86_400;

const positive = v.pipe(
  v.number(),
  v.check((n) => n > 0 && n <= MAX_SECONDS, `must be more than 0 and at most ${MAX_SECONDS}`),
);

function textUpTo(most: number) {
  return v.pipe(
    v.string(),
    v.minLength(1, 'must not be empty'),
    v.maxLength(most, `is longer than ${most} characters`),
    // They end up in logs; and to an HMAC a key with zero bytes behind it is the same key.
    v.check(isPlain, 'has control or format characters'),
  );
}

const protectedNetwork = v.pipe(
  v.string(),
  v.rawTransform<string, Cidr<Ipv4>>(({ dataset, addIssue, NEVER }) => {
    const network = parseCidr(dataset.value);
    const { value } = dataset;
    if (network === undefined || !isIpv4(network.address)) {
      addIssue({ message: `${quoted(value)} is not an IPv4 network ("10.43.0.0/16")` });
      return NEVER;
    }
    if (network.prefix === 0) {
      addIssue({ message: `${quoted(value)} is every network, the default route with it` });
      return NEVER;
    }
    return networkOf({ address: network.address, prefix: network.prefix });
  }),
);

/** A larger one says nothing of where an address is. */
const lanNetwork = v.pipe(
  protectedNetwork,
  v.check(
    ({ prefix }) => prefix >= SERVICE_PREFIX_MIN,
    `has a network larger than a /${SERVICE_PREFIX_MIN}: name the LAN's own ("192.168.2.0/24")`,
  ),
);

/** They are kept off the LAN: a larger one is a slip that would take the node off it. */
const serviceNetwork = v.pipe(
  protectedNetwork,
  v.check(
    ({ prefix }) => prefix >= SERVICE_PREFIX_MIN,
    `has a network larger than a /${SERVICE_PREFIX_MIN}: name the cluster's service network ("10.43.0.0/16")`,
  ),
);

/**
 * How long an ADD tries. A runtime sends no DEL before its ADD has ended, so that a pod that is deleted meanwhile stays
 * as long; one that retries (kubelet does) begins anew. It covers what takes time at a server that has an address to give:
 * the ping before an OFFER (dnsmasq 3 s), our own probes (7 s), and both again after a DECLINE and its pause of 10 s.
 */
const DEFAULT_DEADLINE_SECONDS = 30;

/** The keys of "dhcp" that only the daemon has; the others are those of the `ipam` section. */
export const daemonDhcp = {
  deadlineSeconds: v.optional(positive, DEFAULT_DEADLINE_SECONDS),
  carrierWaitSeconds: v.optional(positive, 5),
  mac: v.optional(v.picklist(MAC_POLICIES), 'random'),
};

const identity = { cluster: v.optional(textUpTo(MAX_NAME)), key: v.optional(textUpTo(MAX_KEY)) };

/** All keys of the file, for the JSON Schema that is shipped as well. */
export const configEntries = {
  dhcp: v.optional(v.object(daemonDhcp), {}),
  identity: v.optional(v.object(identity), {}),
  protect: v.optional(
    v.pipe(v.array(protectedNetwork), v.maxLength(MOST_PROTECTED, `has more than ${MOST_PROTECTED} entries`)),
    [],
  ),
  services: v.optional(
    v.pipe(v.array(serviceNetwork), v.maxLength(MOST_SERVICES, `has more than ${MOST_SERVICES} entries`)),
    [],
  ),
  lan: v.optional(
    v.pipe(v.array(lanNetwork), v.maxLength(MOST_LAN, `has more than ${MOST_LAN} entries`)),
    [],
  ),
  node: v.optional(textUpTo(MAX_NAME)),
  kubeconfig: v.optional(
    v.pipe(
      textUpTo(MAX_PATH),
      v.check((path) => path.startsWith('/'), 'must be an absolute path'),
    ),
  ),
};

const Shape = v.object(configEntries);

const KEYS = {
  dhcp: [...Object.keys(daemonDhcp), ...DHCP_KEYS],
  identity: Object.keys(identity),
} as const;

/** What the file given with `--config` may set. */
export type DaemonConfig = {
  /** An ADD gives up after this long (30 s). */
  readonly deadline: Duration;
  /** How long an ADD waits for the carrier (5 s). */
  readonly carrierWait: Duration;
  readonly dhcp: DhcpSettings;
  /** Networks that no route of a lease may lead into; host bits cleared. */
  readonly protect: readonly Cidr<Ipv4>[];
  /** Networks of the cluster's services, which pods reach through the node; host bits cleared. */
  readonly services: readonly Cidr<Ipv4>[];
  /** Networks of the LANs of uplinks on which the node has no IPv4 network of its own; host bits cleared. */
  readonly lan: readonly Cidr<Ipv4>[];
  /** A file that says how the Kubernetes API is asked. */
  readonly kubeconfig: string | undefined;
};

/** Without a file: the defaults. Throws an Error that names file and key. */
export function loadConfig(path: string | undefined): DaemonConfig {
  const file = path === undefined ? {} : readJsonFile(path);
  try {
    return read(file);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw new Error(`--config ${path ?? ''}: ${error.message}`, { cause: error });
  }
}

/** A network as a command line has it. Throws an Error that names the flag. */
export function readServiceFlag(text: string): Cidr<Ipv4> {
  const network = v.safeParse(serviceNetwork, text);
  if (network.success) return network.output;
  throw new Error(`--service-cidr ${network.issues[0].message}`);
}

/** Throws CniError that names the key. */
function read(file: JsonObject): DaemonConfig {
  refuseUnknown(file, Object.keys(configEntries), '');
  for (const [section, known] of Object.entries(KEYS)) {
    const inner = file[section] ?? {};
    // valibot takes an array for an object.
    if (isJsonObject(inner)) refuseUnknown(inner, known, section);
    else throw new CniError('invalid-config', `${section}: ${noObject(section, inner)}`);
  }
  const shaped = readShape(Shape, file);
  if (!shaped.ok) throw shaped.error;
  const { dhcp, identity: who, protect, services, lan, node, kubeconfig } = shaped.value;
  const dhcpKeys = file['dhcp'];
  const cluster = who.cluster ?? '';
  const defaults = readDhcpKeys(isJsonObject(dhcpKeys) ? dhcpKeys : {}, 'dhcp');
  if (isAnonymous(defaults)) {
    refuseIdentifying(defaults, 'dhcp');
    if (dhcp.mac !== 'random') throw identifying('dhcp.mac');
  }
  return {
    deadline: seconds(dhcp.deadlineSeconds),
    carrierWait: seconds(Math.min(dhcp.carrierWaitSeconds, dhcp.deadlineSeconds)),
    dhcp: {
      defaults,
      mac: dhcp.mac,
      // Not the machine's own id: it must be the same on every node that a pod may move to.
      identity: { cluster, key: who.key ?? cluster, node: node ?? hostname() },
    },
    protect,
    services,
    lan,
    kubeconfig,
  };
}

/** The key of a network's configuration that has the same name is another thing. */
function noObject(section: string, value: Json): string {
  if (section !== 'identity' || typeof value !== 'string') return 'must be an object';
  return 'must be an object here, of "cluster" and "key": for all networks write "clientId" and "mac" in "dhcp"';
}

/** A key that does nothing would look as if it did something. */
function refuseUnknown(object: JsonObject, known: readonly string[], section: string): void {
  const key = Object.keys(object).find((name) => !known.includes(name));
  if (key === undefined) return;
  const near = nearest(key, known);
  const hint = near === undefined ? '' : `did you mean "${near}"? `;
  const where = section === '' ? 'the file' : `"${section}"`;
  throw new CniError(
    'invalid-config',
    `${section === '' ? '' : `${section}.`}${quotedKey(key)}: is no key: ${hint}(keys of ${where}: ${known.join(', ')})`,
  );
}

/** A key as it stands in the file, but for what a terminal must not get. */
function quotedKey(key: string): string {
  return /^\w+$/.test(key) ? key.slice(0, MAX_NAME) : quoted(key);
}

function readJsonFile(path: string): JsonObject {
  const json = parseJson(readOwn(path, '--config'));
  if (json.ok) return asObject(path, json.value);
  throw new Error(
    `--config ${path}: ${json.error.kind === 'syntax' ? `is not JSON: ${json.error.text}` : 'nests too deep'}`,
  );
}

/** The text of a file that no other user could write. Throws an Error that names the flag. */
export function readOwn(path: string, flag: string): string {
  try {
    return readTrusted(path);
  } catch (error) {
    throw new Error(`${flag} ${path}: cannot be read: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}

/** What another user could write would be his word for all pods of the node. Links are followed: a ConfigMap is one. */
function readTrusted(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const stat = fstatSync(fd);
    const problem = stat.isFile() ? foreignButRoot(stat) : undefined;
    if (problem !== undefined) throw new Error(`it ${problem}; ${remedyFor(path)}`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function asObject(path: string, json: Json): JsonObject {
  if (!isJsonObject(json)) throw new Error(`--config ${path}: must hold a JSON object`);
  return json;
}
