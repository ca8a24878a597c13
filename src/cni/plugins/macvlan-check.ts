import { formatCidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { ManagedLease } from '../../lease/manager.ts';
import { RT_TABLE_MAIN, RT_TABLE_UNSPEC } from '../../wire/netlink/route.ts';
import type { CheckCall } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { destinationKey, destinationsOf } from '../route-override/routes.ts';
import { readPrevResult } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import { leaseResult } from './dhcp-result.ts';
import type { MacvlanConf } from './macvlan-conf.ts';
import { routesEverywhere } from './pod.ts';

/**
 * Compares what is there with what the ADD reported, or with the lease where that has another address by now: the
 * runtime is not told of a change. Throws CniError 150 that names all differences.
 */
export async function checkAttachment(
  call: CheckCall,
  pod: Pod,
  conf: MacvlanConf,
  managed: ManagedLease | undefined,
): Promise<void> {
  const prev = readPrevResult(call.conf);
  if (!prev.ok) throw prev.error;
  if (prev.value === undefined) {
    throw new CniError('invalid-config', 'prevResult: is missing; CHECK compares with the result of ADD');
  }
  const { ifname } = call.env;
  const link = await pod.link(ifname);
  const wrong =
    link === undefined
      ? [`${ifname} is gone`]
      : [
          ...(await differences(pod, link, conf, currentResult(prev.value, managed))),
          ...(await missingLookup(pod, managed)),
        ];
  if (wrong.length > 0) throw new CniError('check-mismatch', wrong.join('; '));
}

/**
 * What the pod should have now. Of an address that changed the result has other routes than the lease: those of the lease
 * count that no later plugin of the chain took out, and what others added is for their own CHECK.
 */
function currentResult(result: CniResult, managed: ManagedLease | undefined): CniResult {
  const lease = managed?.lease;
  if (managed === undefined || lease === undefined) return result;
  const leased = formatCidr(lease.address);
  const at = result.ips.findIndex(({ address }) => isIpv4(address.address));
  const old = result.ips[at];
  if (old === undefined || formatCidr(old.address) === leased) return result;
  const told = destinationsOf(result.routes);
  const current = leaseResult(lease, managed.record.apply).routes;
  return {
    ...result,
    ips: result.ips.map((ip, index) => (index === at ? { ...ip, address: lease.address } : ip)),
    routes: [
      ...result.routes.filter(({ dst }) => !isIpv4(dst.address)),
      ...current.filter(({ dst }) => told.has(destinationKey(dst))),
    ],
  };
}

async function differences(
  pod: Pod,
  link: PodLink,
  conf: MacvlanConf,
  result: CniResult,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const { name } = link;
  if (link.kind !== 'macvlan') wrong.push(`${name} is no macvlan but ${link.kind ?? 'a device'}`);
  if (link.macvlanMode !== conf.mode)
    wrong.push(`${name} has mode ${link.macvlanMode ?? 'unknown'}, not ${conf.mode}`);
  if (!link.up) wrong.push(`${name} is down`);
  const listed = result.interfaces.findIndex((entry) => entry.name === name && entry.sandbox !== undefined);
  const mac = result.interfaces[listed]?.mac;
  if (listed < 0) wrong.push(`${name} is not in prevResult`);
  else if (mac !== undefined && mac !== link.mac)
    wrong.push(`${name} has MAC ${link.mac ?? 'none'}, not ${mac}`);

  const present = new Set((await pod.addresses(link.index)).map(formatCidr));
  for (const ip of result.ips) {
    const ours = ip.interface === undefined || ip.interface === listed;
    const text = formatCidr(ip.address);
    if (ours && !present.has(text)) wrong.push(`${name} does not have the address ${text}`);
  }
  wrong.push(...(await missingRoutes(pod, link, result)));
  return wrong;
}

/**
 * A later plugin of the chain may have moved routes to another table, as `sbr` and `vrf` do, without a word of it in the
 * result (specification, section "CHECK"), and a result of before CNI 1.1 does not say which table a route is in: what
 * names no table may be in any. Only what names one has to be there.
 */
async function missingRoutes(pod: Pod, link: PodLink, { routes }: CniResult): Promise<readonly string[]> {
  const inMain = new Set((await pod.routes(link.index)).map(({ dst }) => destinationKey(dst)));
  const sought = routes.filter(({ dst, table }) => namesTable(table) || !inMain.has(destinationKey(dst)));
  if (sought.length === 0) return [];
  const tables = new Map<string, Set<number>>();
  for (const { dst, table = RT_TABLE_MAIN } of await routesEverywhere(pod, link.index)) {
    const key = destinationKey(dst);
    tables.set(key, (tables.get(key) ?? new Set()).add(table));
  }
  return sought.flatMap(({ dst, table }) => {
    const key = destinationKey(dst);
    const found = tables.get(key);
    if (!namesTable(table)) return found === undefined ? [`the route to ${key} is gone`] : [];
    return found?.has(table) === true ? [] : [`the route to ${key} is gone from table ${table}`];
  });
}

function namesTable(table: number | undefined): table is number {
  return table !== undefined && table !== RT_TABLE_UNSPEC;
}

/** The rule by which what comes from the leased address finds its table. */
async function missingLookup(pod: Pod, managed: ManagedLease | undefined): Promise<readonly string[]> {
  const table = managed?.record.apply.table;
  const address = managed?.lease?.address.address;
  if (table === undefined || address === undefined) return [];
  const tables = await pod.lookups(address);
  return tables.includes(table) ? [] : [`the rule "from ${address} lookup ${table}" is gone`];
}
