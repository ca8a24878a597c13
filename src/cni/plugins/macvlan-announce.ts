import { isSysError } from '../../base/sys-error.ts';
import type { PluginServices } from '../context.ts';
import type { Pod } from '../ports.ts';

/**
 * A new link is told to announce its IPv6 addresses, as the Go plugin's links do; arp_notify, the IPv4 sister of
 * ndisc_notify, comes with the addresses. Where /proc/sys cannot be written a pod works without.
 */
export function announceIpv6(pod: Pod, ifname: string, log: PluginServices['log']): void {
  try {
    pod.setSysctls([{ family: 'ipv6', ifname, key: 'ndisc_notify', value: '1' }]);
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.warn({ ifname, error: error.message }, 'IPv6 addresses of a pod will not be announced');
  }
}
