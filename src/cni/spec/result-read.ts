import * as v from 'valibot';
import { readDnsName } from '../../base/dns-name.ts';
import { isIpv4 } from '../../base/ip.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { CniError, quoted } from './errors.ts';
import { foldKeys, type KeyTree, leaves } from './key-case.ts';
import {
  DNS_KEYS,
  dnsShape,
  NO_DNS,
  withoutUndefined,
  type CniDns,
  type CniInterface,
  type CniIp,
  type CniResult,
  type CniRoute,
} from './result.ts';
import {
  cidrText,
  listOf,
  maybe,
  optionalIp,
  optionalMac,
  optionalText,
  plainText,
  readShape,
  uint32,
} from './schema.ts';
import { isAtLeast, isSupported, type CniVersion } from './versions.ts';

/**
 * Reads a result that another plugin wrote: a `prevResult`, or what an IPAM plugin printed. It is read by the
 * `cniVersion` in it and by `version` (that of the configuration) where it has none. Keys that are not known are
 * left out, and the case of letters does not count, as in the Go library. `at` names the place in error messages.
 * Errors: code 1 for a version that is not supported, 7 for a wrong shape.
 */
export function parseResult(
  written: Json,
  version: CniVersion,
  at = 'prevResult',
): Result<CniResult, CniError> {
  if (!isJsonObject(written)) return err(new CniError('invalid-config', `${at}: must be an object`));
  const json = foldKeys(written, RESULT_KEYS).value;
  const read = versionOf(json, version, at);
  if (!read.ok) return read;
  const old = !isAtLeast(read.value, '0.3.0');
  // Read by the wrong version a result would seem to be empty, and a container would silently lose its addresses.
  const foreign = (old ? ['ips', 'interfaces'] : ['ip4', 'ip6']).find((key) => (json[key] ?? null) !== null);
  if (foreign !== undefined) {
    return err(
      new CniError('invalid-config', `${at}.${foreign}: not a key of a result of CNI version ${read.value}`),
    );
  }
  return old ? readOld(json, at) : readNew(json, at);
}

function versionOf(json: JsonObject, fallback: CniVersion, at: string): Result<CniVersion, CniError> {
  const stated = json['cniVersion'] ?? '';
  if (typeof stated !== 'string') {
    return err(new CniError('invalid-config', `${at}.cniVersion: must be a string`));
  }
  if (stated === '') return ok(fallback);
  if (isSupported(stated)) return ok(stated);
  return err(new CniError('incompatible-version', `${at}.cniVersion: ${quoted(stated)} is not supported`));
}

/** Go's JSON cannot tell 0 from absent in these; 0 is no MTU and no MSS, and the metric that is the default. */
const optionalPositive = v.pipe(
  maybe(uint32),
  v.transform((n): number | undefined => (n === 0 ? undefined : n)),
);

const interfaceShape = v.pipe(
  v.object({
    name: plainText,
    mac: optionalMac,
    mtu: optionalPositive,
    sandbox: optionalText,
    socketPath: optionalText,
    pciID: optionalText,
  }),
  v.transform((link): CniInterface => withoutUndefined(link)),
);

/** `version` of 0.3.x and 0.4.0 ("4" or "6") is not looked at: the address itself says it. */
const ipShape = v.pipe(
  v.object({ address: cidrText, gateway: optionalIp, interface: maybe(uint32) }),
  v.check(
    (ip) => ip.gateway === undefined || isIpv4(ip.gateway) === isIpv4(ip.address.address),
    'address and gateway are not of one family',
  ),
  v.transform((ip): CniIp => withoutUndefined(ip)),
);

const routeShape = v.pipe(
  v.object({
    dst: cidrText,
    gw: optionalIp,
    mtu: optionalPositive,
    advmss: optionalPositive,
    priority: optionalPositive,
    table: maybe(uint32),
    scope: maybe(uint32),
  }),
  v.transform((route): CniRoute => withoutUndefined(route)),
);

/**
 * Names of a domain go into the container's resolv.conf, and may be a server's: what is none is left out, as from a lease
 * of our own.
 */
const resultDns = v.pipe(
  dnsShape,
  v.transform((dns): CniDns =>
    withoutUndefined({
      ...dns,
      domain: dns.domain !== undefined && isName(dns.domain) ? dns.domain : undefined,
      search: dns.search.filter(isName),
    }),
  ),
);

function isName(text: string): boolean {
  return readDnsName(text) !== undefined;
}

const newShape = v.object({
  interfaces: listOf(interfaceShape),
  ips: listOf(ipShape),
  routes: listOf(routeShape),
  dns: maybe(resultDns),
});

/** 0.3.0 and later. */
function readNew(json: JsonObject, at: string): Result<CniResult, CniError> {
  const read = readShape(newShape, json, at);
  if (!read.ok) return read;
  const { interfaces, ips, routes, dns } = read.value;
  const lost = ips.findIndex((ip) => ip.interface !== undefined && ip.interface >= interfaces.length);
  // An IPAM plugin knows of no interfaces, so an index beside an empty list means nothing and harms nothing.
  if (lost >= 0 && interfaces.length > 0) {
    const text = `${at}.ips[${lost}].interface: ${ips[lost]?.interface}, but there are ${interfaces.length} interfaces`;
    return err(new CniError('invalid-config', text));
  }
  return ok({ interfaces, ips, routes, dns: dns ?? NO_DNS });
}

const oldRouteShape = v.pipe(
  v.object({ dst: cidrText, gw: optionalIp }),
  v.transform((route): CniRoute => withoutUndefined(route)),
);

const familyObject = v.object({ ip: cidrText, gateway: optionalIp, routes: listOf(oldRouteShape) });

function familyShape(v4: boolean) {
  return v.pipe(
    familyObject,
    v.check((config) => isIpv4(config.ip.address) === v4, `is not of family IPv${v4 ? 4 : 6}`),
  );
}

const oldShape = v.object({
  ip4: maybe(familyShape(true)),
  ip6: maybe(familyShape(false)),
  dns: maybe(resultDns),
});

/** 0.1.0 and 0.2.0. */
function readOld(json: JsonObject, at: string): Result<CniResult, CniError> {
  const read = readShape(oldShape, json, at);
  if (!read.ok) return read;
  const families = [read.value.ip4, read.value.ip6].filter((config) => config !== undefined);
  return ok({
    interfaces: [],
    ips: families.map((config) => withoutUndefined({ address: config.ip, gateway: config.gateway })),
    routes: families.flatMap((config) => config.routes),
    dns: read.value.dns ?? NO_DNS,
  });
}

const FAMILY_KEYS: KeyTree = {
  ...leaves(Object.keys(familyObject.entries)),
  routes: leaves(Object.keys(oldRouteShape.entries)),
};

/** Of all versions: none has a key that is another one's but for case. */
const RESULT_KEYS: KeyTree = {
  cniVersion: true,
  interfaces: leaves(Object.keys(interfaceShape.entries)),
  ips: leaves(Object.keys(ipShape.entries)),
  routes: leaves(Object.keys(routeShape.entries)),
  dns: DNS_KEYS,
  ip4: FAMILY_KEYS,
  ip6: FAMILY_KEYS,
};
