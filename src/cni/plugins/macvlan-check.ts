import { formatCidr, networkOf } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { ManagedLease } from '../../lease/manager.ts';
import type { ApplyPolicy } from '../../lease/record.ts';
import type { CheckCall } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { readPrevResult } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import { leaseResult } from './dhcp-result.ts';
import type { MacvlanConf } from './macvlan-conf.ts';

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
          ...(await differences(
            pod,
            link,
            conf,
            currentResult(prev.value, managed),
            managed?.record.apply.table,
          )),
          ...(await missingLookup(pod, managed)),
        ];
  if (wrong.length > 0) throw new CniError('check-mismatch', wrong.join('; '));
}

/** What the pod should have now. Routes that others of the chain added are for their own CHECK then. */
function currentResult(result: CniResult, managed: ManagedLease | undefined): CniResult {
  const lease = managed?.lease;
  if (managed === undefined || lease === undefined) return result;
  const leased = formatCidr(lease.address);
  const at = result.ips.findIndex(({ address }) => isIpv4(address.address));
  const old = result.ips[at];
  if (old === undefined || formatCidr(old.address) === leased) return result;
  return {
    ...result,
    ips: result.ips.map((ip, index) => (index === at ? { ...ip, address: lease.address } : ip)),
    routes: [
      ...result.routes.filter(({ dst }) => !isIpv4(dst.address)),
      ...leaseResult(lease, managed.record.apply).routes,
    ],
  };
}

async function differences(
  pod: Pod,
  link: PodLink,
  conf: MacvlanConf,
  result: CniResult,
  table: ApplyPolicy['table'],
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
  wrong.push(...(await missingRoutes(pod, link, result, table)));
  return wrong;
}

/** A result of before CNI 1.1 does not say which table a route is in: then it is the lease's, or the main one. */
async function missingRoutes(
  pod: Pod,
  link: PodLink,
  { routes }: CniResult,
  leaseTable: number | undefined,
): Promise<readonly string[]> {
  const tables = new Map<number | undefined, ReadonlySet<string>>();
  for (const table of new Set([undefined, leaseTable, ...routes.map((route) => route.table)])) {
    const found = await pod.routes(link.index, table);
    tables.set(table, new Set(found.map(({ dst }) => formatCidr(networkOf(dst)))));
  }
  const isIn = (table: number | undefined, text: string): boolean => tables.get(table)?.has(text) ?? false;
  return routes.flatMap(({ dst, table }) => {
    const text = formatCidr(networkOf(dst));
    const found = isIn(table, text) || (table === undefined && isIn(leaseTable, text));
    return found ? [] : [`the route to ${text} is gone${table === undefined ? '' : ` from table ${table}`}`];
  });
}

/** The rule by which what comes from the leased address finds its table. */
async function missingLookup(pod: Pod, managed: ManagedLease | undefined): Promise<readonly string[]> {
  const table = managed?.record.apply.table;
  const address = managed?.lease?.address.address;
  if (table === undefined || address === undefined) return [];
  const tables = await pod.lookups(address);
  return tables.includes(table) ? [] : [`the rule "from ${address} lookup ${table}" is gone`];
}
