import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import { attach, attached, FakeWorld, managerOf } from './support/world.ts';

// After a conflict: a server that does not listen to DECLINE, and one whose pool is full of machines set by hand.
const FIRST = ipv4('192.168.1.100');
const LAPTOP_MAC = mac('02:00:5e:00:00:50');

function addressesOf(pod: PodModel): readonly string[] {
  return pod.addresses.map(({ address }) => address);
}

function times(world: FakeWorld, what: string): number {
  return world.journal.filter((one) => one === what).length;
}

function withSquatter(): FakeWorld {
  const world = new FakeWorld();
  world.hosts.set(FIRST, LAPTOP_MAC);
  return world;
}

describe('an address that another host was seen with', () => {
  test('is used once at most, however often it is offered, and by no other pod', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'background' });
    await world.time.run(300_000);
    assert.deepEqual(addressesOf(pod), []);
    assert.equal(pod.history.filter((line) => line === `+${FIRST}/16`).length, 1);
    assert.equal(times(world, 'REQUEST'), 1);
    assert.ok(times(world, 'DECLINE') > 5, 'the server does not listen');
    const other = world.addPod('b');
    world.server.forgetAll();
    const refused = await attach(world, manager, other, { conflictCheck: 'background' });
    assert.ok(!refused.ok && refused.error.kind === 'no-lease');
    assert.match(refused.error.text, new RegExp(`did not take ${FIRST} of ${SERVER}.*${LAPTOP_MAC} has it`));
    assert.ok(!other.history.includes(`+${FIRST}/16`));
    await manager.close();
  });

  test('is taken again after a while, when that host is gone', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'background' });
    await world.time.run(60_000);
    world.hosts.delete(FIRST);
    await world.time.run(700_000);
    assert.deepEqual(addressesOf(pod), [FIRST]);
    await manager.close();
  });

  test('is looked for before it is taken again: who is still there keeps it', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'background' });
    await world.time.run(3_600_000);
    assert.equal(pod.history.filter((line) => line === `+${FIRST}/16`).length, 1);
    assert.ok(times(world, 'REQUEST') > 1, 'it was asked for again after a while');
    await manager.close();
  });

  test('is no matter where nobody looks for conflicts', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), { conflictCheck: 'background' });
    await world.time.run(20_000);
    const lease = await attached(world, manager, world.addPod('b'), { conflictCheck: 'off' });
    assert.ok(lease.address.address.startsWith('192.168.1.'));
    await manager.close();
  });

  test('is in the error of an ADD that looks before use and finds all of them in use', async () => {
    const world = new FakeWorld();
    world.server.avoidDeclined = true;
    for (let last = 100; last < 110; last++) world.hosts.set(ipv4(`192.168.1.${last}`), LAPTOP_MAC);
    const manager = managerOf(world);
    const lease = await attach(world, manager, world.addPod('a'), { conflictCheck: 'before' });
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(lease.error.outcome, 'unusable');
    assert.match(lease.error.text, /^sent 6 DISCOVERs, 6 REQUESTs and \d DECLINEs in 1 min; took 6 OFFERs; /);
    for (let last = 100; last < 105; last++) {
      assert.match(
        lease.error.text,
        new RegExp(`did not take 192.168.1.${last} of ${SERVER}: ${LAPTOP_MAC} has it`),
      );
    }
    assert.deepEqual(world.server.held, []);
    await manager.close();
  });
});

describe('a pool in which every address is another host’s', () => {
  test('of a running pod: an address each ten seconds, from the tenth conflict in a row on one a minute (RFC 5227 2.1.1)', async () => {
    const world = new FakeWorld();
    world.server.avoidDeclined = true;
    for (let last = 100; last < 120; last++) world.hosts.set(ipv4(`192.168.1.${last}`), LAPTOP_MAC);
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), { conflictCheck: 'background' });
    const declinedAt: number[] = [];
    for (let second = 0; second < 600 && declinedAt.length < 13; second++) {
      await world.time.run(1000);
      if (times(world, 'DECLINE') > declinedAt.length) declinedAt.push(world.time.now());
    }
    const pauses = declinedAt.slice(1).map((at, i) => Math.floor((at - (declinedAt[i] ?? 0)) / 1000));
    assert.deepEqual(pauses, [...Array<number>(9).fill(10), 60, 60, 60]);
    await manager.close();
  });
});
