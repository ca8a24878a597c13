import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import type { NetworkList } from '../../src/lab/cni-conf.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import { linkOf } from './support/kernel-view.ts';
import { BRIDGE, pluggedBridge, startGoDhcp } from './support/go-plugins.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { DEBIAN_CNI_BIN } from '../support/leasehold.ts';
import type { ServerOptions } from '../../src/lab/home-lan.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressIn, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

/** Nobody has it any more. */
const OLD_ROUTER = '02:00:5e:00:00:aa';
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

    test('the router has another MAC address since the pod spoke with it (a new one, or VRRP)', async () => {
      const added = await site().add(networkOf([macvlan()]));
      const { namespace } = added.pod;
      // Nothing says so to the LAN, and the pod goes on sending to where the router was.
      await namespace.ip('neigh', 'replace', ROUTER, 'lladdr', OLD_ROUTER, 'dev', 'eth0', 'nud', 'stale');
      const owed = await site().counter('release-owed');
      await site().del(added);
      await site().waitForNoLease(macIn(added.result));
      await waitFor('the record to be gone', async () => (await site().records()).length === 0);
      assert.equal(await site().counter('release-owed'), owed + 1);
    });

    test('the pod spoke with the router a while ago, and it is where it was', async () => {
      const added = await site().add(networkOf([macvlan()]));
      const { namespace } = added.pod;
      await namespace.run(['ping', '-c1', '-W5', ROUTER]);
      const owed = await site().counter('release-owed');
      await site().del(added);
      await site().waitForNoLease(macIn(added.result));
      assert.equal(await site().counter('release-owed'), owed);
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
