import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { PodModel } from './support/pods.ts';
import { attach, attached, FakeWorld, keyOf, managerOf, requestFor, stored } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const OTHER = ipv4('192.168.1.150');
const T1_MS = 1_743_750;
const LEASE_MS = 3_600_000;
const ROUND_MS = 21_000;

async function attachedPod(): Promise<{ world: FakeWorld; manager: LeaseManager; pod: PodModel }> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  manager.watch();
  const pod = world.addPod('a');
  await attached(world, manager, pod);
  return { world, manager, pod };
}

function addressesOf(pod: PodModel): readonly string[] {
  return pod.addresses.map(({ address }) => address);
}

async function next(world: FakeWorld): Promise<LeaseManager> {
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  manager.watch();
  return manager;
}

/** The process ends at this moment: no promise of it goes on. */
function die(world: FakeWorld): void {
  const never = new Promise<never>(() => undefined);
  world.store.put = () => never;
  world.store.remove = () => never;
}

async function adopt(world: FakeWorld, manager: LeaseManager, pod: PodModel, address: Ipv4): Promise<void> {
  const request = requestFor(world, pod);
  try {
    assert.ok(await manager.adopt(request, { address, prefix: 16 }));
  } finally {
    request.pod.close();
  }
}

describe('an address that has to go', () => {
  test('the namespace could not be seen when the lease ended: it goes when it can', async () => {
    const { world, manager, pod } = await attachedPod();
    world.server.mood = 'silent';
    await world.time.run(LEASE_MS - 2000);
    const [open, at] = [world.openPod.bind(world), world.namespaceAt.bind(world)];
    world.openPod = (path) => {
      throw new SysError(`open ${path}`, 'ENOENT');
    };
    world.namespaceAt = () => ({ kind: 'unseen', why: 'the folder is not shared' });
    await world.time.run(10_000);
    assert.deepEqual([addressesOf(pod), stored(world)[0]?.leftovers?.length], [[FIRST], 1]);
    world.openPod = open;
    world.namespaceAt = at;
    await world.time.run(ROUND_MS);
    assert.deepEqual([addressesOf(pod), stored(world)[0]?.leftovers], [[], undefined]);
    await manager.close();
  });

  test('the daemon ended between the record and the change: the next one takes the old one off', async () => {
    const { world, pod } = await attachedPod();
    world.server.rebind(OTHER);
    const put = world.store.put.bind(world.store);
    world.store.put = async (record) => {
      await put(record);
      if (record.state.kind === 'bound' && record.state.lease.address.address === OTHER) die(world);
      if (world.store.put !== put) await new Promise(() => undefined);
    };
    await world.time.run(T1_MS + 100);
    assert.deepEqual(addressesOf(pod), [FIRST]);
    const after = new FakeWorld();
    for (const [name, text] of world.files) after.files.set(name, text);
    after.pods.set(pod.path, pod);
    after.server.rebind(OTHER);
    const manager = await next(after);
    await after.time.run(1000);
    assert.deepEqual(addressesOf(pod), [OTHER]);
    assert.equal(stored(after)[0]?.leftovers, undefined);
    await manager.close();
  });

  test('refused, and the same address is given again: it stays', async () => {
    const { world, manager, pod } = await attachedPod();
    world.server.mood = 'silent';
    await world.time.run(LEASE_MS - 1000);
    const open = world.openPod.bind(world);
    let refusals = 3;
    world.openPod = (path) => {
      const opened = open(path);
      const configure = opened.configure.bind(opened);
      opened.configure = async (index, wanted) => {
        if (refusals-- > 0) throw new SysError('RTM_DELADDR', 'ENOBUFS');
        await configure(index, wanted);
      };
      return opened;
    };
    world.server.mood = 'sane';
    await world.time.run(5000);
    assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');
    pod.history.length = 0;
    await world.time.run(3 * ROUND_MS);
    assert.deepEqual([addressesOf(pod), pod.history], [[FIRST], []]);
    await manager.close();
  });
});

describe('an adopted address', () => {
  test('the daemon ends before a server has answered: the next one obeys what the server says', async () => {
    const { world, manager: other, pod } = await attachedPod();
    await other.close();
    world.files.clear();
    world.server.mood = 'silent';
    const manager = managerOf(world);
    await adopt(world, manager, pod, FIRST);
    assert.equal(stored(world).length, 1, 'stored before anybody is told');
    await manager.close();
    world.server.mood = 'sane';
    world.server.rebind(OTHER);
    const after = await next(world);
    await world.time.run(5000);
    assert.deepEqual(addressesOf(pod), [OTHER]);
    await after.close();
  });

  test('what was owed for it is forgotten: its lease is not given back under it', async () => {
    const { world, manager, pod } = await attachedPod();
    world.uplink.lowerUp = false;
    pod.link.lowerUp = false;
    world.pods.delete(pod.path);
    await world.time.run(3 * ROUND_MS);
    assert.deepEqual([manager.size, manager.owed], [0, 1]);
    world.pods.set(pod.path, pod);
    await adopt(world, manager, pod, FIRST);
    assert.equal(manager.owed, 0);
    world.uplink.lowerUp = true;
    pod.link.lowerUp = true;
    manager.linkChanged({ index: 2, name: 'uplink0', up: true, lowerUp: true, removed: false });
    await world.time.run(120_000);
    assert.deepEqual(world.server.released, []);
    assert.deepEqual(
      stored(world).map(({ owner, state }) => [owner, state.kind]),
      [['pod', 'bound']],
    );
    await manager.close();
  });

  test('a DEL before its turn leaves nothing', async () => {
    const { world, manager: other, pod } = await attachedPod();
    await other.close();
    world.files.clear();
    const manager = managerOf(world);
    await adopt(world, manager, pod, FIRST);
    await world.time.until(manager.release(keyOf(pod)));
    await world.time.run(5000);
    assert.deepEqual([manager.size, world.files.size], [0, 0]);
    await manager.close();
  });
});

test('two pods of one identity: the second one waits for the address, and takes nothing from the first', async () => {
  const world = new FakeWorld();
  const manager = managerOf(world);
  const client = { clientId: '00aabb' };
  const [first, second] = [world.addPod('a'), world.addPod('b')];
  await attached(world, manager, first, { client });
  const refused = await attach(world, manager, second, { client });
  assert.ok(!refused.ok && refused.error.kind === 'no-lease');
  assert.match(
    refused.error.text,
    /192\.168\.1\.100 of 192\.168\.1\.1 \(8 times\): pod a\/lan\/eth0 of this node/,
  );
  assert.equal(world.counts.get('identity-shared'), 1);
  assert.deepEqual([world.journal.filter((what) => what === 'DECLINE'), world.server.released], [[], []]);
  assert.deepEqual([addressesOf(first), world.server.held], [[FIRST], [FIRST]]);
  await world.time.until(manager.release(keyOf(first)));
  assert.equal((await attached(world, manager, second, { client })).address.address, FIRST);
  world.server.released.length = 0;
  await world.time.until(manager.release(keyOf(second)));
  await world.time.run(60_000);
  assert.deepEqual(world.server.released, [FIRST]);
  await manager.close();
});
