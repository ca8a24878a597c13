import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { addSecondServer } from '../../src/lab/second-server.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressesOf, routesOf } from '../plugins/support/kernel-view.ts';
import { startScripted } from '../plugins/support/scripted.ts';
import { addressIn, macIn, ROUTER } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { FORGED_ADDRESS, startForger } from './support/forger.ts';
import {
  addPod,
  asking,
  daemonLog,
  keaOf,
  siteFor,
  untilAddress,
  untilCounted,
} from './support/fault-site.ts';

const SHORT = keaOf(20, 2, 12);
const OTHER_POOL = { first: ipv4('192.168.2.20'), last: ipv4('192.168.2.39') };
const IN_OTHER_POOL = /^192\.168\.2\.[23]\d\/24$/;
const SECOND = '192.168.2.3';

describe('another server', { skip: NEEDS_ROOT, concurrency: 6 }, () => {
  test('server-replaced-same-pool: a server that knows nothing extends the lease', async (t) => {
    const site = await siteFor(t, { server: SHORT });
    const pod = await addPod(site);
    await site.lan.server.kill();
    await site.lan.startNewServer(SHORT);
    assert.deepEqual(await site.lan.server.leases(), []);
    await untilCounted(site, 'lease-extended');
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    assert.equal(await site.counter('lease-withdrawn'), 0);
    assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, addressIn(pod.result));
  });

  for (const [how, server] of [
    // Kea, ISC dhcpd and udhcpd say nothing to a REQUEST for an address that they do not have.
    ['a silent one, at the end of the lease', keaOf(8, 2, 5)],
    // Its leases have at least two minutes, but its T1 may be three seconds.
    ['one that refuses, at T1', { kind: 'dnsmasq', dhcpOptions: ['option:T1,3', 'option:T2,100'] }],
  ] as const) {
    describe(how, () => {
      test('server-replaced-other-pool: the pod moves to an address of the new pool', async (t) => {
        const site = await siteFor(t, { server });
        const pod = await addPod(site);
        await site.lan.server.kill();
        await site.lan.startNewServer(server, OTHER_POOL);
        const address = await untilAddress(pod, (text) => IN_OTHER_POOL.test(text));
        assert.equal(`${(await site.leaseOf(macIn(pod.result)))?.ip}/24`, address);
        assert.match((await routesOf(pod.pod.namespace)).join('\n'), /default via 192\.168\.2\.1/);
        assert.equal(await site.counter('nak'), server.kind === 'dnsmasq' ? 1 : 0);
        // The runtime was told of the first address; CHECK goes by the lease.
        await site.daemon.runtime.check(pod.network, pod.attachment);
        await site.del(pod);
        await site.waitForNoLease(macIn(pod.result));
      });
    });
  }

  test('two-servers: one of them has the lease, the other one none', async (t) => {
    const site = await siteFor(t, { server: SHORT });
    const second = await addSecondServer(site.lan, {
      address: `${SECOND}/24`,
      pool: OTHER_POOL,
      server: SHORT,
    });
    const pod = await addPod(site);
    await untilCounted(site, 'lease-extended', 2);
    const held = [...(await site.lan.server.leases()), ...(await second.server.leases())].map(({ ip }) => ip);
    assert.deepEqual(held, [addressIn(pod.result)]);
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
  });

  test('two-servers: both commit a lease at once (rapid commit), and the one that came later gets its own back', async (t) => {
    const server = { kind: 'dnsmasq', lines: ['dhcp-rapid-commit'] } as const;
    const site = await siteFor(t, { server });
    const second = await addSecondServer(site.lan, {
      address: `${SECOND}/24`,
      pool: OTHER_POOL,
      server,
    });
    const pod = await addPod(site);
    await untilCounted(site, 'lease-not-accepted:other-server');
    const held = async () =>
      [...(await site.lan.server.leases()), ...(await second.server.leases())].map(({ ip }) => ip);
    await waitFor('one lease to be left', async () => (await held()).length === 1);
    assert.deepEqual(await held(), [addressIn(pod.result)]);
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
  });

  test('rogue-server: its offers are not taken, and it is named once', async (t) => {
    const site = await siteFor(t, { server: SHORT });
    await site.lan.server.stop();
    const rogue = await addSecondServer(site.lan, {
      name: 'rogue',
      address: `${SECOND}/24`,
      pool: OTHER_POOL,
      server: SHORT,
    });
    const adding = addPod(site, { servers: [ROUTER] });
    // Alone on the LAN, it is heard and left aside.
    await untilCounted(site, 'message-ignored:server-not-allowed', 2);
    assert.ok((await site.counter(`server-not-allowed:${SECOND}`)) >= 2);
    await site.lan.startServer(SHORT);
    const pod = await adding;
    assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, addressIn(pod.result));
    assert.deepEqual(await rogue.server.leases(), []);
    const lines = (await daemonLog(site)).split('\n').filter((line) => line.includes('not in \\"servers\\"'));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /"server":"192\.168\.2\.3"/);
  });

  test('forged-server: what names the allowed server and comes from another machine is not taken', async (t) => {
    const server = { kind: 'dnsmasq' } as const;
    const site = await siteFor(t, { server });
    await site.lan.server.stop();
    const forger = await startForger(site.lan, SECOND, ROUTER);
    const believed = await addPod(site);
    assert.match(addressIn(believed.result), FORGED_ADDRESS, 'without "servers" nobody can tell');
    const adding = addPod(site, { servers: [ROUTER] });
    await untilCounted(site, 'message-ignored:source-not-allowed', 2);
    await forger.forgeSource();
    // The router is up, and says by ARP that the address is its own.
    await untilCounted(site, 'message-ignored:forged-source', 2);
    await site.lan.startServer(server);
    const pod = await adding;
    assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, addressIn(pod.result));
    const lines = (await daemonLog(site))
      .split('\n')
      .filter((line) => line.includes('does not come from it'));
    assert.deepEqual(
      lines.flatMap((line) => /"address":"(.+)","mac":"(.+?)"/.exec(line)?.slice(1, 3) ?? []),
      [SECOND, forger.mac, ROUTER, forger.mac],
    );
  });

  test('nak-while-renewing: the address leaves the pod, and a new lease is sought', async (t) => {
    const site = await siteFor(t, { server: { kind: 'none' } });
    await startScripted(site);
    const pod = await addPod(site, asking('lease-8.renewal-nak'));
    await untilCounted(site, 'nak');
    await untilCounted(site, 'lease-withdrawn');
    await untilCounted(site, 'lease-installed', 2);
    await waitFor('the address of the new lease', async () => {
      const [address] = await addressesOf(pod.pod.namespace);
      return address === `${addressIn(pod.result)}/24`;
    });
    assert.equal(await site.counter('lease-extended'), 0);
  });
});
