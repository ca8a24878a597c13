import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { announcement } from '../../src/protocol/acd4/packets.ts';
import { attached, FakeWorld, keyOf, managerOf, requestFor, UPLINK } from './support/world.ts';

// RFC 2131 4.1: the source address is 0 until there is a lease, and in each message that RFC 2131 table 5 sends without one.
// The daemon writes the IP header itself, so what a pod has on its other interfaces is not in it.
const FIRST = ipv4('192.168.1.100');
const THIEF = mac('02:00:5e:00:00:99');
/** T1 and the end of an hour's lease are within it. */
const LEASE_MS = 3_700_000;
const WAYS = [
  ['by the uplink', { uplinkIndex: UPLINK, lan: { index: UPLINK, name: 'uplink0' } }],
  ['by the pod, which is on no uplink', { uplinkIndex: undefined, lan: undefined }],
] as const;

for (const [way, place] of WAYS)
  describe(`the source address, ${way}`, () => {
    const given = { ...place, conflictCheck: 'background' } as const;

    test('is 0 in DISCOVER and in the REQUEST of SELECTING', async () => {
      const world = new FakeWorld();
      const manager = managerOf(world);
      await attached(world, manager, world.addPod('a'), given);
      assert.deepEqual(world.sentFrom, ['DISCOVER from 0.0.0.0', 'REQUEST from 0.0.0.0']);
      await manager.close();
    });

    test('is 0 in the REQUEST of INIT-REBOOT', async () => {
      const world = new FakeWorld();
      const manager = managerOf(world);
      const pod = world.addPod('a');
      pod.addresses.push({ address: FIRST, prefix: 24 });
      await manager.adopt(requestFor(world, pod, given), { address: FIRST, prefix: 24 });
      world.server.mood = 'silent';
      await world.time.run(1000);
      assert.deepEqual([...new Set(world.sentFrom)], ['REQUEST from 0.0.0.0']);
      await manager.close();
    });

    test('is the leased one in RENEWING and in REBINDING', async () => {
      const world = new FakeWorld();
      const manager = managerOf(world);
      const pod = world.addPod('a');
      await attached(world, manager, pod, given);
      world.sentFrom.length = 0;
      world.sentTo.length = 0;
      world.server.mood = 'silent';
      await world.time.run(LEASE_MS * 0.95);
      assert.deepEqual([...new Set(world.sentFrom)], [`REQUEST from ${FIRST}`]);
      assert.ok(new Set(world.sentTo).size > 1, 'to the server first, then to all');
      assert.ok(manager.get(keyOf(pod))?.lease !== undefined);
      await manager.close();
    });

    test('is 0 in DECLINE, and in what seeks another address', async () => {
      const world = new FakeWorld();
      const manager = managerOf(world);
      await attached(world, manager, world.addPod('a'), given);
      await world.time.run(1000);
      world.sentFrom.length = 0;
      world.server.avoidDeclined = true;
      world.hearArp(announcement(FIRST, THIEF));
      await world.time.run(20_000);
      assert.deepEqual(world.sentFrom.slice(0, 3), [
        'DECLINE from 0.0.0.0',
        'DISCOVER from 0.0.0.0',
        'REQUEST from 0.0.0.0',
      ]);
      await manager.close();
    });
  });
