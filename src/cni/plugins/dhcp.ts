import { formatCidr } from '../../base/cidr.ts';
import type { AddCall, CheckCall, NodeCall, Plugin, PluginServices } from '../context.ts';
import type { Pod, PodLink } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import { DhcpIpam } from './dhcp-ipam.ts';
import { kernelError } from './failures.ts';
import { releaseStale } from './gc.ts';
import { leaseKey, operationKey, withMac } from './ipam.ts';
import { openPod } from './pod.ts';

/**
 * `dhcp` on its own: the IPAM of another main plugin, which made the interface and will configure the address. A CNI
 * result cannot tell it when the lease ends, so the kernel learns that when the daemon looks at the pod the next time;
 * one that is killed before leaves an address that can outlive its lease.
 */
export function dhcpPlugin(services: PluginServices): Plugin {
  const ipam = new DhcpIpam(services, false);
  async function add(call: AddCall, signal: AbortSignal): Promise<CniResult> {
    const pod = openPod(services, call.env);
    try {
      const link = withMac(await ready(pod, call.env.ifname));
      const { uplinkIndex, lan } = await pod.hostLan(link);
      const { result, mtu } = await ipam.add(call, { pod, link, uplinkIndex, lan, owned: false }, signal);
      if (mtu !== undefined) await applyMtu(call, pod, link, mtu);
      return result;
    } finally {
      pod.close();
    }
  }

  /** An IPAM result has no place for the MTU, so the link gets it here; the addresses are the main plugin's. */
  async function applyMtu(call: AddCall, pod: Pod, link: PodLink, mtu: number): Promise<void> {
    try {
      await pod.configure(link.index, { addresses: [], routes: [], mtu });
    } catch (error) {
      await ipam.del(call);
      throw kernelError(
        'link-failed',
        `${link.name} cannot have the MTU ${mtu} that the network asks for`,
        error,
      );
    }
  }

  return {
    add: (call) =>
      services.operations.add(operationKey(leaseKey(call)), call.env.netns, call.hangUp, (signal) =>
        add(call, signal),
      ),
    del: (call) => services.operations.del(operationKey(leaseKey(call)), () => ipam.del(call)),
    check: async (call) => {
      await services.operations.quiet(operationKey(leaseKey(call)));
      await ipam.check(call);
      await checkAddress(services, call);
    },
    gc: (call: NodeCall) => releaseStale(services, call, 'dhcp'),
    status: () => ipam.status(),
  };
}

/** The interface by name, switched on if it is not. */
async function ready(pod: Pod, ifname: string): Promise<PodLink> {
  const link = await pod.link(ifname);
  if (link === undefined) {
    throw new CniError('link-failed', `CNI_IFNAME: the container has no interface ${ifname}`);
  }
  if (link.up) return link;
  try {
    await pod.setUp(link.index);
  } catch (error) {
    throw kernelError('link-failed', `${ifname} cannot be switched on`, error);
  }
  return (await pod.link(ifname)) ?? link;
}

async function checkAddress(services: PluginServices, call: CheckCall): Promise<void> {
  const lease = services.leases.get(leaseKey(call))?.lease;
  if (lease === undefined) return;
  const pod = openPod(services, call.env);
  try {
    const link = await pod.link(call.env.ifname);
    const present = link === undefined ? [] : await pod.addresses(link.index);
    if (present.some((address) => formatCidr(address) === formatCidr(lease.address))) return;
    throw new CniError(
      'check-mismatch',
      `${call.env.ifname} does not have the leased address ${formatCidr(lease.address)}`,
    );
  } finally {
    pod.close();
  }
}
