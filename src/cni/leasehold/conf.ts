import { type Cidr, networkOf, parseCidr } from '../../base/cidr.ts';
import { linkNameProblem } from '../../base/ifname.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import type { Mac } from '../../base/mac.ts';
import type { ConflictCheck } from '../../lease/record.ts';
import type { MasterChoice } from '../../node/uplink.ts';
import { nearest } from '../../base/nearest.ts';
import { isAnonymous, refuseIdentifying, refuseProvide } from '../dhcp/anonymous.ts';
import { DHCP_VALUE_KEYS, type DhcpKeys, readDhcpKeys } from '../dhcp/keys.ts';
import { invalid } from '../dhcp/option-row.ts';
import { PROVIDE_KEYS, readProvide } from '../dhcp/provide.ts';
import { ALL_ROUTES, readRoutesKey, ROUTES_KEYS, type RoutesKey } from '../dhcp/routes-key.ts';
import type { MacPolicy } from '../identity/pod-mac.ts';
import { readMacKey } from '../plugins/mac-key.ts';
import { readByType } from '../spec/by-type.ts';
import { COMMON_KEYS, CONTAINER_KEYS, type NetConf } from '../spec/conf.ts';
import { quoted } from '../spec/errors.ts';
import { isSameKey, type KeyTree, leaves } from '../spec/key-case.ts';
import { refuseOtherCase, refuseUnknownKeys } from '../spec/known-keys.ts';
import { readShape } from '../spec/schema.ts';
import {
  CHAINED_KEYS,
  DHCP_SECTION_KEYS,
  isRuntimeKey,
  LEASEHOLD_KEYS,
  masterForms,
  MODES_TO_COME,
  plainShape,
  provideShape,
  serviceForms,
  STANDARD_KEYS,
} from './shape.ts';

/** The configuration of plugin type `leasehold`. Undefined: it does not say, and the daemon's word counts. */
export type LeaseholdConf = {
  readonly mode: 'macvlan';
  readonly master: MasterChoice;
  /** Undefined: the uplink's. */
  readonly mtu: number | undefined;
  readonly mac: Mac | MacPolicy | undefined;
  /** As an `ipam` section of type `dhcp` has them; read, and found right but for what only a pod's arguments tell. */
  readonly dhcp: JsonObject;
  /** What `clientId` and `mac` are where they are not stated themselves. */
  readonly identity: 'container' | 'pod' | 'anonymous' | undefined;
  /** The node and its pods reach each other. */
  readonly hostAccess: boolean;
  /** Networks that the node answers for, host bits cleared; `auto`: those that the daemon knows. */
  readonly services: 'auto' | 'off' | readonly Cidr<Ipv4>[];
  /** Connections are answered by the way they came. */
  readonly lastHop: boolean;
  readonly routes: RoutesKey;
  readonly conflictCheck: ConflictCheck | undefined;
  /** Interface and address are another plugin's: only the host side is ours. */
  readonly chained: boolean;
};

/** With those inside, to tell how a key is spelled that is nearly one. */
const KEYS: KeyTree = {
  ...COMMON_KEYS,
  args: { cni: CONTAINER_KEYS },
  runtimeConfig: CONTAINER_KEYS,
  ...leaves(LEASEHOLD_KEYS),
  dhcp: { ...leaves(DHCP_SECTION_KEYS), ...DHCP_VALUE_KEYS, provide: PROVIDE_KEYS },
  routes: ROUTES_KEYS,
};

/** Reads the keys of `leasehold`. Throws CniError 7 that names the key, and the nearest one to a key that is none. */
export function readLeaseholdConf(conf: NetConf): LeaseholdConf {
  const { raw } = conf;
  refuseIpam(raw);
  refuseOtherCase(raw, KEYS);
  refuseUnknownKeys(raw, LEASEHOLD_KEYS, '', (key) => STANDARD_KEYS.includes(key) || isRuntimeKey(key));
  refuseMode(raw['mode']);
  const read = readShape(plainShape, raw);
  if (!read.ok) throw read.error;
  const { mtu, mac, identity, hostAccess, lastHop, conflictCheck, chained } = read.value;
  if (chained === true) refuseUnchained(raw);
  const { dhcp, keys } = readDhcp(raw['dhcp']);
  if (identity === 'anonymous' || isAnonymous(keys)) refuseUnlikeAnonymous(raw, dhcp, keys);
  if (conflictCheck !== undefined && Object.hasOwn(dhcp, 'conflictCheck')) {
    throw invalid('conflictCheck: is in "dhcp" too: remove one of them');
  }
  return {
    mode: 'macvlan',
    master: readMaster(raw['master']),
    mtu,
    mac: mac === undefined ? undefined : readMacKey('mac', mac),
    dhcp,
    identity,
    hostAccess: hostAccess ?? true,
    services: readServices(raw['services']),
    lastHop: lastHop ?? true,
    routes: raw['routes'] === undefined ? ALL_ROUTES : readRoutesKey(raw['routes'], 'routes'),
    conflictCheck,
    chained: chained ?? false,
  };
}

function refuseIpam(raw: JsonObject): void {
  const key = Object.keys(raw).find((written) => isSameKey(written, 'ipam'));
  if (key === undefined) return;
  throw invalid(`${key}: is not for this plugin, which asks the DHCP server itself: move its keys to "dhcp"`);
}

function refuseMode(mode: Json | undefined): void {
  if (mode === undefined || mode === 'macvlan') return;
  if (typeof mode !== 'string') throw invalid('mode: must be text: "macvlan"');
  if (MODES_TO_COME.includes(mode)) {
    throw invalid(`mode: ${quoted(mode)} is not built yet: "macvlan" is the only mode there is`);
  }
  const near = nearest(mode.toLowerCase(), ['macvlan', ...MODES_TO_COME]);
  const hint = near === 'macvlan' ? ': did you mean "macvlan"?' : ': "macvlan" is the only mode there is';
  throw invalid(`mode: ${quoted(mode)} is no mode${hint}`);
}

function refuseUnchained(raw: JsonObject): void {
  const key = LEASEHOLD_KEYS.find((name) => !CHAINED_KEYS.includes(name) && Object.hasOwn(raw, name));
  if (key === undefined) return;
  const allowed = CHAINED_KEYS.filter((name) => name !== 'chained').join(', ');
  throw invalid(
    `${key}: is not for "chained", where the interface and its address are another plugin's: remove it (left are ${allowed})`,
  );
}

function readMaster(value: Json | undefined): MasterChoice {
  if (value === undefined) return { kind: 'auto' };
  const read = readByType(
    masterForms,
    value,
    'master',
    '"auto", a name, a pattern ("en*") or a list of names',
  );
  if (read.form === 'text' && read.value === 'auto') return { kind: 'auto' };
  const names = read.form === 'text' ? [read.value] : read.value;
  for (const name of names) {
    // The pattern of the schema counts characters, the kernel bytes; and it does not know all that cannot be seen.
    const problem = linkNameProblem(name);
    if (problem !== undefined) throw invalid(`master: ${quoted(name)} ${problem}`);
  }
  if (read.form === 'text' && /[*?]/.test(read.value)) return { kind: 'pattern', pattern: read.value };
  return { kind: 'names', names };
}

function readServices(value: Json | undefined): LeaseholdConf['services'] {
  if (value === undefined) return 'auto';
  const read = readByType(serviceForms, value, 'services', '"auto", "off", a network or a list of networks');
  if (read.form === 'text' && (read.value === 'auto' || read.value === 'off')) return read.value;
  const texts = read.form === 'text' ? [read.value] : read.value;
  return texts.map((text) => {
    const network = parseCidr(text);
    if (network === undefined || !isIpv4(network.address)) {
      throw invalid(`services: ${quoted(text)} is not an IPv4 network ("10.43.0.0/16")`);
    }
    return networkOf({ address: network.address, prefix: network.prefix });
  });
}

/** The section as it is written, and what its keys say. */
function readDhcp(value: Json = {}): { readonly dhcp: JsonObject; readonly keys: DhcpKeys } {
  if (!isJsonObject(value)) throw invalid('dhcp: must be an object');
  refuseUnknownKeys(value, DHCP_SECTION_KEYS, 'dhcp');
  const keys = readDhcpKeys(value, 'dhcp');
  const read = readShape(provideShape, value, 'dhcp');
  if (!read.ok) throw read.error;
  readProvide(read.value.provide, { values: new Map(), ignoreUnknown: true }, 'dhcp.provide');
  return { dhcp: value, keys };
}

/** The profile is whole: who states something of another identity beside it would be neither. Throws CniError 7. */
function refuseUnlikeAnonymous({ identity, mac }: JsonObject, dhcp: JsonObject, keys: DhcpKeys): void {
  const said: readonly (readonly [string, Json | undefined, string])[] = [
    ['identity', identity, 'anonymous'],
    ['dhcp.clientId', dhcp['clientId'], 'anonymous'],
    ['mac', mac, 'random'],
  ];
  for (const [key, value, wanted] of said) {
    if (typeof value !== 'string' || value === '' || value === wanted) continue;
    throw invalid(
      `${key}: ${quoted(value)} says more of the pod than "anonymous" allows: remove one of the two`,
    );
  }
  refuseIdentifying(keys, 'dhcp');
  refuseProvide(Array.isArray(dhcp['provide']) ? dhcp['provide'] : [], 'dhcp');
}

/**
 * The same network for the plugins `macvlan` and `dhcp`, on this master (undefined: the interface with the default
 * route). Where `identity` is not stated neither is anything of it, so that the daemon's defaults count.
 */
export function toMacvlanConf(conf: NetConf, read: LeaseholdConf, master: string | undefined): NetConf {
  const { mtu, identity, routes } = read;
  const mac = read.mac ?? macOf(identity);
  const clientId = identity === undefined ? {} : { clientId: identity };
  const conflictCheck = read.conflictCheck === undefined ? {} : { conflictCheck: read.conflictCheck };
  const ipam: JsonObject = {
    ...clientId,
    ...read.dhcp,
    ...conflictCheck,
    type: 'dhcp',
    routes: {
      use: routes.use,
      ...(routes.metric === undefined ? {} : { metric: routes.metric }),
      ...(routes.table === undefined ? {} : { table: routes.table }),
    },
  };
  const kept = Object.entries(conf.raw).filter(([key]) => !LEASEHOLD_KEYS.includes(key));
  const raw: JsonObject = {
    ...Object.fromEntries(kept),
    mode: 'bridge',
    ipam,
    ...(master === undefined ? {} : { master }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(mac === undefined ? {} : { mac }),
  };
  return { ...conf, ipam, ipamType: 'dhcp', raw };
}

function macOf(identity: LeaseholdConf['identity']): MacPolicy | undefined {
  if (identity === undefined) return undefined;
  return identity === 'pod' ? 'pod' : 'random';
}
