import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { deleteNamespace } from '../../src/lab/namespace-name.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { BRIDGE as GO_BRIDGE } from '../plugins/support/go-plugins.ts';
import { addressesOf, routesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macIn, ROUTER, type Site } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture } from './support/capture.ts';
import {
  addPod,
  daemonLog,
  keaOf,
  PATIENCE,
  siteFor,
  untilAddress,
  untilCounted,
} from './support/fault-site.ts';
import { useShortLeases } from './support/short-leases.ts';
import { addSquatter } from './support/squatter.ts';

/** Kea gives the first free address of a pool: the squatter's, then the next one. */
const TAKEN = ipv4('192.168.2.130');
const POOL = { first: TAKEN, last: ipv4('192.168.2.131') };
const OTHER = '192.168.2.131';
const LONG = keaOf(600, 300, 500);

/** Linux announces nothing by itself (arp_notify), and asks before it sends something. */
async function asksFor(host: Host, address: string): Promise<void> {
  await host.namespace.ip('neigh', 'flush', 'dev', 'eth0');
  await host.namespace.run(['ping', '-c', '1', '-W', '1', address]);
}

/** What tells of a conflict. */
const COUNTED = ['address-defended', 'address-conflict'] as const;

/** A second interface on the same LAN, as Multus and the bridge plugin make one. */
async function addInterfaceOnBridge(site: Site, pod: Namespace): Promise<void> {
  await site.node.ip('link', 'add', 'second', 'type', 'veth', 'peer', 'name', 'net1', 'netns', pod.name);
  await site.node.ip('link', 'set', 'second', 'master', GO_BRIDGE, 'up');
  await pod.ip('link', 'set', 'net1', 'up');
  await pod.ip('route', 'add', `${ROUTER}/32`, 'dev', 'net1');
}

/** The kernel asks with the source of the packet, whatever interface has that (ip-sysctl, arp_announce). */
async function asksByOther(pod: Namespace, from: string): Promise<void> {
  await pod.ip('neigh', 'flush', 'dev', 'net1');
  await pod.run(['ping', '-c', '1', '-W', '1', '-I', from, ROUTER]);
}

describe('conflicts', { skip: NEEDS_ROOT, concurrency: 2 }, () => {
  describe('somebody else has the address', { concurrency: 4 }, () => {
    test('conflict-before-use: declined, and the ADD answers with another one', async (t) => {
      const site = await siteFor(t, { server: LONG, pool: POOL });
      await addSquatter(site.lan, TAKEN);
      const pod = await addPod(site, { conflictCheck: 'before' });
      assert.equal(addressIn(pod.result), OTHER);
      assert.deepEqual(await addressesOf(pod.pod.namespace), [`${OTHER}/24`]);
      assert.equal(await site.counter('address-conflict'), 1);
      assert.match(await daemonLog(site), /another host uses the address/);
      // A DECLINE: the server does not give it to the next one either.
      assert.deepEqual(
        (await site.lan.server.leases()).map(({ ip }) => ip),
        [OTHER],
      );
    });

    test('conflict-found-beside: the running pod moves to another address', async (t) => {
      const site = await siteFor(t, { server: LONG, pool: POOL });
      await addSquatter(site.lan, TAKEN);
      const pod = await addPod(site, { conflictCheck: 'background' });
      assert.equal(addressIn(pod.result), TAKEN);
      await untilCounted(site, 'address-conflict');
      await waitFor(
        'the address to leave',
        async () => !(await addressesOf(pod.pod.namespace)).includes(`${TAKEN}/24`),
      );
      await untilAddress(pod, (address) => address === `${OTHER}/24`);
      assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, OTHER);
      assert.match((await routesOf(pod.pod.namespace)).join('\n'), /default via 192\.168\.2\.1/);
    });

    test('conflict-defended: defended once, then given up', async (t) => {
      const site = await siteFor(t, { server: LONG, pool: POOL });
      const pod = await addPod(site, { conflictCheck: 'background' });
      assert.equal(addressIn(pod.result), TAKEN);
      const host = await site.lan.addHost('late', 'none');
      const wire = await capture(host.namespace, 'eth0', site.lan);
      // The kernel announces its addresses when the MAC changes. (When a link comes up the bridge does not forward yet.)
      await host.namespace.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify']);
      const announceAs = async (mac: string): Promise<string> =>
        await host.namespace.ip('link', 'set', 'eth0', 'address', mac);
      const defences = async (): Promise<number> =>
        (await wire.frames()).filter(
          (frame) =>
            frame.kind === 'arp' &&
            frame.senderMac === macIn(pod.result) &&
            frame.senderIp === frame.targetIp,
        ).length;
      // Its own announcements are over by then (RFC 5227 2.3).
      await untilCounted(site, 'conflict-check-clear');
      const before = await defences();
      await host.namespace.ip('addr', 'add', `${TAKEN}/24`, 'dev', 'eth0');
      await announceAs('02:5e:00:53:00:01');
      await waitFor('the address to be defended', async () => (await defences()) > before, PATIENCE);
      assert.deepEqual(await addressesOf(pod.pod.namespace), [`${TAKEN}/24`]);
      await announceAs('02:5e:00:53:00:02');
      await untilCounted(site, 'address-conflict');
      await untilAddress(pod, (address) => address === `${OTHER}/24`);
    });

    test('conflict-only-asks: who announces nothing and only asks for others is noticed', async (t) => {
      const site = await siteFor(t, { server: LONG, pool: POOL });
      const pod = await addPod(site, { conflictCheck: 'background' });
      assert.equal(addressIn(pod.result), TAKEN);
      await untilCounted(site, 'conflict-check-clear');
      const host = await site.lan.addHost('silent', 'none');
      await host.namespace.ip('addr', 'add', `${TAKEN}/24`, 'dev', 'eth0');
      await asksFor(host, ROUTER);
      await untilCounted(site, 'address-defended');
      assert.deepEqual(await addressesOf(pod.pod.namespace), [`${TAKEN}/24`]);
      await asksFor(host, ROUTER);
      await untilCounted(site, 'address-conflict');
      await untilAddress(pod, (address) => address === `${OTHER}/24`);
      assert.match(await daemonLog(site), /another host claims the address of a pod/);
    });
  });

  describe('somebody else has the address of a pod on no uplink of ours', { concurrency: 2 }, () => {
    const leases = useShortLeases(keaOf(600, 300, 500));

    test('conflict-only-asks: it hears that itself, also when its probes are over', async () => {
      const pod = await leases().addVeth();
      const { site } = leases();
      await pod.untilChecked();
      await untilCounted(site, 'conflict-check-clear');
      const host = await site.lan.addHost('silent', 'none');
      const { address } = pod.exchange;
      await host.namespace.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
      const defended = await site.counter('address-defended');
      await asksFor(host, ROUTER);
      await untilCounted(site, 'address-defended', defended + 1);
      assert.ok(await pod.hasAddress());
      await asksFor(host, ROUTER);
      await untilCounted(site, 'address-conflict');
      await waitFor('the address to leave the pod', async () => !(await pod.hasAddress()), PATIENCE);
    });

    test('own-interfaces-on-one-lan: what the pod says by its other interface is no conflict', async () => {
      const pod = await leases().addVeth();
      const { site } = leases();
      await pod.untilChecked();
      await addInterfaceOnBridge(site, pod.pod.namespace);
      const { address } = pod.exchange;
      const [defended, conflicts] = await Promise.all(COUNTED.map((event) => site.counter(event)));
      for (const times of [1, 2]) {
        const heard = (await site.counter('claim-of-own-interface')) + 1;
        await asksByOther(pod.pod.namespace, address);
        await untilCounted(site, 'claim-of-own-interface', heard);
        assert.ok(await pod.hasAddress(), `after ${times}`);
      }
      assert.deepEqual(await Promise.all(COUNTED.map((event) => site.counter(event))), [defended, conflicts]);
    });

    test('pod-gone-without-del: what listens there does not keep its namespace', async () => {
      const pod = await leases().addVeth();
      const { site } = leases();
      await pod.untilChecked();
      const link = JSON.parse(await pod.pod.namespace.ip('-j', 'link', 'show', 'eth0')) as [
        { link_index: number },
      ];
      const { link_index: peer } = link[0];
      const isThere = async (): Promise<boolean> =>
        (await site.node.ip('link', 'show')).split('\n').some((line) => line.startsWith(`${peer}: `));
      assert.ok(await isThere());
      await deleteNamespace(pod.pod.namespace.name);
      await waitFor('its veth to be gone', async () => !(await isThere()), PATIENCE);
    });
  });
});
