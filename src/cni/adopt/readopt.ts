import { formatCidr, type Cidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import { isSysError } from '../../base/sys-error.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { CheckCall, PluginServices } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { readPrevResult } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import { leaseKey, operationKey, withMac } from '../plugins/ipam.ts';
import { openPod } from '../plugins/pod.ts';
import { type LinkMade, MACVLAN_MODES } from '../../lease/record.ts';
import type { AcquireRequest } from '../../lease/request.ts';

/** How the lease of an attachment that runs was taken over. */
export type Readoption =
  /** The daemon has it already. */
  | { readonly kind: 'known' }
  /** From now on the daemon's; the server is being asked. */
  | { readonly kind: 'taken-up'; readonly address: string }
  | { readonly kind: 'refused'; readonly why: string };

/** Everything of a request to the lease manager that is not what the interface itself says. */
export type RequestFor = (
  call: CheckCall,
  target: Pick<AcquireRequest, 'pod' | 'link' | 'owned' | 'made' | 'uplinkIndex' | 'lan'>,
) => AcquireRequest;

/**
 * Goes on with the address that a running container has, which another daemon, or an earlier life of this one, got for
 * it: same client identifier, same MAC, same address. The pod is looked at first; nothing of it is changed unless the
 * server says so. `prevResult` in the call tells the address. Throws CniError for a call that cannot be used.
 */
export function readopt(
  services: PluginServices,
  call: CheckCall,
  requestFor: RequestFor,
  owned: boolean,
): Promise<Readoption> {
  return services.operations.alone(operationKey(leaseKey(call)), async () => {
    if (services.leases.get(leaseKey(call)) !== undefined) return { kind: 'known' };
    const pod = openPod(services, call.env);
    try {
      return await takeUp(services, call, requestFor, { pod, owned });
    } finally {
      pod.close();
    }
  });
}

async function takeUp(
  services: PluginServices,
  call: CheckCall,
  requestFor: RequestFor,
  { pod, owned }: { readonly pod: Pod; readonly owned: boolean },
): Promise<Readoption> {
  const { ifname } = call.env;
  const link = await pod.link(ifname);
  if (link === undefined) return { kind: 'refused', why: `the container has no interface ${ifname}` };
  const present = await presentAddress(call, pod, link);
  if (typeof present === 'string') return { kind: 'refused', why: present };
  const { uplinkIndex, lan } = await pod.hostLan(link);
  const made = owned && lan !== undefined ? madeOf(link, lan.name) : undefined;
  const request = requestFor(call, { pod, link: withMac(link), owned, made, uplinkIndex, lan });
  try {
    if (!(await services.leases.adopt(request, present))) return { kind: 'known' };
  } catch (error) {
    if (!isSysError(error)) throw error;
    return { kind: 'refused', why: `it could not be stored: ${error.message}` };
  }
  return { kind: 'taken-up', address: formatCidr(present) };
}

/** What a macvlan is seen to be made of; the kernel does not tell its queue length. */
function madeOf({ kind, macvlanMode, mtu }: PodLink, master: string): LinkMade | undefined {
  const mode = MACVLAN_MODES.find((known) => known === macvlanMode);
  if (kind !== 'macvlan' || mode === undefined) return undefined;
  return { master, mode, mtu, bcQueueLen: undefined };
}

/** The IPv4 address of the result that the interface still has; else why there is none. */
async function presentAddress(call: CheckCall, pod: Pod, link: PodLink): Promise<Cidr<Ipv4> | string> {
  const prev = readPrevResult(call.conf);
  if (!prev.ok) throw prev.error;
  if (prev.value === undefined) throw new CniError('invalid-config', 'prevResult: is missing');
  const wanted = prev.value.ips.flatMap(({ address }) => {
    const ip = address.address;
    return isIpv4(ip) ? [{ address: ip, prefix: address.prefix }] : [];
  });
  if (wanted.length === 0) return 'its result has no IPv4 address';
  const there = new Set((await pod.addresses(link.index)).map(formatCidr));
  const present = wanted.find((address) => there.has(formatCidr(address)));
  return present ?? `${link.name} does not have the address ${wanted.map(formatCidr).join(', ')} any more`;
}
