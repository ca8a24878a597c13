import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ipv4 } from '../base/ipv4.ts';
import { BRIDGE, type HomeLan } from './home-lan.ts';
import { waitUntilReady, type LongProcess } from './long-process.ts';
import { namespaceName } from './names.ts';
import { Namespace } from './namespace.ts';
import { startDhcpServer } from './server-start.ts';
import type { KeaOptions } from './server-kea.ts';
import { listensForDhcp, logSince, type DhcpServer } from './server.ts';

/** The network between the router and the place where the server is. */
const UPSTREAM = { router: '10.77.0.1', server: '10.77.0.2', prefix: 24, onRouter: 'up0', onServer: 'eth0' };

export type RelayedLan = {
  readonly relay: LongProcess;
  readonly server: DhcpServer;
  /** Where the server runs: two hops from the pods. */
  readonly upstream: Namespace;
};

/**
 * A DHCP server behind the router and a relay (RFC 1542) on it: for a home made without a server. Answers come to the
 * clients from the relay, renewals go by unicast through the router to the server.
 */
export async function startRelay(lan: HomeLan, server: KeaOptions): Promise<RelayedLan> {
  const { router, resources } = lan;
  const upstream = await Namespace.create(namespaceName(lan.prefix, 'upstream'), resources);
  const { onRouter, onServer, prefix } = UPSTREAM;
  const peer = ['peer', 'name', onServer, 'netns', upstream.name];
  await router.ip('link', 'add', onRouter, 'type', 'veth', ...peer);
  await router.ip('addr', 'add', `${UPSTREAM.router}/${prefix}`, 'dev', onRouter);
  await router.ip('link', 'set', onRouter, 'up');
  await upstream.ip('addr', 'add', `${UPSTREAM.server}/${prefix}`, 'dev', onServer);
  await upstream.ip('link', 'set', onServer, 'up');
  await upstream.ip('route', 'add', 'default', 'via', UPSTREAM.router);
  // /proc/sys/net shows each process its own namespace's: only the lab's router forwards.
  await router.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);

  const folder = join(lan.folder, 'upstream');
  await mkdir(folder, { recursive: true });
  const site = {
    namespace: upstream,
    interfaceName: onServer,
    router: lan.routerAddress,
    pool: lan.pool,
    folder,
    resources,
  };
  // By UDP: its answers to renewals have to find their way through the router.
  const interfaces = { interfaces: [onServer], 'dhcp-socket-type': 'udp', 're-detect': false };
  const dhcp4 = { ...server.dhcp4, 'interfaces-config': interfaces };
  const started = await startDhcpServer(site, { ...server, dhcp4 });
  const logFile = join(folder, 'dhcrelay.log');
  const said = await logSince(logFile);
  const sides = ['-id', BRIDGE, '-iu', onRouter];
  const command = ['dhcrelay', '-4', '-d', '--no-pid', ...sides, ipv4(UPSTREAM.server)];
  const relay = await router.start(command, { name: 'dhcrelay', logFile }, resources);
  await waitUntilReady(
    relay,
    async () => (await listensForDhcp(router, relay.pid)) && (await said()).includes('Socket/fallback'),
  );
  return { relay, server: started, upstream };
}
