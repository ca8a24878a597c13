import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { seconds } from '../../src/base/time.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { PodModel } from './support/pods.ts';
import { attached, FakeWorld, keyOf, managerOf, requestFor, stored } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const OTHER = ipv4('192.168.1.150');

/** A pod whose address another daemon got; its lease is at the server, and this daemon has never heard of it. */
async function foreign(): Promise<{ world: FakeWorld; manager: LeaseManager; pod: PodModel }> {
  const world = new FakeWorld();
  const other = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, other, pod);
  await other.close();
  world.files.clear();
  world.journal.length = 0;
  pod.history.length = 0;
  return { world, manager: managerOf(world), pod };
}

async function adopt(
  world: FakeWorld,
  manager: LeaseManager,
  pod: PodModel,
  address: Ipv4 = FIRST,
): Promise<boolean> {
  const request = requestFor(world, pod);
  try {
    return await manager.adopt(request, { address, prefix: 16 });
  } finally {
    request.pod.close();
  }
}

describe('a lease of another daemon', () => {
  test('is asked for by INIT-REBOOT and goes on; the pod is not touched', async () => {
    const { world, manager, pod } = await foreign();
    assert.equal(await adopt(world, manager, pod), true);
    const lease = await world.time.until(manager.awaitLease(keyOf(pod), seconds(5)));
    assert.equal(lease?.address.address, FIRST);
    await world.time.run(100);
    assert.ok(!world.journal.includes('DISCOVER'));
    assert.deepEqual(pod.history, []);
    assert.deepEqual(
      stored(world).map(({ state }) => state.kind),
      ['bound'],
    );
    assert.equal(await adopt(world, manager, pod), false, 'a second time it is known');
    await manager.close();
  });

  test('the server refuses it: the address leaves the pod, another one comes', async () => {
    const { world, manager, pod } = await foreign();
    world.server.rebind(OTHER);
    await adopt(world, manager, pod);
    await world.time.run(3000);
    assert.deepEqual(pod.history, [`-${FIRST}/16`, `+${OTHER}/16`]);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [OTHER],
    );
    await manager.close();
  });

  test('the server is away: the pod keeps its address, and it is asked for until somebody answers', async () => {
    const { world, manager, pod } = await foreign();
    world.server.mood = 'silent';
    await adopt(world, manager, pod);
    assert.equal(await world.time.until(manager.awaitLease(keyOf(pod), seconds(4))), undefined);
    await world.time.run(60_000);
    assert.deepEqual(pod.history, []);
    world.server.mood = 'sane';
    await world.time.run(70_000);
    assert.equal(manager.get(keyOf(pod))?.lease?.address.address, FIRST);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [FIRST],
    );
    await manager.close();
  });

  test('a restart in the middle of it goes on asking', async () => {
    const { world, manager, pod } = await foreign();
    world.server.mood = 'silent';
    await adopt(world, manager, pod);
    await world.time.run(2000);
    await manager.close();
    world.server.mood = 'sane';
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    await world.time.run(2000);
    assert.equal(next.get(keyOf(pod))?.lease?.address.address, FIRST);
    await next.close();
  });
});
