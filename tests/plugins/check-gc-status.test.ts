import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { fakePlugins } from '../support/fake-plugins.ts';
import { CNI_BIN } from '../support/leasehold.ts';
import { parseMac } from '../../src/base/mac.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linkOf, linksOf } from './support/kernel-view.ts';
import { addressIn, type Attached, macIn, macvlan, networkOf, useSite } from './support/site.ts';

describe('CHECK', { skip: NEEDS_ROOT }, () => {
  const site = useSite();
  const network = networkOf([macvlan()]);

  const damages: readonly (readonly [string, (added: Attached) => Promise<unknown>, RegExp])[] = [
    [
      'the address is removed',
      async ({ pod, result }) =>
        await pod.namespace.ip('addr', 'del', `${addressIn(result)}/24`, 'dev', 'eth0'),
      /does not have the address 192\.168\.2\.\d+\/24; the route to 0\.0\.0\.0\/0 is gone/,
    ],
    [
      'the default route is removed',
      async ({ pod }) => await pod.namespace.ip('route', 'del', 'default'),
      /^the route to 0\.0\.0\.0\/0 is gone$/,
    ],
    [
      'the link is down',
      async ({ pod }) => await pod.namespace.ip('link', 'set', 'eth0', 'down'),
      /eth0 is down/,
    ],
    [
      'the MAC address is another',
      async ({ pod }) => await pod.namespace.ip('link', 'set', 'eth0', 'address', '02:5e:00:53:05:01'),
      /eth0 has MAC 02:5e:00:53:05:01, not /,
    ],
    [
      'the mode is another',
      async ({ pod }) => await pod.namespace.ip('link', 'set', 'eth0', 'type', 'macvlan', 'mode', 'private'),
      /eth0 has mode private, not bridge/,
    ],
    ['the link is gone', async ({ pod }) => await pod.namespace.ip('link', 'del', 'eth0'), /^eth0 is gone$/],
  ];
  for (const [what, damage, msg] of damages) {
    test(`${what}: check-mismatch`, async () => {
      const added = await site().add(network);
      await site().daemon.runtime.check(network, added.attachment);
      await damage(added);
      await assert.rejects(site().daemon.runtime.check(network, added.attachment), { code: 150, msg });
      await site().del(added);
      assert.deepEqual(await site().daemonLeases(), []);
      assert.equal((await linksOf(added.pod.namespace)).size, 0);
    });
  }
});

describe('GC and STATUS', { skip: NEEDS_ROOT }, () => {
  const site = useSite();
  const network = networkOf([macvlan()], { cniVersion: '1.1.0' });

  test('GC releases what is not listed, and leaves the listed and other networks', async () => {
    const kept = await site().add(network);
    const stale = await site().add(network);
    const other = await site().add(networkOf([macvlan()], { cniVersion: '1.1.0', name: 'other' }));
    // Without the cache of the ADDs no DEL comes before it: the plugin itself does the work.
    const runtime = new CniRuntime({
      place: site().node,
      binDirs: [CNI_BIN],
      env: { LEASEHOLD_SOCKET: site().daemon.socket },
    });
    await runtime.gc(network, [kept.attachment]);
    await site().waitForNoLease(macIn(stale.result));
    assert.equal((await linksOf(stale.pod.namespace)).size, 0);
    assert.equal((await site().records()).length, 2);
    for (const { result, pod } of [kept, other]) {
      assert.equal((await site().leaseOf(macIn(result)))?.ip, addressIn(result));
      assert.equal((await linksOf(pod.namespace)).size, 1);
    }
    await runtime.gc(network, []);
    await site().waitForNoLease(macIn(kept.result));
    assert.equal((await site().lan.server.leases()).length, 1);
    await site().del(other);
    // What GC took is gone for the runtime too.
    await site().del(kept);
    await site().del(stale);
  });

  test('GC of dhcp on its own gives leases back and leaves the links to their main plugin', async () => {
    const alone = networkOf([{ type: 'dhcp', ipam: { type: 'dhcp' } }], {
      cniVersion: '1.1.0',
      name: 'ipam',
    });
    const pod = await site().pod();
    await site().node.ip('link', 'add', 'mv8', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
    await site().node.ip('link', 'set', 'mv8', 'netns', pod.namespace.name, 'name', 'eth0');
    await site().attach(alone, pod);
    const mac = parseMac((await linkOf(pod.namespace)).address);
    assert.ok(mac !== undefined && (await site().leaseOf(mac)) !== undefined);
    const runtime = new CniRuntime({
      place: site().node,
      binDirs: [CNI_BIN],
      env: { LEASEHOLD_SOCKET: site().daemon.socket },
    });
    await runtime.gc(alone, []);
    await site().waitForNoLease(mac);
    assert.ok((await linksOf(pod.namespace)).has('eth0'));
  });

  test('STATUS: ready', async () => {
    await site().daemon.runtime.status(network);
  });

  test('STATUS: no master, master without carrier, master down', async () => {
    const { runtime } = site().daemon;
    await assert.rejects(runtime.status(networkOf([macvlan({ master: 'nope0' })], { cniVersion: '1.1.0' })), {
      code: 51,
      msg: /nope0/,
    });
    const { lan, node } = site();
    await lan.router.ip('link', 'set', lan.node.port, 'down');
    try {
      await assert.rejects(runtime.status(network), { code: 51, msg: /eth0.*carrier/ });
    } finally {
      await lan.router.ip('link', 'set', lan.node.port, 'up');
    }
    await node.ip('link', 'set', 'eth0', 'down');
    try {
      await assert.rejects(runtime.status(network), { code: 51, msg: /eth0/ });
    } finally {
      await node.ip('link', 'set', 'eth0', 'up');
    }
    await waitFor('the carrier', async () => {
      await runtime.status(network);
      return true;
    });
  });

  test('STATUS reaches another IPAM plugin', async (t) => {
    const plugins = await fakePlugins(t);
    const answer = { cniVersion: '1.1.0', code: 50, msg: 'pool used up' };
    await plugins.add('ours', { STATUS: { stdout: JSON.stringify(answer), status: 1 } });
    const runtime = new CniRuntime({
      place: site().node,
      binDirs: [CNI_BIN, plugins.binDir],
      env: { LEASEHOLD_SOCKET: site().daemon.socket },
    });
    const status = runtime.status(networkOf([macvlan({ ipam: { type: 'ours' } })], { cniVersion: '1.1.0' }));
    await assert.rejects(status, { code: 50, msg: /pool used up/ });
  });
});
