import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { PodModel } from './support/pods.ts';
import { attached, FakeWorld, keyOf, managerOf, stored } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const T1_MS = 1_743_750;

/** A pod whose renewal will be refused, on a kernel that refuses so many changes of an interface from then on. */
async function refused(changes: number): Promise<{ world: FakeWorld; manager: LeaseManager; pod: PodModel }> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  manager.watch();
  const pod = world.addPod('a');
  await attached(world, manager, pod);
  pod.history.length = 0;
  world.server.mood = 'refusing';
  const open = world.openPod.bind(world);
  let left = changes;
  world.openPod = (path) => {
    const opened = open(path);
    const configure = opened.configure.bind(opened);
    opened.configure = async (index, wanted) => {
      if (left-- > 0) throw new SysError('RTM_DELADDR', 'ENOBUFS');
      await configure(index, wanted);
    };
    return opened;
  };
  return { world, manager, pod };
}

describe('a lost address that the kernel does not let go', () => {
  test('at first: it is gone a tenth of a second later, and nothing is sent without it before', async () => {
    const { world, manager, pod } = await refused(1);
    await world.time.run(T1_MS + 20);
    assert.deepEqual(pod.history, []);
    assert.ok(!world.journal.slice(world.journal.lastIndexOf('REQUEST')).includes('DISCOVER'));
    await world.time.run(100);
    assert.deepEqual(pod.history, [`-${FIRST}/16`]);
    await manager.close();
  });

  test('for longer: each look at the pod tries again', async () => {
    const { world, manager, pod } = await refused(4);
    await world.time.run(T1_MS + 5000);
    assert.deepEqual(pod.history, []);
    assert.ok((world.counts.get('lease-work-failed') ?? 0) > 0, 'it is told');
    await world.time.run(45_000);
    assert.deepEqual(pod.history, [`-${FIRST}/16`]);
    await manager.close();
  });
});

test('nothing that is owed is sent before all leases are known', async () => {
  const earlier = new FakeWorld('boot-0');
  const before = managerOf(earlier);
  await attached(earlier, before, earlier.addPod('a'));
  await before.close();
  const world = new FakeWorld('boot-1');
  for (const [name, text] of earlier.files) world.files.set(name, text);
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  await world.time.run(10_000);
  assert.deepEqual([manager.owed, world.server.released], [1, []]);
  manager.watch();
  await world.time.run(5000);
  assert.deepEqual([manager.owed, world.server.released], [0, [FIRST]]);
  await manager.close();
});

test('an address that is missing after a restart is put back, and the server is asked at once', async () => {
  const world = new FakeWorld();
  const before = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, before, pod);
  await world.time.run(60_000);
  await before.close();
  // As when the daemon is killed between taking a refused address away and writing that down.
  pod.addresses = [];
  world.server.forgetAll();
  world.journal.length = 0;
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  await world.time.run(100);
  assert.equal(world.counts.get('nak'), 1);
  await world.time.run(2000);
  assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');
  await manager.close();
});
