import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import type { NetworkList } from '../../src/lab/cni-conf.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import { linkOf } from './support/kernel-view.ts';
import { BRIDGE, pluggedBridge, startGoDhcp } from './support/go-plugins.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { DEBIAN_CNI_BIN } from '../support/leasehold.ts';
import { BRIDGE as ROUTER_BRIDGE, type ServerOptions } from '../../src/lab/home-lan.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressIn, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

/** Where it is after it has moved; else nobody has it. */
const NEW_ROUTER = '02:00:5e:00:00:aa';
const SERVERS: readonly ServerOptions[] = [{ kind: 'dnsmasq' }, { kind: 'kea' }];

for (const server of SERVERS) {
  describe(`the lease ends at ${server.kind} with the pod`, { skip: NEEDS_ROOT }, () => {
    const site = useSite({ server });

    test('DEL: the lease is gone from the lease file', async () => {
      const added = await site().add(networkOf([macvlan()]));
      const lease = await site().leaseOf(macIn(added.result));
      assert.equal(lease?.ip, addressIn(added.result));
      const text = Buffer.from(`${added.attachment.containerId}/lan/eth0`).toString('hex');
      assert.equal(lease?.clientId?.replaceAll(':', ''), `00${text}`);
      await site().del(added);
      await site().waitForNoLease(macIn(added.result));
      assert.equal(await site().counter('release-lost'), 0);
    });

    test('with an identifier of its own the lease is known, and given back, by that', async () => {
      const provide = [{ option: 'dhcp-client-identifier', value: '0x00746872656165' }];
      const added = await site().add(networkOf([macvlan({}, { provide })]));
      const lease = await site().leaseOf(macIn(added.result));
      assert.equal(lease?.clientId, '00:74:68:72:65:61:65');
      await site().del(added);
      await site().waitForNoLease(macIn(added.result));
    });

    test('the router has another MAC address since the lease was given (a new one, or VRRP)', async (t) => {
      const { router } = site().lan;
      const before = (await linkOf(router, ROUTER_BRIDGE)).address;
      const added = await site().add(networkOf([macvlan()]));
      t.after(async () => await router.ip('link', 'set', ROUTER_BRIDGE, 'address', before));
      // Nothing says so to the LAN.
      await router.ip('link', 'set', ROUTER_BRIDGE, 'address', NEW_ROUTER);
      await site().del(added);
      await site().waitForNoLease(macIn(added.result));
      assert.deepEqual(await site().records(), []);
      assert.equal(await site().counter('release-owed'), 0);
    });

    test('where the pod takes the router to be makes no difference', async () => {
      const added = await site().add(networkOf([macvlan()]));
      const { namespace } = added.pod;
      await namespace.ip('neigh', 'replace', ROUTER, 'lladdr', NEW_ROUTER, 'dev', 'eth0', 'nud', 'stale');
      await site().del(added);
      await site().waitForNoLease(macIn(added.result));
      assert.equal(await site().counter('release-owed'), 0);
    });

    test('ten pods: each DEL ends its own lease', async () => {
      const network = networkOf([macvlan()]);
      const pods = await Promise.all(Array.from({ length: 10 }, () => site().add(network)));
      assert.equal(new Set(pods.map(({ result }) => addressIn(result))).size, 10);
      assert.equal((await site().lan.server.leases()).length, 10);
      await Promise.all(pods.slice(1).map((pod) => site().del(pod)));
      await waitFor('one lease to be left', async () => (await site().lan.server.leases()).length === 1);
      const [last] = pods;
      assert.ok(last);
      assert.ok(await site().leaseOf(macIn(last.result)));
      await site().del(last);
      await site().waitForNoLease(macIn(last.result));
    });
  });
}

describe("what it is measured against: Debian's Go plugins", { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  test('the lease of a macvlan pod is given back, that of a bridge pod never', async () => {
    const { socket: daemonSocketPath } = await startGoDhcp(site());
    await pluggedBridge(site());
    const ipam = { type: 'dhcp', daemonSocketPath };
    const runtime = new CniRuntime({ place: site().node, binDirs: [DEBIAN_CNI_BIN] });
    const attach = async (network: NetworkList): Promise<{ mac: Mac; del: () => Promise<unknown> }> => {
      const { attachment, namespace } = await site().pod();
      await runtime.add(network, attachment);
      const { address } = await linkOf(namespace);
      assert.ok(await site().leaseOf(mac(address)));
      return { mac: mac(address), del: async () => await runtime.del(network, attachment) };
    };
    const [first, second] = await Promise.all([
      attach(networkOf([{ type: 'bridge', bridge: BRIDGE, ipam }])),
      attach(networkOf([macvlan({ ipam })])),
    ]);
    await first.del();
    await second.del();
    // The bridge pod's DEL was before: what came of it is settled when this one's RELEASE has been heard.
    await site().waitForNoLease(second.mac);
    assert.ok(await site().leaseOf(first.mac), 'the link was gone before its RELEASE');
  });
});
