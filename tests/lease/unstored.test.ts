import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { PodModel } from './support/pods.ts';
import {
  assertNothingHeld,
  attached,
  FakeWorld,
  keyOf,
  managerOf,
  type Overrides,
  stored,
} from './support/world.ts';

// A daemon that cannot store a change of address, and ends: what the next one knows is the old one.
const FIRST = ipv4('192.168.1.100');
const SECOND = ipv4('192.168.1.150');
const THIRD = ipv4('192.168.1.160');
const STATIC = { address: ipv4('192.168.1.9'), prefix: 16 };
const T1_MS = 1_743_750;
const LEASE_MS = 3_600_000;
const ROUND_MS = 21_000;

function addressesOf(pod: PodModel): readonly string[] {
  return pod.addresses.map(({ address }) => address);
}

/** A pod that got SECOND while nothing could be stored; the daemon has ended, and the next one is not there yet. */
async function unstored(
  during: (world: FakeWorld) => Promise<void> = (world) => world.time.run(T1_MS + 100),
  overrides: Overrides = {},
): Promise<{ world: FakeWorld; pod: PodModel }> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, manager, pod, overrides);
  world.storeError = new SysError('write', 'ENOSPC');
  world.server.rebind(SECOND);
  await during(world);
  assert.deepEqual(addressesOf(pod), [SECOND]);
  await manager.close();
  assert.ok(!JSON.stringify(stored(world)).includes(SECOND), 'the record does not know it');
  world.journal.length = 0;
  pod.history.length = 0;
  return { world, pod };
}

async function next(world: FakeWorld): Promise<LeaseManager> {
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  manager.watch();
  return manager;
}

/** What is said of the pod, on disk too, is what it has, and it never had anything else. */
function assertHas(world: FakeWorld, manager: LeaseManager, pod: PodModel, address: Ipv4): void {
  assert.deepEqual(
    {
      pod: addressesOf(pod),
      lease: manager.get(keyOf(pod))?.lease?.address.address,
      records: stored(world).map(({ state, leftovers }) => [
        'lease' in state ? state.lease.address.address : state.kind,
        leftovers,
      ]),
      history: pod.history,
    },
    { pod: [address], lease: address, records: [[address, undefined]], history: [] },
  );
}

describe('a change of address that could not be stored', () => {
  test('the next daemon goes on with what the pod has, and asks the server', async () => {
    const { world, pod } = await unstored();
    world.storeError = undefined;
    const manager = await next(world);
    await world.time.run(1000);
    assert.ok(world.journal.includes('REQUEST'));
    assertHas(world, manager, pod, SECOND);
    assert.equal(world.counts.get('unstored-address'), 1);
    // What the server says counts again, routes and all.
    assert.ok((manager.get(keyOf(pod))?.lease?.routes.length ?? 0) > 0);
    await world.time.until(manager.release(keyOf(pod)));
    await world.time.run(1000);
    assert.deepEqual(world.server.released, [SECOND]);
    assertNothingHeld(world, manager);
    await manager.close();
  });

  test('the server is silent: the pod keeps it until it ends, and no longer', async () => {
    const { world, pod } = await unstored();
    world.storeError = undefined;
    world.server.mood = 'silent';
    const manager = await next(world);
    await world.time.run(LEASE_MS / 2);
    assertHas(world, manager, pod, SECOND);
    await world.time.run(LEASE_MS / 2);
    assert.deepEqual(addressesOf(pod), []);
    await manager.close();
  });

  test('the pod is deleted before the server has answered: what it has is released, and nothing is left', async () => {
    const { world, pod } = await unstored();
    world.storeError = undefined;
    world.loses = (direction) => direction === 'down';
    const manager = await next(world);
    await world.time.until(manager.release(keyOf(pod)));
    await world.time.run(1000);
    assert.deepEqual(world.server.released, [SECOND]);
    assertNothingHeld(world, manager);
    await manager.close();
  });

  test('the disk is full still: the one after that does the same', async () => {
    const { world, pod } = await unstored();
    await (await next(world)).close();
    const manager = await next(world);
    await world.time.run(1000);
    assert.deepEqual([addressesOf(pod), pod.history], [[SECOND], []]);
    world.storeError = undefined;
    await world.time.run(ROUND_MS);
    assertHas(world, manager, pod, SECOND);
    await manager.close();
  });

  test('the server gives yet another one: that is the only one', async () => {
    const { world, pod } = await unstored();
    world.storeError = undefined;
    world.server.rebind(THIRD);
    const manager = await next(world);
    await world.time.run(5000);
    assert.deepEqual(addressesOf(pod), [THIRD]);
    await manager.close();
  });

  test('after a lease that was lost and stored as lost: the same', async () => {
    const { world, pod } = await unstored(async (during) => {
      during.storeError = undefined;
      during.server.mood = 'silent';
      await during.time.run(LEASE_MS + 1000);
      during.storeError = new SysError('write', 'ENOSPC');
      during.server.mood = 'sane';
      await during.time.run(120_000);
    });
    assert.deepEqual(
      stored(world).map(({ state }) => state.kind),
      ['init'],
    );
    world.storeError = undefined;
    world.server.rebind(THIRD);
    const manager = await next(world);
    await world.time.run(20_000);
    assert.deepEqual(addressesOf(pod), [THIRD], 'what it had is taken off with the new one');
    pod.history.length = 0;
    assertHas(world, manager, pod, THIRD);
    await manager.close();
  });

  test('the address of another plugin is not taken for it', async () => {
    const world = new FakeWorld();
    const before = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, before, pod);
    await before.close();
    pod.addresses = [STATIC];
    const manager = await next(world);
    await world.time.run(1000);
    assert.deepEqual(addressesOf(pod), [STATIC.address, FIRST]);
    assert.deepEqual(world.counts.get('unstored-address'), undefined);
    assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');
    await world.time.until(manager.release(keyOf(pod)));
    assert.deepEqual(addressesOf(pod), [STATIC.address]);
    await manager.close();
  });
});
