import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { attached, FakeWorld, keyOf, managerOf, UPLINK } from '../lease/support/world.ts';

/** What takes longer than a test may, with the lease manager on virtual time. The server's leases last an hour. */

const FIRST = ipv4('192.168.1.100');
const HOUR_MS = 3_600_000;
/** The end of the lease falls between these two. */
const AROUND_MS = 5000;

describe('an hour in no time', () => {
  test('carrier-lost-an-hour: withdrawn at its end, and asked for as soon as the carrier is back', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    manager.watch();
    const pod = world.addPod('a');
    await attached(world, manager, pod);
    const setCarrier = (lowerUp: boolean): void => {
      world.uplink.lowerUp = lowerUp;
      pod.link.lowerUp = lowerUp;
      manager.linkChanged({ index: UPLINK, name: world.uplink.name, up: true, lowerUp, removed: false });
    };
    const addresses = (): readonly string[] => pod.addresses.map(({ address }) => address);

    setCarrier(false);
    await world.time.run(HOUR_MS / 4);
    assert.deepEqual(addresses(), [FIRST]);
    world.journal.length = 0;
    setCarrier(true);
    await world.time.run(1000);
    assert.equal(world.sentFrom.at(-1), 'REQUEST from 0.0.0.0', 'verified');
    assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');

    setCarrier(false);
    await world.time.run(HOUR_MS - AROUND_MS);
    assert.deepEqual(addresses(), [FIRST]);
    await world.time.run(AROUND_MS);
    assert.deepEqual(addresses(), []);
    assert.equal(world.counts.get('lease-withdrawn'), 1);
    setCarrier(true);
    await world.time.run(500);
    assert.deepEqual(addresses(), [FIRST]);
    await manager.close();
  });
});
