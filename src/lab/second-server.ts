import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cidr } from '../base/cidr.ts';
import { parseIpv4 } from '../base/ipv4.ts';
import { invariant } from '../base/invariant.ts';
import type { HomeLan } from './home-lan.ts';
import { UPLINK, type Host } from './host.ts';
import { startDhcpServer, type RealServer } from './server-start.ts';
import type { DhcpServer, Pool } from './server.ts';

export type SecondServer = { readonly host: Host; readonly server: DhcpServer };

/**
 * A DHCP server on a machine of its own beside the router: one that takes over, or one that nobody wanted. It gives
 * itself as router. `address` is its own, like 192.168.2.3/24.
 */
export async function addSecondServer(
  lan: HomeLan,
  options: {
    readonly name?: string;
    readonly address: string;
    readonly pool?: Pool;
    readonly server: RealServer;
  },
): Promise<SecondServer> {
  const { name = 'second', address, pool = lan.pool, server } = options;
  const host = await lan.addHost(name, { address: cidr(address) });
  const own = parseIpv4(cidr(address).address);
  invariant(own !== undefined, `a second server has an IPv4 address: ${address}`);
  const folder = join(lan.folder, name);
  await mkdir(folder, { recursive: true });
  const site = {
    namespace: host.namespace,
    interfaceName: UPLINK,
    router: { address: own, prefix: cidr(address).prefix },
    pool,
    folder,
    resources: lan.resources,
  };
  return { host, server: await startDhcpServer(site, server) };
}
