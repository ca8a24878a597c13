import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { parseArpFrame } from '../../src/wire/arp.ts';
import { attached, FakeWorld, keyOf, managerOf } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
/** The pace of all that is put off: fifty a second. */
const PAUSE_MS = 20;
/** ANNOUNCE_INTERVAL of RFC 5227 1.1. */
const INTERVAL_MS = 2000;
/** What pods that came together have in common. */
const GRAIN_MS = 50;
/** T1 of the server's leases of an hour. */
const TO_RENEWAL_MS = 1_900_000;
const OTHER = ipv4('192.168.1.101');

/** When the uplink says that `address` is somebody's, from now on, in milliseconds. */
function announcementsOf(world: FakeWorld, address = FIRST): number[] {
  const from = world.time.now();
  const times: number[] = [];
  const send = world.frames.send.bind(world.frames);
  world.frames.send = (index, frame) => {
    const arp = parseArpFrame(frame);
    if (arp.ok && arp.value.senderIp === address && arp.value.targetIp === address)
      times.push(world.time.now() - from);
    return send(index, frame);
  };
  return times;
}

function assertApart([first = 0, second = 0]: readonly number[]): void {
  const pause = second - first;
  assert.ok(pause >= INTERVAL_MS && pause < INTERVAL_MS + GRAIN_MS, `${pause} ms`);
}

describe('an address that a pod has now', () => {
  test('is announced to the LAN at once, by the uplink, and to the siblings in their turn', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pods = Array.from({ length: 10 }, (_, i) => world.addPod(`pod-${i}`));
    for (const pod of pods) await attached(world, manager, pod);
    world.questions.length = 0;
    for (const pod of pods) manager.announce(keyOf(pod));
    const said = world.questions
      .slice(0, pods.length)
      .map(({ senderIp, targetIp, senderMac }) => [senderIp, targetIp, senderMac]);
    assert.equal(said.length, pods.length);
    assert.deepEqual(said[0], [FIRST, FIRST, pods[0]?.link.mac]);
    const told = (): number => world.arpFromPods.length;
    assert.equal(told(), 0, 'not while somebody waits');
    await world.time.run(PAUSE_MS * 4 + 1);
    assert.equal(told(), 5);
    await world.time.run(PAUSE_MS * 5);
    assert.equal(told(), pods.length);
    await manager.close();
  });

  for (const conflictCheck of ['off', 'before', 'background'] as const)
    test(`${conflictCheck}: is announced twice, two seconds apart (RFC 5227 2.3)`, async () => {
      const world = new FakeWorld();
      const manager = managerOf(world);
      const pod = world.addPod('a');
      await attached(world, manager, pod, { conflictCheck });
      const times = announcementsOf(world);
      manager.announce(keyOf(pod));
      await world.time.run(10 * INTERVAL_MS);
      assert.equal(times.length, 2);
      assertApart(times);
      await manager.close();
    });

  test('background, by another plugin, which announces it as it likes: twice when it was looked for', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const times = announcementsOf(world);
    await attached(world, manager, world.addPod('a'), { conflictCheck: 'background', owned: false });
    await world.time.run(10 * INTERVAL_MS);
    assert.equal(times.length, 2);
    assertApart(times);
    await manager.close();
  });

  test('a new address of a running pod: by its kernel, and two seconds later by the uplink', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'off' });
    const times = announcementsOf(world, OTHER);
    world.server.rebind(OTHER);
    await world.time.run(TO_RENEWAL_MS);
    assert.ok(pod.has(OTHER));
    assert.equal(times.length, 1);
    await manager.close();
  });

  test('with a second announcement to be made the manager can be closed, and nothing is left', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod);
    const times = announcementsOf(world);
    manager.announce(keyOf(pod));
    await manager.close();
    await world.time.run(10 * INTERVAL_MS);
    assert.deepEqual(times, [0]);
  });

  test('a pod that has gone before its turn is left out, and nothing breaks', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const [gone, released] = [world.addPod('a'), world.addPod('b')];
    await attached(world, manager, gone);
    await attached(world, manager, released);
    manager.announce(keyOf(gone));
    manager.announce(keyOf(released));
    world.pods.delete(gone.path);
    await world.time.until(manager.release(keyOf(released)));
    world.questions.length = 0;
    await world.time.run(2 * INTERVAL_MS);
    assert.equal(world.counts.get('announcement-failed'), 1);
    assert.deepEqual(world.arpFromPods, []);
    assert.ok(world.questions.every(({ senderMac }) => senderMac !== released.link.mac));
    await manager.close();
  });

  test('leaves by the shim, where the node has one: no namespace is opened for it', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod);
    world.shim = { index: 77, mac: mac('02:00:5e:00:00:77') };
    const sent: number[] = [];
    const send = world.frames.send.bind(world.frames);
    world.frames.send = (index, frame) => {
      sent.push(index);
      return index === 77 ? undefined : send(index, frame);
    };
    manager.announce(keyOf(pod));
    await world.time.run(PAUSE_MS);
    assert.deepEqual([sent, world.arpFromPods], [[world.uplink.index, 77], []]);
    await manager.close();
  });

  test('without a lease nothing is said; without an uplink the pod says it, twice', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    manager.announce(keyOf(pod));
    await world.time.run(3 * INTERVAL_MS);
    assert.deepEqual([world.questions, world.arpFromPods], [[], []]);
    await attached(world, manager, pod, { uplinkIndex: undefined, lan: undefined });
    manager.announce(keyOf(pod));
    assert.equal(world.arpFromPods.length, 1);
    await world.time.run(INTERVAL_MS + GRAIN_MS);
    assert.deepEqual(world.arpFromPods, [pod.path, pod.path]);
    await world.time.run(3 * INTERVAL_MS);
    assert.equal(world.arpFromPods.length, 2);
    assert.deepEqual(world.questions, []);
    await manager.close();
  });
});
