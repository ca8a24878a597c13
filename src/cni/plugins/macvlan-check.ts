import { formatCidr, networkOf } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { Lease4 } from '../../protocol/dhcp4/lease.ts';
import type { CheckCall } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { readPrevResult } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import type { MacvlanConf } from './macvlan-conf.ts';

/**
 * Compares what is there with what the ADD reported, or with the lease where that has another address by now: the
 * runtime is not told of a change. Throws CniError 150 that names all differences.
 */
export async function checkAttachment(
  call: CheckCall,
  pod: Pod,
  conf: MacvlanConf,
  lease: Lease4 | undefined,
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
      : await differences(pod, link, conf, currentResult(prev.value, lease));
  if (wrong.length > 0) throw new CniError('check-mismatch', wrong.join('; '));
}

/** What the pod should have now. Routes that others of the chain added are for their own CHECK then. */
function currentResult(result: CniResult, lease: Lease4 | undefined): CniResult {
  if (lease === undefined) return result;
  const leased = formatCidr(lease.address);
  const at = result.ips.findIndex(({ address }) => isIpv4(address.address));
  const old = result.ips[at];
  if (old === undefined || formatCidr(old.address) === leased) return result;
  return {
    ...result,
    ips: result.ips.map((ip, index) => (index === at ? { ...ip, address: lease.address } : ip)),
    routes: [...result.routes.filter(({ dst }) => !isIpv4(dst.address)), ...lease.routes],
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
  const destinations = new Set((await pod.routes(link.index)).map(({ dst }) => formatCidr(networkOf(dst))));
  for (const { dst } of result.routes) {
    const text = formatCidr(networkOf(dst));
    if (!destinations.has(text)) wrong.push(`the route to ${text} is gone`);
  }
  return wrong;
}
