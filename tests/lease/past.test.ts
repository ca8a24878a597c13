import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { PodModel } from './support/pods.ts';
import {
  assertNothingHeld,
  attach,
  attached,
  FakeWorld,
  keyOf,
  managerOf,
  type Overrides,
  stored,
} from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const SECOND = ipv4('192.168.1.101');
const STRANGE = ipv4('10.9.9.9');
const WEB = Buffer.from('\0shop/web-0/eth0').toString('hex');
/** Every container of web-0 is this client. */
const AS_WEB: Overrides = { remember: true, client: { clientId: WEB } };
const NAME = `lan ${WEB}`;

/** Containers of one pod, one after another, and others in between. */
function site() {
  const world = new FakeWorld();
  const manager = managerOf(world);
  let count = 0;
  const add = async (overrides: Overrides = AS_WEB): Promise<{ pod: PodModel; address: string }> => {
    count += 1;
    const pod = world.addPod(`c${count}`);
    return { pod, address: (await attached(world, manager, pod, overrides)).address.address };
  };
  const del = async (pod: PodModel): Promise<void> => {
    await world.time.until(manager.release(keyOf(pod)));
    world.pods.delete(pod.path);
  };
  return { world, manager, add, del };
}

describe('a client that comes back', () => {
  test('gets its address from a server that forgets what is released, and gives the lowest free one', async () => {
    const { world, add, del } = site();
    const other = await add({});
    const web = await add();
    assert.deepEqual([other.address, web.address], [FIRST, SECOND]);
    await del(web.pod);
    await del(other.pod);
    assert.equal(world.addresses.get(NAME), SECOND);
    world.journal.length = 0;
    assert.equal((await add()).address, SECOND);
    assert.equal(world.journal[0], 'DISCOVER', 'no INIT-REBOOT to a server that stays silent');
  });

  test('takes another one when its own is taken, and is remembered with that', async () => {
    const { world, add, del } = site();
    const web = await add();
    await del(web.pod);
    assert.equal((await add({})).address, FIRST);
    const again = await add();
    assert.equal(again.address, SECOND);
    await del(again.pod);
    assert.equal(world.addresses.get(NAME), SECOND);
  });

  test('takes what there is where its address makes no sense any more', async () => {
    const { world, add } = site();
    world.addresses.set(NAME, STRANGE);
    assert.equal((await add()).address, FIRST);
  });

  test('insists on the address that is asked for, whatever is remembered', async () => {
    const { world, add } = site();
    world.addresses.set(NAME, FIRST);
    const client = { clientId: WEB, requestedAddress: SECOND };
    const pod = world.addPod('strict');
    const manager = managerOf(world);
    world.journal.length = 0;
    await attach(world, manager, pod, { remember: true, client }, AbortSignal.abort());
    assert.ok(!world.journal.includes('DISCOVER'));
    assert.equal((await add()).address, FIRST);
  });

  test('on another network it is another client', async () => {
    const { world, add } = site();
    world.addresses.set(NAME, SECOND);
    const key = { containerId: 'x', network: 'iot', ifname: 'eth0' };
    assert.equal((await add({ ...AS_WEB, key })).address, FIRST);
  });
});

describe('what is remembered', () => {
  test('nothing of a container that is a client of its own', async () => {
    const { world, add, del } = site();
    const { pod } = await add({});
    await del(pod);
    assert.equal(world.addresses.size, 0);
  });

  test('nothing of an ADD that got no address', async () => {
    const { world, manager } = site();
    world.server.mood = 'silent';
    const lease = await attach(world, manager, world.addPod('a'), AS_WEB);
    assert.ok(!lease.ok);
    assert.equal(world.addresses.size, 0);
    assertNothingHeld(world, manager);
  });

  test('the address of a pod that is gone, whose RELEASE comes from the host', async () => {
    const { world, manager, add } = site();
    const { pod } = await add();
    world.pods.delete(pod.path);
    await world.time.until(manager.release(keyOf(pod)));
    assert.equal(world.addresses.get(NAME), FIRST);
  });

  test('that of a pod that goes away without a DEL', async () => {
    const { world, manager, add } = site();
    manager.watch();
    const { pod } = await add();
    world.pods.delete(pod.path);
    await world.time.run(120_000);
    assert.equal(manager.size, 0);
    assert.equal(world.addresses.get(NAME), FIRST);
  });

  test('that of the boot before', async () => {
    const { world, manager, add } = site();
    await add();
    const [record] = stored(world);
    await manager.close();
    assert.ok(record?.remember);
    const next = new FakeWorld('boot-2');
    await next.time.until(managerOf(next).resume(record));
    assert.equal(next.addresses.get(NAME), FIRST);
  });

  test('that of a lease that ended while its server was away', async () => {
    const { world, add, del } = site();
    const { pod } = await add();
    world.server.mood = 'silent';
    await world.time.run(3_700_000);
    assert.deepEqual(pod.addresses, []);
    await del(pod);
    assert.equal(world.addresses.get(NAME), FIRST);
  });

  test('a failure to write it is counted, and fails no DEL', async () => {
    const { world, manager, add, del } = site();
    const { pod } = await add();
    world.pastError = new SysError('write', 'ENOSPC');
    await del(pod);
    await world.time.run(10);
    assertNothingHeld(world, manager);
    assert.equal(world.counts.get('past-failed'), 1);
    assert.deepEqual(world.warnings, ['an address could not be remembered']);
  });
});
