import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { CNI_BIN } from '../support/leasehold.ts';
import { linksOf } from './support/kernel-view.ts';
import {
  addressIn,
  type Attached,
  macIn,
  macvlan,
  networkOf,
  NODE_ADDRESS,
  useSite,
} from './support/site.ts';

// The verbs of the one plugin. What it is good for is in tests/story.

const LEASEHOLD = networkOf([{ type: 'leasehold' }], { cniVersion: '1.1.0' });

describe('leasehold, the one plugin', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ config: { services: ['10.43.0.0/16'] } });

  async function routesOfNode(): Promise<string> {
    return await site().node.run(['ip', 'route', 'show', 'dev', 'lh0']);
  }

  async function nodePings({ result }: Attached): Promise<boolean> {
    const { status } = await site().node.runToEnd(['ping', '-c', '1', '-W', '2', addressIn(result)]);
    return status === 0;
  }

  test('ADD, CHECK, DEL: a lease, the way to the node, and nothing of it afterwards', async () => {
    const pod = await site().add(LEASEHOLD);
    assert.ok(await nodePings(pod));
    await site().daemon.runtime.check(LEASEHOLD, pod.attachment);
    await site().del(pod);
    assert.equal((await linksOf(pod.pod.namespace)).size, 0);
    assert.doesNotMatch(await routesOfNode(), new RegExp(addressIn(pod.result)));
    assert.doesNotMatch(await pod.pod.namespace.run(['nft', 'list', 'tables']), /./);
    await site().waitForNoLease(macIn(pod.result));
    await site().del(pod);
  });

  test('CHECK names what the node lacks', async () => {
    const pod = await site().add(LEASEHOLD);
    await site().daemon.stop();
    await site().node.ip('route', 'del', addressIn(pod.result), 'dev', 'lh0');
    await site().daemon.restart();
    // Put back at the start.
    await site().daemon.runtime.check(LEASEHOLD, pod.attachment);
    await pod.pod.namespace.ip('route', 'del', '10.43.0.0/16');
    await assert.rejects(site().daemon.runtime.check(LEASEHOLD, pod.attachment), {
      code: 150,
      msg: /10\.43\.0\.0\/16/,
    });
    await site().del(pod);
  });

  test('CHECK takes up a pod whose state folder was lost, with its way to the node', async () => {
    const pod = await site().add(LEASEHOLD);
    await site().daemon.stop();
    await rm(site().daemon.stateDir, { recursive: true });
    await site().daemon.restart();
    assert.deepEqual(await site().daemonLeases(), []);
    await site().node.ip('route', 'del', addressIn(pod.result), 'dev', 'lh0');
    await site().daemon.runtime.check(LEASEHOLD, pod.attachment);
    assert.ok(await nodePings(pod));
    await site().del(pod);
    await site().waitForNoLease(macIn(pod.result));
  });

  test('at boot an ADD waits for the default route', async () => {
    const { node } = site();
    await node.ip('route', 'del', 'default');
    const coming = site().add(LEASEHOLD);
    const early = await Promise.race([coming, node.run(['sleep', '0.5'])]);
    assert.equal(typeof early, 'string', 'it still waits');
    await node.ip('route', 'add', 'default', 'via', '192.168.2.1');
    const pod = await coming;
    assert.ok(await nodePings(pod));
    await site().del(pod);
  });

  test('a master by list and by pattern; one that is not there is named', async () => {
    for (const master of [['nope0', 'eth0'], 'et*']) {
      const pod = await site().add(networkOf([{ type: 'leasehold', master }]));
      assert.ok(await nodePings(pod));
      await site().del(pod);
    }
  });

  test('without host access the pod is on the LAN alone', async () => {
    const pod = await site().add(networkOf([{ type: 'leasehold', hostAccess: false, lastHop: false }]));
    assert.equal(await nodePings(pod), false);
    assert.doesNotMatch(await pod.pod.namespace.run(['ip', 'route']), /10\.43/);
    assert.doesNotMatch(await pod.pod.namespace.run(['nft', 'list', 'tables']), /./);
    const { status } = await pod.pod.namespace.runToEnd(['ping', '-c', '1', '-W', '2', '192.168.2.1']);
    assert.equal(status, 0);
    await site().del(pod);
  });

  test('a repetition of an ADD that fails takes nothing from the pod that runs', async () => {
    const pod = await site().add(LEASEHOLD);
    const address = addressIn(pod.result);
    await site().node.ip('route', 'add', 'blackhole', address, 'metric', '9');
    await assert.rejects(site().attach(LEASEHOLD, pod.pod), { code: 112, msg: new RegExp(address) });
    await site().node.ip('route', 'del', 'blackhole', address, 'metric', '9');
    assert.ok((await linksOf(pod.pod.namespace)).has('eth0'));
    assert.equal((await site().leaseOf(macIn(pod.result)))?.ip, address);
    assert.ok(await nodePings(pod));
    await site().del(pod);
  });

  test('a wrong key is named with the right one, and nothing is made', async () => {
    const pod = await site().pod();
    for (const [conf, msg] of [
      [{ hostAcces: true }, /hostAcces.*did you mean "hostAccess"/],
      [{ services: '10.43.0.0' }, /services: "10\.43\.0\.0" is not an IPv4 network/],
      [{ mode: 'ipvlan' }, /mode: "ipvlan" is not built yet/],
      [{ ipam: { type: 'dhcp' } }, /ipam: .*move its keys to "dhcp"/],
    ] as const) {
      await assert.rejects(site().attach(networkOf([{ type: 'leasehold', ...conf }]), pod), { code: 7, msg });
    }
    assert.equal((await linksOf(pod.namespace)).size, 0);
  });

  test('a DEL with a configuration that has become wrong removes all the same', async () => {
    const pod = await site().add(LEASEHOLD);
    const broken = networkOf([{ type: 'leasehold', nonsense: 1 }], { cniVersion: '1.1.0' });
    await site().daemon.runtime.del(broken, pod.attachment);
    assert.equal((await linksOf(pod.pod.namespace)).size, 0);
    assert.doesNotMatch(await routesOfNode(), new RegExp(addressIn(pod.result)));
  });

  test('GC takes away the node side of what is not listed, too', async () => {
    const kept = await site().add(LEASEHOLD);
    const stale = await site().add(LEASEHOLD);
    const runtime = new CniRuntime({
      place: site().node,
      binDirs: [CNI_BIN],
      env: { LEASEHOLD_SOCKET: site().daemon.socket },
    });
    await runtime.gc(LEASEHOLD, [kept.attachment]);
    const routes = await routesOfNode();
    assert.match(routes, new RegExp(addressIn(kept.result)));
    assert.doesNotMatch(routes, new RegExp(addressIn(stale.result)));
    await site().waitForNoLease(macIn(stale.result));
    await site().del(kept);
  });

  test('STATUS says what keeps pods from being attached', async () => {
    const { runtime } = site().daemon;
    await runtime.status(LEASEHOLD);
    await site().lan.router.ip('link', 'set', site().lan.node.port, 'down');
    await waitFor('the cable to be out', async () =>
      (await site().node.run(['ip', 'link', 'show', 'eth0'])).includes('NO-CARRIER'),
    );
    await assert.rejects(runtime.status(LEASEHOLD), { code: 51, msg: /eth0.*carrier/ });
    await site().lan.router.ip('link', 'set', site().lan.node.port, 'up');
    await waitFor('the cable to be in', async () =>
      (await site().node.run(['ip', 'link', 'show', 'eth0'])).includes('LOWER_UP'),
    );
    await assert.rejects(
      runtime.status(networkOf([{ type: 'leasehold', master: 'nope0' }], { cniVersion: '1.1.0' })),
      { code: 51, msg: /nope0/ },
    );
  });

  test('chained behind our own macvlan: the node follows the lease', async () => {
    const chained = { type: 'leasehold', chained: true };
    const pod = await site().add(networkOf([macvlan(), chained]));
    assert.ok(await nodePings(pod));
    const { status } = await pod.pod.namespace.runToEnd(['ping', '-c', '1', '-W', '2', NODE_ADDRESS]);
    assert.equal(status, 0);
    await site().del(pod);
    assert.doesNotMatch(await routesOfNode(), new RegExp(addressIn(pod.result)));
  });

  test('chained behind what no shim reaches: said, and nothing is made on the node', async () => {
    const chained = { type: 'leasehold', chained: true };
    const pod = await site().pod();
    const cases = [
      [[macvlan({ mode: 'private' }), chained], /mode private/],
      [[chained], /prevResult: is missing/],
    ] as const;
    for (const [plugins, msg] of cases) {
      await assert.rejects(site().attach(networkOf(plugins), pod), { msg });
      const { runtime } = site().daemon;
      await runtime.del(networkOf(plugins), pod.attachment);
    }
    assert.equal((await linksOf(pod.namespace)).size, 0);
  });
});
