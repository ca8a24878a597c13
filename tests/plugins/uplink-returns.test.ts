import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import type { ServerOptions } from '../../src/lab/home-lan.ts';
import { ping } from '../../src/lab/ping.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { makeUplinkAgain, removeUplink } from '../faults/support/cable.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf, linkOf, linksOf, routesOf } from './support/kernel-view.ts';
import {
  addressIn,
  type Attached,
  macIn,
  macvlan,
  networkOf,
  NODE_ADDRESS,
  ROUTER,
  useSite,
} from './support/site.ts';

const SERVERS: readonly ServerOptions[] = [{ kind: 'dnsmasq' }, { kind: 'kea' }];
const PATIENCE = { deadlineMs: 45_000, everyMs: 50 };
/** A lease that the server gave less than a second ago need not be confirmed (protocol/dhcp4/link-up.ts, CALM). */
const FRESH_MS = 1000;
const MANY = 10;
const PING_TRIES = { tries: 5 };

for (const server of SERVERS) {
  describe(`an uplink that is plugged in again, leases of ${server.kind}`, { skip: NEEDS_ROOT }, () => {
    const site = useSite({ server });
    const attached: Attached[] = [];

    afterEach(async () => {
      for (const pod of attached.splice(0)) await site().del(pod);
    });

    async function add(conf: Parameters<typeof macvlan>[0] = {}): Promise<Attached> {
      const pod = await site().add(networkOf([macvlan(conf)], { cniVersion: '1.1.0' }));
      attached.push(pod);
      return pod;
    }

    async function unplug(): Promise<void> {
      await removeUplink(site().lan);
    }

    async function plugIn(): Promise<void> {
      await makeUplinkAgain(site().lan, `${NODE_ADDRESS}/24`);
    }

    /** DISCOVERs that the server has seen; each server says it in its own way. */
    async function discovers(): Promise<number> {
      return (await site().serverLog()).split(/DHCPDISCOVER/).length;
    }

    /** Waits until a pod has what its ADD answered, and the daemon says so. */
    async function untilWhole({ pod, network, attachment, result }: Attached): Promise<void> {
      const { namespace } = pod;
      await waitFor(
        'the pod to have its interface and address back',
        async () =>
          (await linksOf(namespace)).has('eth0') &&
          (await addressesOf(namespace)).includes(`${addressIn(result)}/24`),
        PATIENCE,
      );
      await waitFor(
        'CHECK to succeed',
        async () => {
          try {
            await site().daemon.runtime.check(network, attachment);
            return true;
          } catch {
            return false;
          }
        },
        PATIENCE,
      );
      assert.ok(await ping(namespace, ipv4(ROUTER), PING_TRIES), 'the pod reaches the router');
    }

    test('pods have interface, MAC address, MTU, mode, address and routes back, without a DISCOVER', async () => {
      const pods = [await add(), await add({ mode: 'private', mtu: 1400 })];
      const before = await Promise.all(
        pods.map(async ({ pod }) => ({
          link: await linkOf(pod.namespace),
          routes: await routesOf(pod.namespace),
        })),
      );
      const asked = await discovers();
      const until = performance.now() + FRESH_MS;
      await waitFor('the leases to be old enough', () => performance.now() > until);
      await unplug();
      for (const { pod } of pods) assert.equal((await linksOf(pod.namespace)).size, 0, 'as the kernel does');
      await plugIn();
      for (const [i, pod] of pods.entries()) {
        await untilWhole(pod);
        const { namespace } = pod.pod;
        const { address, mtu, linkinfo } = await linkOf(namespace);
        const old = before[i]?.link;
        assert.deepEqual(
          [address, mtu, linkinfo?.info_data?.['mode']],
          [old?.address, old?.mtu, old?.linkinfo?.info_data?.['mode']],
        );
        assert.deepEqual(await routesOf(namespace), before[i]?.routes);
      }
      assert.equal(await site().counter('link-remade'), 2);
      await waitFor(
        'the server to have confirmed both',
        async () => (await site().counter('lease-extended')) >= 2,
        PATIENCE,
      );
      assert.equal(await discovers(), asked);
      for (const pod of attached.splice(0)) {
        await site().del(pod);
        await site().waitForNoLease(macIn(pod.result));
        assert.equal((await linksOf(pod.pod.namespace)).size, 0);
      }
      assert.equal(await site().counter('release-owed'), 0, 'released from the pod, as ever');
      assert.equal(await site().counter('pod-gone'), 0);
    });

    test('a pod that is deleted while it is away is released when it is back', async () => {
      const [stays, goes] = [await add(), await add()];
      await unplug();
      attached.splice(attached.indexOf(goes), 1);
      await site().del(goes);
      assert.ok(await site().leaseOf(macIn(goes.result)), 'nobody could tell the server');
      await plugIn();
      await site().waitForNoLease(macIn(goes.result));
      await untilWhole(stays);
      assert.equal((await linksOf(goes.pod.namespace)).size, 0);
      await waitFor('one record to be left', async () => (await site().records()).length === 1);
    });

    test('half of the pods are deleted at the moment when it is back: nothing of them is left', async () => {
      const pods: Attached[] = [];
      for (let i = 0; i < MANY; i++) pods.push(await add());
      const [go, stay] = [pods.slice(0, MANY / 2), pods.slice(MANY / 2)];
      attached.splice(0, attached.length, ...stay);
      await unplug();
      await Promise.all([plugIn(), ...go.map(async (pod) => await site().del(pod))]);
      for (const pod of go) {
        await site().waitForNoLease(macIn(pod.result));
        assert.equal((await linksOf(pod.pod.namespace)).size, 0);
      }
      for (const pod of stay) await untilWhole(pod);
      await waitFor('the records to be those', async () => (await site().records()).length === stay.length);
    });

    test('while the daemon is down', async () => {
      const pod = await add();
      await site().daemon.stop();
      await unplug();
      await plugIn();
      await site().daemon.restart();
      await untilWhole(pod);
      assert.equal((await site().daemonLeases()).length, 1);
    });

    test('the link was made, and the daemon ended before it had stored that: the same link is taken', async () => {
      const pod = await add();
      const { address } = await linkOf(pod.pod.namespace);
      await site().daemon.stop();
      await unplug();
      await plugIn();
      const made = ['link', 'eth0', 'address', address, 'netns', pod.pod.namespace.name, 'type', 'macvlan'];
      await site().node.ip('link', 'add', 'made0', ...made, 'mode', 'bridge');
      await pod.pod.namespace.ip('link', 'set', 'made0', 'name', 'eth0');
      await pod.pod.namespace.ip('link', 'set', 'eth0', 'up');
      await site().daemon.restart();
      await untilWhole(pod);
    });

    test('passthru on another adapter: its MAC address would be another client, so the lease is given back', async () => {
      const pod = await add({ mode: 'passthru' });
      await unplug();
      await plugIn();
      await waitFor('the lease to be let go', async () => (await site().daemonLeases()).length === 0);
      assert.equal((await linksOf(pod.pod.namespace)).size, 0);
      await site().waitForNoLease(macIn(pod.result));
    });

    test('somebody made another interface of that name: it is left alone, the lease is given back', async () => {
      const pod = await add();
      const { namespace } = pod.pod;
      await unplug();
      await namespace.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
      const { address } = await linkOf(namespace);
      await plugIn();
      await site().waitForNoLease(macIn(pod.result));
      const { address: after, linkinfo } = await linkOf(namespace);
      assert.deepEqual([after, linkinfo?.info_kind], [address, 'veth']);
    });
  });
}
