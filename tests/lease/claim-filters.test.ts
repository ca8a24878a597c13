import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { ClaimFilters } from '../../src/lease/claim-filters.ts';
import { announcement } from '../../src/protocol/acd4/packets.ts';
import type { ArpPacket } from '../../src/wire/arp.ts';
import { VirtualTime } from './support/time.ts';
import { attached, FakeWorld, keyOf, managerOf } from './support/world.ts';

const [A, B] = [ipv4('192.168.1.50'), ipv4('192.168.1.51')];
const FIRST = ipv4('192.168.1.100');
const ROUTER = ipv4('192.168.1.1');
const THIEF = mac('02:00:5e:10:00:99');
const [UPLINK, OTHER] = [2, 3];
const SECOND_MS = 1000;
const LOOKED_AFTER = { conflictCheck: 'background' } as const;

/** As the kernel of a host asks for its router. */
function question(senderIp: Ipv4): ArpPacket {
  return { ...announcement(senderIp, THIEF), targetIp: ROUTER };
}

function setUp() {
  const time = new VirtualTime('boot-1');
  const told: string[] = [];
  const from = time.now();
  const gone = new Set<number>();
  const filters = new ClaimFilters({ clock: time, timers: time }, (uplink) => ({
    attached: () => !gone.has(uplink),
    hearClaims: (addresses) => told.push(`${time.now() - from} ${uplink}: ${addresses.join(' ')}`),
  }));
  return { time, told, gone, filters };
}

describe('a tap is told whose questions it hears', () => {
  test('soon, and then once a second, however many come and go', async () => {
    const { time, told, filters } = setUp();
    const ends = Array.from({ length: 250 }, (_, i) => filters.add(UPLINK, ipv4(`192.168.1.${i}`)));
    await time.run(50);
    filters.add(OTHER, A);
    await time.run(60);
    assert.deepEqual(
      told.map((line) => line.split(' ').length),
      [252],
    );
    for (const end of ends) end();
    filters.add(UPLINK, B);
    await time.run(10 * SECOND_MS);
    assert.deepEqual(told.slice(1), [`150 ${OTHER}: ${A}`, `1100 ${UPLINK}: ${B}`]);
    assert.equal(time.pending, 0);
  });

  test('an address counts for as long as somebody watches it', async () => {
    const { time, told, filters } = setUp();
    const ends = [filters.add(UPLINK, A), filters.add(UPLINK, A)];
    filters.add(UPLINK, B);
    await time.run(SECOND_MS);
    ends[0]?.();
    ends[0]?.();
    await time.run(5 * SECOND_MS);
    ends[1]?.();
    await time.run(5 * SECOND_MS);
    assert.deepEqual(told, [`100 ${UPLINK}: ${A} ${B}`, `6100 ${UPLINK}: ${B}`]);
  });

  test('a new tap is told of all; one that is gone of nothing; after the end nobody', async () => {
    const { time, told, gone, filters } = setUp();
    gone.add(UPLINK);
    filters.add(UPLINK, A);
    filters.add(OTHER, B);
    await time.run(SECOND_MS);
    gone.delete(UPLINK);
    filters.opened(UPLINK);
    filters.opened(77);
    await time.run(5 * SECOND_MS);
    assert.deepEqual(told, [`100 ${OTHER}: ${B}`, `1100 ${UPLINK}: ${A}`]);
    filters.add(OTHER, A);
    filters.close();
    await time.run(5 * SECOND_MS);
    assert.deepEqual([told.length, time.pending], [2, 0]);
  });
});

describe('a host that only asks for others, with the address of a pod', () => {
  test('is told that it is in use, and has it when it goes on: the server hears a DECLINE', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, LOOKED_AFTER);
    await world.time.run(10 * SECOND_MS);
    world.questions.length = 0;
    world.hearArp(question(B));
    world.hearArp(question(FIRST));
    await world.time.run(SECOND_MS);
    assert.equal(world.counts.get('address-defended'), 1);
    assert.deepEqual(world.questions, [announcement(FIRST, pod.link.mac)]);
    world.hearArp(question(FIRST));
    await world.time.run(SECOND_MS);
    assert.equal(world.journal.filter((what) => what === 'DECLINE').length, 1);
    await manager.close();
  });

  test('is noticed while its address is looked at in the background, too', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), LOOKED_AFTER);
    await world.time.run(200);
    world.hearArp(question(FIRST));
    await world.time.run(SECOND_MS);
    assert.ok(world.journal.includes('DECLINE'));
    await manager.close();
  });

  test('with another address it wakes nobody, nor with one whose pod is gone', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, LOOKED_AFTER);
    await world.time.run(10 * SECOND_MS);
    assert.deepEqual([...world.claimed], [FIRST]);
    await world.time.until(manager.release(keyOf(pod)));
    await world.time.run(SECOND_MS);
    assert.deepEqual([...world.claimed], []);
    await manager.close();
  });

  test('where nothing is looked after, nothing is heard of it', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), { conflictCheck: 'off' });
    await world.time.run(10 * SECOND_MS);
    assert.deepEqual([world.claimFilters, world.claimed.size], [0, 0]);
    await manager.close();
  });

  test('a hundred pods that come together change the filter a few times', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pods = Array.from({ length: 100 }, (_, i) => world.addPod(`pod-${i}`));
    await Promise.all(pods.map((pod) => attached(world, manager, pod, LOOKED_AFTER)));
    await world.time.run(SECOND_MS);
    assert.equal(world.claimed.size, pods.length);
    assert.ok(world.claimFilters <= 3, String(world.claimFilters));
    await manager.close();
  });
});
