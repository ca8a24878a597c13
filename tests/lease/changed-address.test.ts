import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { parseArpFrame } from '../../src/wire/arp.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import { attached, FakeWorld, keyOf, managerOf, requestFor, UPLINK } from './support/world.ts';

// A server, or the pod itself, gives a running pod another address.
const FIRST = ipv4('192.168.1.100');
const SECOND = ipv4('192.168.1.101');
const LAPTOP = ipv4('192.168.1.50');
const LAPTOP_MAC = mac('02:00:5e:00:00:50');
const LINK = { index: UPLINK, name: 'uplink0', up: true, removed: false };
/** T1 of the server's leases of an hour. */
const TO_RENEWAL_MS = 1_900_000;

function addressesOf(pod: PodModel): readonly string[] {
  return pod.addresses.map(({ address }) => address);
}

function times(world: FakeWorld, what: string): number {
  return world.journal.filter((one) => one === what).length;
}

/** An administrator, a rogue or the pod itself gives it one at T1. `uses`: what others could have asked for meanwhile. */
async function moved(to: Ipv4, prepare: (world: FakeWorld) => void) {
  const world = new FakeWorld();
  const manager = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, manager, pod, { conflictCheck: 'background' });
  await world.time.run(30_000);
  prepare(world);
  const uses = new Set<string | undefined>();
  const send = world.frames.send.bind(world.frames);
  world.frames.send = (index, frame) => {
    const arp = parseArpFrame(frame);
    const announces = arp.ok && arp.value.senderIp === arp.value.targetIp;
    if (!announces) uses.add(manager.get(keyOf(pod))?.lease?.address.address);
    return send(index, frame);
  };
  world.server.rebind(to);
  await world.time.run(TO_RENEWAL_MS);
  return { world, manager, pod, uses };
}

describe('another address for a running pod', () => {
  test('is looked for on the LAN, from the uplink too, then put there, and said', async () => {
    const { world, manager, pod, uses } = await moved(LAPTOP, () => undefined);
    assert.deepEqual(addressesOf(pod), [LAPTOP]);
    assert.deepEqual([...uses], [FIRST], 'the old one counts until nobody was found');
    assert.deepEqual(
      world.warned.filter(({ message }) => message.includes('gets another')).map(({ fields }) => fields),
      [{ lease: 'a/lan/eth0', before: FIRST, address: LAPTOP, server: SERVER }],
    );
    assert.equal(times(world, 'DECLINE'), 0);
    await manager.close();
  });

  for (const [how, podsAreDeaf] of [
    ['', false],
    [', also when the pod drops all ARP', true],
  ] as const) {
    test(`that a machine of the LAN has is declined and never used${how}`, async () => {
      const { world, manager, pod, uses } = await moved(LAPTOP, (lan) => {
        lan.hosts.set(LAPTOP, LAPTOP_MAC);
        lan.podsAreDeaf = podsAreDeaf;
      });
      assert.ok(uses.has(FIRST) && !uses.has(LAPTOP), [...uses].join());
      assert.ok(!pod.history.some((line) => line.includes(LAPTOP)), 'it never had it');
      assert.ok(times(world, 'DECLINE') > 0);
      assert.ok(pod.history.includes(`-${FIRST}/16`), 'the server moved it, so the old one is not its own');
      assert.deepEqual(addressesOf(pod), [FIRST], 'which the server gives to who asks anew');
      await manager.close();
    });
  }

  test('with conflictCheck off is taken at once, as it was asked for', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'off' });
    world.hosts.set(LAPTOP, LAPTOP_MAC);
    world.server.rebind(LAPTOP);
    await world.time.run(TO_RENEWAL_MS);
    assert.deepEqual(addressesOf(pod), [LAPTOP]);
    await manager.close();
  });

  test('that changes again while it is looked for: only the last one is put there', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'background' });
    await world.time.run(30_000);
    world.server.rebind(LAPTOP);
    const send = world.frames.send.bind(world.frames);
    let changes = 0;
    world.frames.send = (index, frame) => {
      // The cable went out and in, and the server says another one.
      if (changes++ === 1) {
        world.server.rebind(SECOND);
        manager.linkChanged({ ...LINK, lowerUp: false });
        manager.linkChanged({ ...LINK, lowerUp: true });
      }
      return send(index, frame);
    };
    await world.time.run(2 * TO_RENEWAL_MS);
    assert.deepEqual(addressesOf(pod), [SECOND]);
    assert.ok(times(world, 'DECLINE') === 0 && changes > 1);
    await manager.close();
  });

  test('is not used when the pod is deleted while it is looked for, and nothing is left', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'background' });
    await world.time.run(30_000);
    let released: Promise<boolean> | undefined;
    const send = world.frames.send.bind(world.frames);
    world.frames.send = (index, frame) => {
      if (parseArpFrame(frame).ok) released ??= manager.release(keyOf(pod));
      return send(index, frame);
    };
    world.server.rebind(LAPTOP);
    await world.time.run(TO_RENEWAL_MS);
    assert.equal(await released, true);
    assert.deepEqual([addressesOf(pod), manager.size, world.server.held], [[], 0, []]);
    await manager.close();
  });
});

/** A pod that has an address of which this daemon knows nothing. */
async function adopted(world: FakeWorld, pod: PodModel) {
  const manager = managerOf(world);
  pod.addresses = [{ address: FIRST, prefix: 16 }];
  const request = requestFor(world, pod, { conflictCheck: 'background' });
  await world.time.until(manager.adopt(request, { address: FIRST, prefix: 16 }));
  return manager;
}

/** A server that knows this pod under its first address. */
async function known(world: FakeWorld, name: string): Promise<PodModel> {
  const pod = world.addPod(name);
  const manager = managerOf(world);
  await attached(world, manager, pod);
  await manager.close();
  world.files.clear();
  pod.history.length = 0;
  return pod;
}

describe('an address that another DHCP client got for a pod', () => {
  test('is in use: nobody looks before it is taken up', async () => {
    const world = new FakeWorld();
    const pod = await known(world, 'a');
    const manager = await adopted(world, pod);
    await world.time.run(60_000);
    assert.deepEqual([addressesOf(pod), pod.history], [[FIRST], []]);
    assert.equal(manager.get(keyOf(pod))?.lease?.address.address, FIRST);
    await manager.close();
  });

  test('that the server replaces by one in conflict: neither of them stays', async () => {
    const world = new FakeWorld();
    world.hosts.set(SECOND, LAPTOP_MAC);
    await known(world, 'holder');
    world.pods.clear();
    const pod = world.addPod('a', 7);
    const manager = await adopted(world, pod);
    await world.time.run(60_000);
    assert.ok(times(world, 'DECLINE') > 0);
    assert.deepEqual([addressesOf(pod), pod.history], [[], [`-${FIRST}/16`]]);
    await manager.close();
  });
});
