import { unreachable } from '../base/invariant.ts';
import { startDnsmasq, type DnsmasqOptions } from './server-dnsmasq.ts';
import { startIsc, type IscOptions } from './server-isc.ts';
import { startKea, type KeaOptions } from './server-kea.ts';
import { startUdhcpd, type UdhcpdOptions } from './server-udhcpd.ts';
import type { DhcpServer, ServerSite } from './server.ts';

/** A DHCP server of Debian's, and what a test wants of it. */
export type RealServer = DnsmasqOptions | KeaOptions | IscOptions | UdhcpdOptions;

/** Starts it and waits until it takes requests. */
export async function startDhcpServer(site: ServerSite, options: RealServer): Promise<DhcpServer> {
  switch (options.kind) {
    case 'dnsmasq':
      return await startDnsmasq(site, options);
    case 'kea':
      return await startKea(site, options);
    case 'isc':
      return await startIsc(site, options);
    case 'udhcpd':
      return await startUdhcpd(site, options);
    default:
      return unreachable(options);
  }
}
