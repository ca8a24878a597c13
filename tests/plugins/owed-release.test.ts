import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { CniRuntime } from '../../src/lab/cni-runtime.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import type { ServerOptions } from '../../src/lab/home-lan.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { deleteNamespace } from '../../src/lab/namespace-name.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { BRIDGE, goMainPlugins, pluggedBridge } from './support/go-plugins.ts';
import { linkOf } from './support/kernel-view.ts';
import { addressIn, macvlan, networkOf, useSite } from './support/site.ts';

const SERVERS: readonly ServerOptions[] = [{ kind: 'dnsmasq' }, { kind: 'kea' }];
const MACVLAN = macvlan();
const BRIDGED: JsonObject = { type: 'bridge', bridge: BRIDGE, ipam: { type: 'dhcp' } };

for (const server of SERVERS) {
  describe(`a RELEASE from the host, to ${server.kind}`, { skip: NEEDS_ROOT }, () => {
    const site = useSite({ server });
    let go: CniRuntime;
    before(async () => {
      go = await goMainPlugins(site(), { socket: site().daemon.socket });
      await pluggedBridge(site());
    });

    type Attached = {
      readonly namespace: Namespace;
      readonly mac: Mac;
      readonly address: string;
      readonly del: () => Promise<unknown>;
    };

    /** By the Go plugin of that type, with our IPAM. */
    async function attach(plugin: JsonObject): Promise<Attached> {
      const network = networkOf([plugin]);
      const { namespace, attachment } = await site().pod();
      const { result } = await go.add(network, attachment);
      const address = addressIn(result);
      const own = mac((await linkOf(namespace)).address);
      assert.equal((await site().leaseOf(own))?.ip, address);
      return {
        namespace,
        mac: own,
        address,
        del: async () => await go.del(network, attachment),
      };
    }

    /** Gone from the server, and from the disk. */
    async function waitUntilSettled(pod: Attached): Promise<void> {
      await site().waitForNoLease(pod.mac);
      await waitFor('the record to be gone', async () => (await site().records()).length === 0);
      assert.equal(await site().counter('release-lost'), 0);
    }

    /** RELEASEs that were owed and not sent: the lease is somebody's. */
    const counted = async (): Promise<number> => await site().counter('release-unneeded');

    test("bridge: Go's plugin deletes the link before the lease is given back", async () => {
      const pod = await attach(BRIDGED);
      await pod.del();
      await waitUntilSettled(pod);
      // A frame from the host with a pod's address in it must not lead the LAN to the host.
      const known = await site().lan.router.ip('neigh', 'show', pod.address);
      const bridge = await linkOf(site().node, BRIDGE);
      assert.ok(!known.includes(bridge.address), known);
    });

    for (const [type, plugin] of [
      ['macvlan', MACVLAN],
      ['bridge', BRIDGED],
    ] as const) {
      test(`${type}: the namespace is gone before the DEL`, async () => {
        const pod = await attach(plugin);
        await deleteNamespace(pod.namespace.name);
        await pod.del();
        await waitUntilSettled(pod);
      });

      test(`${type}: the namespace went away without a DEL while the daemon was down`, async () => {
        const pod = await attach(plugin);
        await site().daemon.stop();
        await deleteNamespace(pod.namespace.name);
        await site().daemon.restart();
        await waitUntilSettled(pod);
      });
    }

    test('the node was rebooted: what an earlier boot stored is released', async () => {
      const pods = await Promise.all([MACVLAN, BRIDGED, MACVLAN].map((plugin) => attach(plugin)));
      await site().daemon.stop();
      for (const name of await site().records()) {
        const path = join(site().daemon.stateDir, 'leases', name);
        const record = JSON.parse(await readFile(path, 'utf8')) as JsonObject;
        // Nothing of an index holds after a reboot, so it must not be looked at.
        await writeFile(
          path,
          JSON.stringify({ ...record, bootId: 'earlier', lan: elsewhere(record['lan']) }),
        );
      }
      // As a reboot does: the links are gone too, else their own MAC answers and keeps the lease.
      await Promise.all(pods.map((pod) => deleteNamespace(pod.namespace.name)));
      await site().daemon.restart();
      for (const pod of pods) await waitUntilSettled(pod);
    });

    test('no carrier at DEL: released when the cable is back, also by the next run', async (t) => {
      const pods = [await attach(MACVLAN), await attach(MACVLAN)];
      const { router, node } = site().lan;
      await router.ip('link', 'set', node.port, 'down');
      t.after(async () => await router.ip('link', 'set', node.port, 'up'));
      // The kernel makes up its mind about a lost carrier up to a second later (net/core/link_watch.c).
      for (const { namespace } of pods)
        await waitFor('the carrier to be lost', async () =>
          (await namespace.ip('link', 'show', 'eth0')).includes('state DOWN'),
        );
      for (const pod of pods) await pod.del();
      assert.ok((await Promise.all(pods.map((pod) => site().leaseOf(pod.mac)))).every(Boolean));
      assert.equal((await site().records()).length, 2);
      await site().daemon.restart();
      assert.equal((await site().records()).length, 2);
      await router.ip('link', 'set', node.port, 'up');
      for (const pod of pods) await waitUntilSettled(pod);
    });

    test('the workload is back under its name: the new pod keeps what the old one owed', async () => {
      const provide = [{ option: 'dhcp-client-identifier', value: '0x0074687265652d30' }];
      const [old, unneeded] = [await attach(macvlan({}, { provide })), await counted()];
      await deleteNamespace(old.namespace.name);
      const back = await attach(macvlan({}, { provide }));
      assert.equal(back.address, old.address, 'the server knows it by its identifier');
      await old.del();
      await waitFor('the debt to be dropped', async () => (await counted()) === unneeded + 1);
      assert.equal((await site().leaseOf(back.mac))?.ip, back.address);
      await back.del();
      await waitUntilSettled(back);
    });

    test('somebody else of the LAN has the address by now: nothing is taken from him', async () => {
      // Else the pod may probe for its address in the middle, and decline it.
      const pod = await attach(macvlan({}, { conflictCheck: 'off' }));
      const { router } = site().lan;
      await router.ip('addr', 'add', `${pod.address}/32`, 'dev', 'br0');
      const unneeded = await counted();
      await deleteNamespace(pod.namespace.name);
      await pod.del();
      await waitFor('the record to be gone', async () => (await site().records()).length === 0);
      assert.equal(await counted(), unneeded + 1);
      assert.ok(await site().leaseOf(pod.mac));
      await router.ip('addr', 'del', `${pod.address}/32`, 'dev', 'br0');
    });
  });
}

function elsewhere(lan: JsonObject[string] | undefined): JsonObject {
  assert.ok(typeof lan === 'object' && lan !== null && !Array.isArray(lan));
  return { ...(lan as JsonObject), index: 4242 };
}
