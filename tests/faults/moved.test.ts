import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { BRIDGE } from '../../src/lab/home-lan.ts';
import { UPLINK, type Host } from '../../src/lab/host.ts';
import { Namespace } from '../../src/lab/namespace.ts';
import { namespaceName } from '../../src/lab/names.ts';
import { startDhcpServer, type RealServer } from '../../src/lab/server-start.ts';
import { pause, waitFor } from '../../src/lab/wait.ts';
import { addressesOf, routesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macvlan, networkOf, type Attached, type Site } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { PATIENCE, siteFor, untilAddress, untilCounted } from './support/fault-site.ts';

/** Longer than the ten seconds after which a cable may lead somewhere else. */
const AWAY_MS = 11_000;
const ELSEWHERE = { address: ipv4('192.168.9.1'), prefix: 24 };
const POOL = { first: ipv4('192.168.9.130'), last: ipv4('192.168.9.250') };
const IN_POOL = /^192\.168\.9\.\d+\/24$/;

/** A cable of the node: `port` is its other end, in the router's namespace. */
type Cable = { readonly uplink: string; readonly port: string };
/** The server that is at its other end later. */
type Move = { readonly server: RealServer; readonly cable: Cable };

const MOVES: readonly Move[] = (['dnsmasq', 'kea', 'isc', 'udhcpd'] as const).map((kind, number) => ({
  server: { kind },
  cable: { uplink: `eth${number + 1}`, port: `moves${number + 1}` },
}));

async function plugIn({ lan, node }: Site, { uplink, port }: Cable): Promise<void> {
  await lan.router.ip('link', 'add', port, 'type', 'veth', 'peer', 'name', uplink, 'netns', node.name);
  await lan.router.ip('link', 'set', port, 'master', BRIDGE, 'up');
  await node.ip('link', 'set', uplink, 'up');
}

/** Another home, with a server that says no to what it knows to be wrong (where that can be said). */
async function otherHome({ lan }: Site, server: RealServer): Promise<Namespace> {
  const { prefix, resources } = lan;
  const home = await Namespace.create(namespaceName(prefix, `other-${server.kind}`), resources);
  await home.ip('link', 'add', BRIDGE, 'type', 'bridge');
  await home.ip('addr', 'add', `${ELSEWHERE.address}/${ELSEWHERE.prefix}`, 'dev', BRIDGE);
  await home.ip('link', 'set', BRIDGE, 'up');
  // Strict (RFC 3704 2.2): a router that takes no packet from an address which it would not send to that way.
  await home.run(['sysctl', '-qw', `net.ipv4.conf.${BRIDGE}.rp_filter=1`]);
  return home;
}

async function serve({ lan }: Site, home: Namespace, server: RealServer): Promise<void> {
  const folder = join(lan.folder, home.name);
  await mkdir(folder, { recursive: true });
  const site = { namespace: home, interfaceName: BRIDGE, router: ELSEWHERE, pool: POOL, folder };
  await startDhcpServer({ ...site, resources: lan.resources }, server);
}

/** Its other end is somewhere else now, and still down. */
async function carry({ lan }: Site, port: string, home: Namespace): Promise<void> {
  await lan.router.ip('link', 'set', port, 'netns', home.name);
  await home.ip('link', 'set', port, 'master', BRIDGE);
}

async function podOn(site: Site, uplink: string): Promise<Attached> {
  return await site.add(networkOf([macvlan({ master: uplink })], { cniVersion: '1.1.0' }));
}

async function assertMoved(pod: Attached, kind: string): Promise<void> {
  const address = await untilAddress(pod, (text) => IN_POOL.test(text));
  await waitFor(
    `the default route behind ${kind}`,
    async () => (await routesOf(pod.pod.namespace)).includes('default via 192.168.9.1 dev eth0'),
    PATIENCE,
  );
  assert.match(address, IN_POOL);
}

describe('a cable that was out leads to another network', { skip: NEEDS_ROOT }, () => {
  test('carrier-back-on-another-network: the pod moves, whatever server is there; what came home stays', async (t) => {
    const site = await siteFor(t, { server: { kind: 'kea' } });
    const { lan } = site;
    for (const { cable } of MOVES) await plugIn(site, cable);
    const laptop: Host = await lan.addHost('laptop', 'dhcpcd');
    const atHome = await podOn(site, UPLINK);
    const pods = await Promise.all(
      MOVES.map(async ({ cable, server }) => ({ server, cable, pod: await podOn(site, cable.uplink) })),
    );
    const extended = await site.counter('lease-extended');

    const ports = [lan.node.port, laptop.port, ...MOVES.map(({ cable }) => cable.port)];
    for (const port of ports) await lan.router.ip('link', 'set', port, 'down');
    const outSince = Date.now();
    const homes = await Promise.all(
      pods.map(async ({ server, cable }) => {
        const home = await otherHome(site, server);
        await carry(site, cable.port, home);
        if (server.kind === 'kea') await carry(site, laptop.port, home);
        return { home, server, port: cable.port };
      }),
    );
    await pause(AWAY_MS - (Date.now() - outSince));
    for (const { pod } of pods)
      assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    // A server looks at its bridge once, and it has a carrier then.
    await Promise.all(
      homes.map(async ({ home, server, port }) => {
        await home.ip('link', 'set', port, 'up');
        if (server.kind === 'kea') await home.ip('link', 'set', laptop.port, 'up');
        await serve(site, home, server);
      }),
    );
    await lan.router.ip('link', 'set', lan.node.port, 'up');

    await Promise.all(pods.map(async ({ pod, server }) => await assertMoved(pod, server.kind)));
    await untilCounted(site, 'lease-extended', extended + 1);
    assert.deepEqual(await addressesOf(atHome.pod.namespace), [`${addressIn(atHome.result)}/24`]);
    assert.equal(await site.counter('nak'), MOVES.length);
    assert.equal(await site.counter('lease-withdrawn'), MOVES.length);
    // Beside them a client that does the same.
    await waitFor(
      'dhcpcd to have moved',
      async () => IN_POOL.test(`${(await laptop.state())?.address?.address}/24`),
      PATIENCE,
    );
    for (const { pod } of pods) await site.daemon.runtime.check(pod.network, pod.attachment);
  });
});
