import { IPV4_ANY } from '../../base/ipv4.ts';
import { routesOf } from '../../lease/configuration.ts';
import type { ApplyPolicy } from '../../lease/record.ts';
import { defaultRouter, type Lease4 } from '../../protocol/dhcp4/lease.ts';
import { type CniResult, type CniRoute, withoutUndefined } from '../spec/result.ts';

/** RT_SCOPE_LINK (linux/rtnetlink.h). */
const SCOPE_LINK = 253;

/**
 * A lease as IPAM result, with the routes that the policy leaves of it. A route on the link itself carries the gateway 0.0.0.0: a main plugin takes a missing one
 * for "the gateway of the address", which is the router of the lease's default route.
 */
export function leaseResult(lease: Lease4, policy: ApplyPolicy): CniResult {
  const routes = routesOf(lease, policy).map(({ dst, gateway, metric, table }): CniRoute => {
    const target = gateway === undefined ? { gw: IPV4_ANY, scope: SCOPE_LINK } : { gw: gateway };
    return withoutUndefined({ dst, ...target, priority: metric, table });
  });
  return {
    interfaces: [],
    ips: [withoutUndefined({ address: lease.address, gateway: defaultRouter(lease) })],
    routes,
    dns: withoutUndefined({
      nameservers: lease.dnsServers,
      domain: lease.domainName,
      search: lease.domainSearch,
      options: [],
    }),
  };
}
