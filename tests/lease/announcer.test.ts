import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { attached, FakeWorld, keyOf, managerOf } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
/** The pace of all that is put off: fifty a second. */
const PAUSE_MS = 20;

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
    await world.time.run(2 * PAUSE_MS);
    assert.equal(world.counts.get('announcement-failed'), 1);
    assert.deepEqual(world.arpFromPods, []);
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

  test('without a lease, or without an uplink, nothing is said', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    manager.announce(keyOf(pod));
    await attached(world, manager, pod, { uplinkIndex: undefined });
    world.questions.length = 0;
    manager.announce(keyOf(pod));
    await world.time.run(PAUSE_MS);
    assert.deepEqual([world.questions, world.arpFromPods], [[], []]);
    await manager.close();
  });
});
