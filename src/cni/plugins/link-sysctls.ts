import { isSysError } from '../../base/sys-error.ts';
import type { PluginServices } from '../context.ts';
import type { Pod } from '../ports.ts';

/**
 * A new link is told to announce its IPv6 addresses, as the Go plugin's links do (ndisc_notify; arp_notify, its IPv4
 * sister, comes with the addresses), and to answer ARP for its own addresses alone (arp_ignore): of two interfaces on
 * one LAN each would answer for the other, and its probes would find a conflict. Where /proc/sys cannot be written a
 * pod works without.
 */
export function setLinkSysctls(pod: Pod, ifname: string, log: PluginServices['log']): void {
  try {
    pod.setSysctls([
      { family: 'ipv6', ifname, key: 'ndisc_notify', value: '1' },
      { family: 'ipv4', ifname, key: 'arp_ignore', value: '1' },
    ]);
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.warn({ ifname, error: error.message }, 'how a new link of a pod announces itself cannot be set');
  }
}
