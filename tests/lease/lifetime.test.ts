import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { millis } from '../../src/base/time.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { PodModel } from './support/pods.ts';
import { attached, FakeWorld, keyOf, managerOf, stored } from './support/world.ts';

const HOUR_MS = 3_600_000;
const FOREVER_SECS = 0xffff_ffff;
/** T1 of an hour's lease at random 0.5: 1800 s less a thirty-second. */
const T1_MS = 1_743_750;
const LOOK_MS = 25_000;

type Scene = { readonly world: FakeWorld; readonly manager: LeaseManager; readonly pod: PodModel };

async function withLease(owned = true): Promise<Scene> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  manager.watch();
  const pod = world.addPod('a');
  await attached(world, manager, pod, { owned });
  pod.saidValid = 0;
  return { world, manager, pod };
}

/** When the kernel would take the address off, as far as it was told a moment ago. */
function endsWith({ world, manager, pod }: Scene): void {
  const end = manager.get(keyOf(pod))?.lease?.times?.expiresAt ?? 0;
  const left = end - world.time.now();
  const told = pod.validFor ?? Infinity;
  assert.ok(told >= left && told <= left + LOOK_MS, `${told} ms for a lease of ${left} ms`);
}

describe('the kernel knows when the lease ends', () => {
  test('what an ADD is told: how much is left at that moment', async () => {
    const { world, manager, pod } = await withLease();
    const lease = manager.get(keyOf(pod))?.lease;
    assert.ok(lease?.times !== undefined);
    assert.equal(manager.leftOf(lease), lease.times.expiresAt - world.time.now());
    await world.time.run(2 * HOUR_MS);
    assert.equal(manager.leftOf(lease), 0, 'never less than nothing');
    assert.equal(manager.leftOf({ ...lease, times: undefined }), undefined);
    await manager.close();
  });

  test('a renewal long before the end: the next look at the pod tells the new one, once', async () => {
    const scene = await withLease();
    const { world, manager, pod } = scene;
    await world.time.run(T1_MS + 100);
    assert.equal(pod.saidValid, 0);
    await world.time.run(3 * LOOK_MS);
    assert.equal(pod.saidValid, 1);
    assert.ok((pod.validFor ?? 0) > HOUR_MS - LOOK_MS);
    await manager.close();
  });

  test('a renewal close to the end tells the new one at once', async () => {
    const scene = await withLease();
    const { world, manager, pod } = scene;
    world.server.mood = 'silent';
    await world.time.run(HOUR_MS - 50_000);
    world.server.mood = 'sane';
    for (let ms = 0; ms < 49_000 && pod.saidValid === 0; ms += 100) await world.time.run(100);
    assert.equal(pod.saidValid, 1);
    assert.equal(world.counts.get('lease-extended'), 1);
    endsWith(scene);
    await manager.close();
  });

  test('a lease that becomes infinite has no end any more', async () => {
    const { world, manager, pod } = await withLease();
    world.server.leaseSecs = FOREVER_SECS;
    pod.validFor = millis(HOUR_MS);
    await world.time.run(T1_MS + LOOK_MS);
    assert.deepEqual([pod.saidValid, pod.validFor], [1, undefined]);
    await manager.close();
  });

  test('another address and one that is put back have the end of their lease', async () => {
    const scene = await withLease();
    const { world, manager, pod } = scene;
    world.server.rebind(ipv4('192.168.1.200'));
    await world.time.run(T1_MS + 100);
    endsWith(scene);
    pod.validFor = undefined;
    pod.addresses = [];
    await world.time.run(LOOK_MS);
    assert.equal(pod.addresses.length, 1);
    assert.ok(pod.validFor !== undefined);
    await manager.close();
  });

  test('a kernel that refuses is told again at the next look; the lease is stored all the same', async () => {
    const scene = await withLease();
    const { world, manager, pod } = scene;
    const open = world.openPod.bind(world);
    world.openPod = (path) => {
      const opened = open(path);
      opened.configure = () => Promise.reject(new SysError('RTM_NEWADDR', 'ENOBUFS'));
      return opened;
    };
    await world.time.run(T1_MS + LOOK_MS);
    assert.deepEqual([pod.saidValid, world.warnings.at(-1)], [0, 'could not prolong the address']);
    const [record] = stored(world);
    assert.ok(record?.state.kind === 'bound' && (record.state.lease.times?.expiresAt ?? 0) > HOUR_MS + 1000);
    world.openPod = open;
    await world.time.run(LOOK_MS);
    assert.equal(pod.saidValid, 1);
    await manager.close();
  });

  test('an address that somebody took away is not put back alone, without its routes', async () => {
    const { world, manager, pod } = await withLease();
    await manager.close();
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    await world.time.run(T1_MS - 1000);
    pod.addresses = [];
    pod.routes = [];
    pod.saidValid = 0;
    await world.time.run(1100);
    assert.deepEqual([pod.addresses, pod.saidValid], [[], 0]);
    await next.close();
  });

  test('an interface that another plugin configures: told at the first look, once', async () => {
    const { world, manager, pod } = await withLease(false);
    pod.validFor = undefined;
    await world.time.run(3 * LOOK_MS);
    assert.equal(pod.saidValid, 1);
    assert.ok(pod.validFor !== undefined);
    await manager.close();
  });

  test('a daemon that starts tells it too: the last one may have died before it did', async () => {
    const { world, manager, pod } = await withLease();
    await manager.close();
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    next.watch();
    await world.time.run(LOOK_MS);
    assert.ok(pod.saidValid >= 1);
    await next.close();
  });
});
