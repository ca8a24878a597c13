import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { attach, attached, FakeWorld, keyOf, managerOf, stored } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const WAIT_SECONDS = 1800;

function v6OnlyWorld(): FakeWorld {
  const world = new FakeWorld();
  world.server.options = { 'v6-only-preferred': WAIT_SECONDS };
  return world;
}

describe('a network that prefers to be IPv6 only (RFC 8925)', () => {
  test('who did not ask for it is served as ever', async () => {
    const world = v6OnlyWorld();
    const manager = managerOf(world);
    const lease = await attached(world, manager, world.addPod('a'));
    assert.equal(lease.address.address, FIRST);
    await manager.close();
  });

  test('who asked gets no address, and the ADD has not failed', async () => {
    const world = v6OnlyWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const got = await attach(world, manager, pod, { client: { ipv6Only: true } });
    assert.deepEqual(got, { ok: true, value: undefined });
    assert.deepEqual(world.server.held, []);
    assert.deepEqual(
      stored(world).map(({ state }) => state.kind),
      ['ipv6-only'],
    );
    world.journal.length = 0;
    await world.time.run((WAIT_SECONDS - 1) * 1000);
    assert.deepEqual(world.journal, [], 'nothing is sent while it waits');
    await manager.close();
  });

  test('after the wait it is asked again, and an address that comes then is applied to the running pod', async () => {
    const world = v6OnlyWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attach(world, manager, pod, { client: { ipv6Only: true } });
    await manager.close();
    world.server.options = {};
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    await world.time.run((WAIT_SECONDS + 5) * 1000);
    assert.equal(next.get(keyOf(pod))?.lease?.address.address, FIRST);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [FIRST],
    );
    await next.close();
  });

  test('DEL while it waits: nothing to give back, nothing left', async () => {
    const world = v6OnlyWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attach(world, manager, pod, { client: { ipv6Only: true } });
    assert.equal(await world.time.until(manager.release(keyOf(pod))), true);
    assert.deepEqual([manager.size, manager.owed, world.files.size, world.time.pending], [0, 0, 0, 0]);
  });
});
