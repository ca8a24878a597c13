import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { instant } from '../../src/base/time.ts';
import type { PodLinkChange } from '../../src/lease/ports.ts';
import type { PodModel } from './support/pods.ts';
import { attach, attached, keyOf, managerOf, running, type Running, stored } from './support/world.ts';

// A pod that goes, or whose link was switched off and on, is noticed when it matters and not in the next round.

const FIRST = ipv4('192.168.1.100');
/** T1 of the fake server's leases (an hour), with the jitter that a random number of 0.5 gives. */
const T1_MS = 1_743_750;
/** The last of the rounds (every 20 s) before T1 was at 1,740 s, the next is at 1,760 s. */
const JUST_BEFORE_T1_MS = T1_MS - 1000;
const SECOND_MS = 1000;
const ROUND_MS = 20_000;

function assertReleased({ world, manager }: Running): void {
  assert.deepEqual([manager.size, manager.owed, world.server.released], [0, 0, [FIRST]]);
  assert.equal(world.counts.get('pod-gone'), 1);
}

describe('a pod that is gone is noticed when something is to be done for it', () => {
  test('its namespace went: the renewal that meets that is the last thing, and the lease is given back', async () => {
    const all = await running();
    const { world, manager, pod } = all;
    await world.time.run(JUST_BEFORE_T1_MS);
    world.pods.delete(pod.path);
    await world.time.run(SECOND_MS + 2 * SECOND_MS);
    assertReleased(all);
    assert.deepEqual(world.journal, ['put', 'RELEASE', 'remove'], 'no REQUEST into nothing');
    await manager.close();
    assert.equal(world.time.pending, 0, 'no timer is left');
  });

  test('its interface was removed: the same', async () => {
    const all = await running();
    await all.world.time.run(JUST_BEFORE_T1_MS);
    all.pod.linkGone = true;
    await all.world.time.run(3 * SECOND_MS);
    assertReleased(all);
    await all.manager.close();
  });

  test('an ADD whose namespace went ends at the next try, although its socket is open', async () => {
    const { world, manager } = await running();
    world.server.mood = 'silent';
    const pod = world.addPod('b');
    const from = world.time.now();
    let sockets = 0;
    world.time.at(instant(from + 2 * SECOND_MS), () => {
      sockets = pod.sockets.size;
      world.pods.delete(pod.path);
    });
    const lease = await attach(world, manager, pod);
    assert.ok(!lease.ok && lease.error.kind === 'send-failed' && lease.error.error.code === 'ENOENT');
    assert.ok(world.time.now() - from < 5 * SECOND_MS, 'and not at its deadline');
    assert.equal(sockets, 1, 'it was open then');
    assert.equal(pod.sockets.size, 0, 'nothing keeps the namespace');
    await manager.close();
  });

  test('there again at the second look: it stays, and is renewed', async () => {
    const { world, manager, pod } = await running();
    await world.time.run(JUST_BEFORE_T1_MS);
    world.pods.delete(pod.path);
    await world.time.run(SECOND_MS + 100);
    world.pods.set(pod.path, pod);
    await world.time.run(20 * 60 * SECOND_MS);
    assert.deepEqual([manager.size, world.server.released, world.counts.get('pod-gone')], [1, [], undefined]);
    assert.ok((world.counts.get('lease-extended') ?? 0) > 0);
    await manager.close();
  });

  test('a link that is down refuses a message: looked at, and nothing else', async () => {
    const { world, manager, pod } = await running();
    await world.time.run(JUST_BEFORE_T1_MS);
    pod.linkGone = true;
    await world.time.run(SECOND_MS + 100);
    pod.linkGone = false;
    await world.time.run(ROUND_MS);
    assert.deepEqual([manager.size, pod.history], [1, []]);
    await manager.close();
  });

  test('what cannot be put right is tried at most twice a second', async () => {
    const { world, manager, pod } = await running();
    await world.time.run(JUST_BEFORE_T1_MS);
    let looks = 0;
    world.namespaceAt = () => {
      looks += 1;
      return { kind: 'namespace', inode: pod.inode };
    };
    world.openPod = () => {
      throw new SysError('open', 'ENOENT', 'it comes and goes');
    };
    await world.time.run(10 * SECOND_MS);
    assert.ok(looks < 50, `${looks} looks in ten seconds`);
    assert.equal(manager.size, 1, 'nobody can tell, so it stays');
    assert.ok(pod.openHandles === 0);
    await manager.close();
  });
});

function changeOf(
  { link }: PodModel,
  more: { readonly up?: boolean; readonly removed?: boolean },
): PodLinkChange {
  return { index: link.index, mac: link.mac, up: true, removed: false, ...more };
}

describe('a link of a pod that the kernel tells of', () => {
  test('pods are followed from their ADD on, and after a restart', async () => {
    const { world, manager, pod } = await running();
    assert.equal(pod.followed, true);
    await manager.close();
    pod.followed = false;
    const second = managerOf(world);
    for (const record of stored(world)) await second.resume(record);
    assert.equal(pod.followed, true);
    await second.close();
  });

  test('removed: the lease is given back within a second', async () => {
    const all = await running();
    all.pod.linkGone = true;
    all.manager.podLinkChanged(changeOf(all.pod, { removed: true }));
    await all.world.time.run(SECOND_MS + 500);
    assertReleased(all);
    await all.manager.close();
  });

  test('removed by a DEL: that one releases', async () => {
    const { world, manager, pod } = await running();
    const releasing = manager.release(keyOf(pod), true);
    manager.podLinkChanged(changeOf(pod, { removed: true }));
    await world.time.until(releasing);
    await world.time.run(ROUND_MS);
    assert.deepEqual([world.server.released, world.counts.get('pod-gone')], [[FIRST], undefined]);
    await manager.close();
  });

  test('down and up: its routes are put back at once, and nobody else is touched', async () => {
    const { world, manager, pod } = await running();
    const other = world.addPod('b');
    await attached(world, manager, other);
    const { routes } = pod;
    assert.ok(routes.length > 0);
    manager.podLinkChanged(changeOf(pod, { up: false }));
    pod.routes = [];
    other.routes = [];
    manager.podLinkChanged(changeOf(pod, {}));
    await world.time.run(10);
    assert.deepEqual([pod.routes, other.routes], [routes, []]);
    assert.equal(world.counts.get('routes-restored'), 1);
    await manager.close();
  });

  test('down when the daemon starts, or since a notice that was missed: the same when it is up', async () => {
    const { world, manager, pod } = await running();
    const { routes } = pod;
    await manager.close();
    pod.link.up = false;
    pod.routes = [];
    const second = managerOf(world);
    for (const record of stored(world)) await second.resume(record);
    second.watch();
    await world.time.run(SECOND_MS);
    assert.deepEqual(pod.routes, [], 'nothing is done to a link that is down');
    pod.link.up = true;
    second.podLinkChanged(changeOf(pod, {}));
    await world.time.run(10);
    assert.deepEqual([pod.routes, world.counts.get('routes-restored')], [routes, 1]);

    pod.link.up = false;
    second.podLinkChanged(undefined);
    await world.time.run(SECOND_MS);
    pod.link.up = true;
    pod.routes = [];
    second.podLinkChanged(undefined);
    await world.time.run(SECOND_MS);
    assert.deepEqual([pod.routes, world.counts.get('routes-restored')], [routes, 2]);
    await world.time.run(3 * ROUND_MS);
    assert.equal(world.counts.get('routes-restored'), 2, 'once');
    await second.close();
  });

  test('other changes of a link, or of one with the same index elsewhere, are no reason', async () => {
    const { world, manager, pod } = await running();
    pod.routes = [];
    manager.podLinkChanged(changeOf(pod, {}));
    const elsewhere = { ...changeOf(pod, {}), mac: mac('02:00:5e:ff:ff:ff') };
    manager.podLinkChanged({ ...elsewhere, up: false });
    manager.podLinkChanged(elsewhere);
    await world.time.run(2 * SECOND_MS);
    assert.deepEqual([pod.routes, world.counts.get('routes-restored')], [[], undefined]);
    await manager.close();
  });

  test('on and off all the time: once a second, and the last time counts', async () => {
    const { world, manager, pod } = await running();
    const { routes } = pod;
    for (let i = 0; i < 50; i++) {
      manager.podLinkChanged(changeOf(pod, { up: false }));
      pod.routes = [];
      manager.podLinkChanged(changeOf(pod, {}));
      await world.time.run(50);
    }
    await world.time.run(SECOND_MS);
    assert.deepEqual(pod.routes, routes);
    const restored = world.counts.get('routes-restored') ?? 0;
    assert.ok(restored >= 2 && restored <= 4, `${restored} times in 3.5 s`);
    await manager.close();
    assert.equal(world.time.pending, 0, 'no timer is left');
  });

  test('down when its turn comes: not before it is up', async () => {
    const { world, manager, pod } = await running();
    const flap = (): void => {
      manager.podLinkChanged(changeOf(pod, { up: false }));
      manager.podLinkChanged(changeOf(pod, {}));
    };
    flap();
    flap();
    manager.podLinkChanged(changeOf(pod, { up: false }));
    await world.time.run(5 * SECOND_MS);
    assert.equal(world.counts.get('routes-restored'), 1);
    manager.podLinkChanged(changeOf(pod, {}));
    assert.equal(world.counts.get('routes-restored'), 2);
    await manager.close();
  });
});
