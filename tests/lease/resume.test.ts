import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { PodModel } from './support/pods.ts';
import { attached, FakeWorld, keyOf, managerOf, requestFor, stored, UPLINK } from './support/world.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';

const FIRST = ipv4('192.168.1.100');
const T1_MS = 1_743_750;

/** A daemon that ran, attached a pod and ended; `later` is how long it is away. */
async function restarted(later: number): Promise<{ world: FakeWorld; manager: LeaseManager; pod: PodModel }> {
  const world = new FakeWorld();
  const before = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, before, pod);
  await before.close();
  world.journal.length = 0;
  pod.history.length = 0;
  await world.time.run(later);
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  return { world, manager, pod };
}

describe('a restart', () => {
  test('in time: no word is sent, the pod is not touched, T1 comes when it was to come', async () => {
    const { world, manager, pod } = await restarted(60_000);
    assert.equal(manager.size, 1);
    await world.time.run(T1_MS - 60_000 - 100);
    assert.deepEqual(world.journal, []);
    await world.time.run(200);
    assert.deepEqual(world.journal, ['REQUEST', 'put']);
    assert.deepEqual(pod.history, []);
  });

  test('after T1: renewed at once', async () => {
    const { world, pod } = await restarted(T1_MS + 10_000);
    await world.time.run(100);
    assert.deepEqual(world.journal, ['REQUEST', 'put']);
    assert.deepEqual(pod.history, []);
  });

  test('after the end: the address goes first, then a new lease is sought', async () => {
    const { world, manager, pod } = await restarted(3_700_000);
    await world.time.run(1000);
    assert.deepEqual(pod.history, [`-${FIRST}/16`, `+${FIRST}/16`]);
    // INIT, not INIT-REBOOT (RFC 2131 4.4.5).
    assert.deepEqual(world.sentFrom.slice(-2), ['DISCOVER from 0.0.0.0', 'REQUEST from 0.0.0.0']);
    assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');
  });

  test('a lease that was lost before is sought again', async () => {
    const world = new FakeWorld();
    const before = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, before, pod);
    world.server.mood = 'silent';
    await world.time.run(3_700_000);
    await before.close();
    world.server.mood = 'sane';
    world.journal.length = 0;
    const manager = managerOf(world);
    for (const record of stored(world)) await manager.resume(record);
    await world.time.run(1000);
    assert.equal(world.journal[0], 'DISCOVER', 'INIT, not INIT-REBOOT (RFC 2131 4.4.5)');
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [FIRST],
    );
    assert.deepEqual(
      stored(world).map(({ state }) => state.kind),
      ['bound'],
    );
  });

  test('the second ADD of the same attachment gets the lease that was taken up', async () => {
    const { world, manager, pod } = await restarted(1000);
    assert.equal((await attached(world, manager, pod)).address.address, FIRST);
    assert.deepEqual(world.journal, []);
  });

  test('the uplink is gone: said, and the lease is renewed by the pod’s own socket', async () => {
    const world = new FakeWorld();
    const before = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, before, pod);
    await before.close();
    world.openTap = () => {
      throw new SysError('open packet tap', 'ENODEV');
    };
    const manager = managerOf(world);
    for (const record of stored(world)) await manager.resume(record);
    assert.deepEqual(world.warnings, ['the uplink of a lease is gone']);
    await world.time.run(T1_MS + 100);
    assert.equal(world.counts.get('lease-extended'), 1);
  });
});

/** The same files, another boot: instants and inodes mean nothing any more. */
async function rebooted(): Promise<{ world: FakeWorld; manager: LeaseManager; pod: PodModel }> {
  const earlier = new FakeWorld('boot-0');
  const before = managerOf(earlier);
  await attached(earlier, before, earlier.addPod('a'));
  await before.close();
  const world = new FakeWorld('boot-1');
  for (const [name, text] of earlier.files) world.files.set(name, text);
  // Path, inode, index and MAC are what they were: the worst case.
  const pod = world.addPod('a');
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  manager.watch();
  return { world, manager, pod };
}

describe('a reboot', () => {
  test('the lease is released by the host; what looks like the pod is not touched', async () => {
    const { world, manager, pod } = await rebooted();
    assert.deepEqual([manager.size, manager.owed], [0, 1]);
    await world.time.run(2000);
    assert.deepEqual(world.server.released, [FIRST]);
    assert.deepEqual([manager.owed, world.files.size, pod.history], [0, 0, []]);
    await manager.close();
    assert.equal(world.time.pending, 0);
  });

  test('a DEL that comes meanwhile has nothing to do', async () => {
    const { world, manager, pod } = await rebooted();
    assert.equal(await world.time.until(manager.release(keyOf(pod))), false);
    await world.time.run(2000);
    assert.deepEqual([manager.owed, world.files.size, pod.history], [0, 0, []]);
  });

  test('an ADD of the same key gets a lease of its own', async () => {
    const { world, manager, pod } = await rebooted();
    const request = requestFor(world, pod);
    const lease = await world.time.until(manager.acquire(request, new AbortController().signal));
    request.pod.close();
    assert.ok(lease.ok);
    assert.ok(world.journal.includes('DISCOVER'));
    assert.equal(manager.get(keyOf(pod))?.record.bootId, 'boot-1');
    assert.equal(request.uplinkIndex, UPLINK);
  });
});
