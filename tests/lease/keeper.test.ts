import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { attached, FakeWorld, keyOf, managerOf, running, stored, UPLINK } from './support/world.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';

const FIRST = ipv4('192.168.1.100');
/** Two rounds of 20 s, and a little. */
const TWO_ROUNDS_MS = 41_000;
const DOWN = { index: UPLINK, name: 'uplink0', up: true, lowerUp: false, removed: false };
const UP = { ...DOWN, lowerUp: true };

describe('a pod that is looked after', () => {
  test('all is well: nothing is sent, written or touched', async () => {
    const { world, manager, pod } = await running();
    await world.time.run(600_000);
    assert.deepEqual([world.journal, pod.history, pod.openHandles], [[], [], 0]);
    await manager.close();
    assert.equal(world.time.pending, 0, 'no timer is left');
  });

  test('its namespace went without a DEL: released within a minute', async () => {
    const { world, manager, pod } = await running();
    world.pods.delete(pod.path);
    await world.time.run(TWO_ROUNDS_MS + 1000);
    assert.deepEqual(world.server.released, [FIRST]);
    assert.deepEqual([manager.size, manager.owed, world.files.size], [0, 0, 0]);
    assert.equal(world.counts.get('pod-gone'), 1);
    await manager.close();
  });

  test('another namespace lies at its path: released, and the other one is not touched', async () => {
    const { world, manager, pod } = await running();
    world.pods.delete(pod.path);
    const other = world.addPod('a', 50);
    await world.time.run(TWO_ROUNDS_MS + 1000);
    assert.deepEqual([manager.size, world.server.released, other.history], [0, [FIRST], []]);
    await manager.close();
  });

  test('its interface was removed: released within a minute', async () => {
    const { world, manager, pod } = await running();
    pod.linkGone = true;
    pod.addresses = [];
    await world.time.run(TWO_ROUNDS_MS + 1000);
    assert.deepEqual([manager.size, world.server.released], [0, [FIRST]]);
    await manager.close();
  });

  test('it is missing in one look only: it stays', async () => {
    const { world, manager, pod } = await running();
    world.pods.delete(pod.path);
    await world.time.run(20_200);
    world.pods.set(pod.path, pod);
    await world.time.run(60_000);
    assert.deepEqual([manager.size, world.journal], [1, []]);
    await manager.close();
  });

  test('its namespace cannot be seen: nothing is done', async () => {
    const { world, manager } = await running();
    world.namespaceAt = () => ({ kind: 'unseen', why: 'the folder is not shared' });
    await world.time.run(120_000);
    assert.deepEqual([manager.size, world.server.released], [1, []]);
    await manager.close();
  });

  test('somebody removed its address: it is put back with its routes', async () => {
    const { world, manager, pod } = await running();
    const { routes } = pod;
    pod.addresses = [];
    pod.routes = [];
    await world.time.run(21_000);
    assert.deepEqual(pod.history, [`+${FIRST}/16`]);
    assert.deepEqual(pod.routes, routes);
    assert.equal(world.counts.get('address-restored'), 1);
    assert.deepEqual(world.journal, [], 'the server need not know');
    await manager.close();
  });

  test('somebody renamed its interface: it is renewed all the same', async () => {
    const { world, manager, pod } = await running();
    pod.link.name = 'lan0';
    await world.time.run(1_800_000);
    assert.equal(world.counts.get('lease-extended'), 1);
    await manager.close();
  });
});

describe('a cable', () => {
  test('out for a moment: nothing is asked', async () => {
    const { world, manager } = await running();
    manager.linkChanged(DOWN);
    await world.time.run(5000);
    manager.linkChanged(UP);
    await world.time.run(5000);
    assert.deepEqual(world.journal, []);
    await manager.close();
  });

  test('out for longer: the lease is verified, by broadcast without a source address', async () => {
    const { world, manager } = await running();
    manager.linkChanged(DOWN);
    await world.time.run(30_000);
    manager.linkChanged(UP);
    await world.time.run(1000);
    assert.deepEqual(world.journal, ['REQUEST', 'put']);
    assert.equal(world.sentFrom.at(-1), 'REQUEST from 0.0.0.0');
    await manager.close();
  });

  test('in another network afterwards: the NAK takes the address away, a new one comes', async () => {
    const { world, manager, pod } = await running();
    manager.linkChanged(DOWN);
    await world.time.run(3_600_000 / 4);
    world.server.forgetAll();
    manager.linkChanged(UP);
    await world.time.run(2000);
    assert.deepEqual(pod.history, [`-${FIRST}/16`, `+${FIRST}/16`]);
    assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');
    await manager.close();
  });

  test('a lost lease is asked for as soon as the cable is back', async () => {
    const { world, manager, pod } = await running();
    world.uplink.lowerUp = false;
    pod.link.lowerUp = false;
    manager.linkChanged(DOWN);
    await world.time.run(2 * 3_600_000);
    assert.deepEqual(pod.addresses, []);
    world.uplink.lowerUp = true;
    pod.link.lowerUp = true;
    manager.linkChanged(UP);
    await world.time.run(500);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [FIRST],
    );
    await manager.close();
  });
});

async function thousand(away: number): Promise<{ world: FakeWorld; manager: LeaseManager }> {
  const world = new FakeWorld();
  world.server.poolSize = 1000;
  const before = managerOf(world);
  for (let i = 0; i < 1000; i++) await attached(world, before, world.addPod(`pod-${i}`));
  await before.close();
  world.journal.length = 0;
  await world.time.run(away);
  const manager = managerOf(world);
  for (const record of stored(world)) await manager.resume(record);
  manager.watch();
  return { world, manager };
}

describe('a thousand leases taken up', () => {
  test('in time: not one packet', async () => {
    const { world, manager } = await thousand(60_000);
    await world.time.run(1000);
    assert.deepEqual([manager.size, world.journal], [1000, []]);
    await manager.close();
  });

  test('all of them past T1: fifty a second', async () => {
    const { world, manager } = await thousand(1_900_000);
    await world.time.run(1000);
    const sent = world.journal.filter((what) => what === 'REQUEST').length;
    assert.ok(sent >= 40 && sent <= 60, `${sent} in the first second`);
    await world.time.run(30_000);
    assert.ok(stored(world).every(({ state }) => state.kind === 'bound'));
    assert.equal(world.journal.filter((what) => what === 'REQUEST').length, 1000);
    await manager.close();
  });
});
