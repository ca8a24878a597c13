import { formatCidr } from '../../base/cidr.ts';
import { isIpv4, type Ip } from '../../base/ip.ts';
import type { Json, JsonObject } from '../../base/json.ts';
import type { CniDns, CniInterface, CniIp, CniResult, CniRoute } from './result.ts';
import { isAtLeast, type CniVersion } from './versions.ts';

/**
 * The result as the JSON of a spec version. Empty lists and absent values are left out, as the Go library does, so
 * that an IPAM answer has no `interfaces`. What an older version has no words for is dropped:
 *
 * - before 1.1.0: `mtu`, `socketPath` and `pciID` of interfaces; `mtu`, `advmss`, `priority`, `table` and `scope` of
 *   routes. A 1.0.0 result of the Go library may have them, but that version of the spec does not.
 * - 0.1.0 and 0.2.0: all interfaces; each address of a family but the first, which is what the Go library keeps too;
 *   routes of a family that has no address, because routes are written inside the address. The Go library fails when
 *   there is no address at all; a layer 2 attachment has none, so here it gives a result without `ip4` and `ip6`.
 */
export function resultToVersion(result: CniResult, cniVersion: CniVersion): JsonObject {
  if (!isAtLeast(cniVersion, '0.3.0')) {
    // `dns` is not marked as optional in these two versions.
    return compact({
      cniVersion,
      ip4: familyConfig(result, true),
      ip6: familyConfig(result, false),
      dns: dnsToJson(result.dns),
    });
  }
  const dns = dnsToJson(result.dns);
  return compact({
    cniVersion,
    interfaces: unlessEmpty(result.interfaces.map((link) => interfaceToJson(link, cniVersion))),
    ips: unlessEmpty(result.ips.map((ip) => ipToJson(ip, cniVersion))),
    routes: unlessEmpty(result.routes.map((route) => routeToJson(route, cniVersion))),
    dns: Object.keys(dns).length === 0 ? undefined : dns,
  });
}

function interfaceToJson(link: CniInterface, version: CniVersion): JsonObject {
  const { name, mac, sandbox, mtu, socketPath, pciID } = link;
  return compact(
    isAtLeast(version, '1.1.0') ? { name, mac, mtu, sandbox, socketPath, pciID } : { name, mac, sandbox },
  );
}

function ipToJson(ip: CniIp, version: CniVersion): JsonObject {
  return compact({
    version: isAtLeast(version, '1.0.0') ? undefined : isIpv4(ip.address.address) ? '4' : '6',
    interface: ip.interface,
    address: formatCidr(ip.address),
    gateway: ip.gateway,
  });
}

function routeToJson(route: CniRoute, version: CniVersion): JsonObject {
  const { gw, mtu, advmss, priority, table, scope } = route;
  const dst = formatCidr(route.dst);
  return compact(
    isAtLeast(version, '1.1.0') ? { dst, gw, mtu, advmss, priority, table, scope } : { dst, gw },
  );
}

/** `ip4` or `ip6` of 0.1.0 and 0.2.0. */
function familyConfig(result: CniResult, v4: boolean): JsonObject | undefined {
  const ofFamily = (address: Ip): boolean => isIpv4(address) === v4;
  const first = result.ips.find((ip) => ofFamily(ip.address.address));
  if (first === undefined) return undefined;
  const routes = result.routes.filter((route) => ofFamily(route.dst.address));
  return compact({
    ip: formatCidr(first.address),
    gateway: first.gateway,
    routes: unlessEmpty(routes.map((route) => routeToJson(route, '0.2.0'))),
  });
}

function dnsToJson(dns: CniDns): JsonObject {
  return compact({
    nameservers: unlessEmpty(dns.nameservers),
    domain: dns.domain,
    search: unlessEmpty(dns.search),
    options: unlessEmpty(dns.options),
  });
}

function unlessEmpty(list: readonly Json[]): readonly Json[] | undefined {
  return list.length === 0 ? undefined : list;
}

function compact(entries: { readonly [key: string]: Json | undefined }): JsonObject {
  const object: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) object[key] = value;
  return object;
}
