import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import { parseArpFrame } from '../../src/wire/arp.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import { attached, FakeWorld, keyOf, managerOf, SERVER_MAC } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const OTHER_MAC = mac('02:00:5e:00:00:aa');
/** Three questions, 100 ms apart. */
const ASKING_MS = 300;

type Scene = {
  readonly world: FakeWorld;
  readonly manager: LeaseManager;
  readonly pods: readonly PodModel[];
};

/** Pods that have spoken with their server. */
async function scene(count = 1, prepare = (_world: FakeWorld): unknown => undefined): Promise<Scene> {
  const world = new FakeWorld();
  prepare(world);
  const manager = managerOf(world);
  const pods: PodModel[] = [];
  for (let i = 0; i < count; i++) {
    const pod = world.addPod(`pod-${i}`);
    await attached(world, manager, pod);
    pods.push(pod);
  }
  world.journal.length = 0;
  return { world, manager, pods };
}

/** DEL of all of them at once; how long it took. */
async function del({ world, manager, pods }: Scene): Promise<number> {
  const from = world.time.now();
  const delOf = async (pod: PodModel): Promise<void> => {
    await manager.release(keyOf(pod), true);
    pod.linkGone = true;
  };
  await world.time.until(Promise.all(pods.map(delOf)));
  return world.time.now() - from;
}

function asked({ world }: Scene): readonly string[] {
  return world.questions.map(({ targetIp }) => targetIp);
}

describe('a RELEASE goes to where the server is now', () => {
  test('it is: one question, and nothing is owed', async () => {
    const all = await scene();
    assert.ok((await del(all)) < 10);
    assert.deepEqual([asked(all), all.manager.owed], [[SERVER], 0]);
    await all.world.time.run(10);
    assert.deepEqual(all.world.server.released, [FIRST]);
    await all.manager.close();
  });

  test('pods that are deleted together ask once for all', async () => {
    const all = await scene(50);
    await del(all);
    await all.world.time.run(10);
    assert.deepEqual([asked(all), all.manager.owed, all.world.server.released.length], [[SERVER], 0, 50]);
    await all.manager.close();
  });

  test('it has another MAC address now: that is where the RELEASE goes', async () => {
    const all = await scene();
    all.world.hosts.set(SERVER, OTHER_MAC);
    await del(all);
    await all.world.time.run(10);
    assert.deepEqual([asked(all), all.manager.owed, all.world.server.released], [[SERVER], 0, [FIRST]]);
    assert.equal(all.world.sentTo.at(-1), `RELEASE to ${OTHER_MAC}`);
    assert.equal(all.world.files.size, 0);
    await all.manager.close();
  });

  test('somebody claims its address, and is quicker: the one of before answers as well, and has it', async () => {
    const all = await scene(3);
    const { world } = all;
    const send = world.frames.send.bind(world.frames);
    world.frames.send = (index, frame) => {
      const sent = send(index, frame);
      const lie = { senderMac: OTHER_MAC, senderIp: SERVER, targetMac: world.uplink.mac, targetIp: IPV4_ANY };
      if (parseArpFrame(frame).ok) world.hearArp({ op: 'reply', ...lie });
      return sent;
    };
    assert.ok((await del(all)) < 10);
    await world.time.run(10);
    assert.deepEqual(new Set(world.sentTo.slice(-3)), new Set([`RELEASE to ${SERVER_MAC}`]));
    assert.deepEqual([all.manager.owed, world.server.released.length], [0, 3]);
    await all.manager.close();
  });

  for (const [what, rename] of [
    ['renamed', ({ uplink }: FakeWorld) => (uplink.name = 'lan0')],
    [
      'renamed, and another one has its name',
      (world: FakeWorld) => {
        const other = { ...world.uplink, index: world.uplink.index + 1 };
        world.frames.link = (name) => (name === other.name ? other : undefined);
      },
    ],
  ] as const) {
    test(`the uplink was ${what}: it is the same one`, async () => {
      const all = await scene();
      rename(all.world);
      await del(all);
      await all.world.time.run(10);
      assert.deepEqual([asked(all), all.manager.owed, all.world.server.released], [[SERVER], 0, [FIRST]]);
      await all.manager.close();
    });
  }

  test('it had moved and came back within a second of silence: asked anew later', async () => {
    const all = await scene(2);
    const [first, second] = all.pods;
    assert.ok(first && second);
    const server = all.world.hosts.get(SERVER);
    assert.ok(server);
    all.world.hosts.delete(SERVER);
    await del({ ...all, pods: [first] });
    all.world.hosts.set(SERVER, server);
    await all.world.time.run(2000);
    all.world.questions.length = 0;
    await del({ ...all, pods: [second] });
    assert.deepEqual(asked(all), [SERVER]);
    assert.equal(all.manager.owed, 0, 'both are given back');
    await all.manager.close();
  });

  test('nobody answers: nothing is sent, it is owed; a DEL waits for that once', async () => {
    const all = await scene(20);
    all.world.hosts.delete(SERVER);
    const took = await del(all);
    assert.ok(took >= ASKING_MS && took < 2 * ASKING_MS, `${took} ms`);
    assert.equal(all.manager.owed, 20);
    assert.equal(asked(all).filter((address) => address === SERVER).length, 3);
    await all.manager.close();
  });

  test('the server is the node itself: nobody has to be asked', async () => {
    const all = await scene(1, (world) => world.hosts.set(SERVER, world.uplink.mac));
    await del(all);
    assert.deepEqual([asked(all), all.manager.owed], [[], 0]);
    await all.manager.close();
  });
});
