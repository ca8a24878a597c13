import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attached, FakeWorld, keyOf, managerOf, stored } from './support/world.ts';
import type { PodModel } from './support/pods.ts';

const CLIENTS = 200;
const HOUR_MS = 3_600_000;
const HOURS = 24;
const LOSS = 0.1;
/** The server is away for two hours of the day, which is longer than a lease. */
const AWAY = { from: 6, to: 8 };
/** An ADD that was never answered is tried again by the runtime; so is the search for a lost lease. */
const SETTLE_MS = 10 * 60_000;

function seedOf(): number {
  const wanted = Number(process.env['SEED']);
  return Number.isInteger(wanted) && wanted > 0 ? wanted : Math.floor(Math.random() * 2 ** 31);
}

/** mulberry32: small, and the same numbers for the same seed. */
function numbers(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What must hold at every moment. */
function check(world: FakeWorld, leases: ReturnType<typeof managerOf>): void {
  const owners = new Map<string, string>();
  for (const pod of world.pods.values()) {
    assert.ok(pod.addresses.length <= 1, 'one address for each pod');
    for (const { address } of pod.addresses) {
      assert.equal(owners.get(address), undefined, `${address} has one owner`);
      owners.set(address, pod.path);
      const lease = leases.get(keyOf(pod))?.lease;
      assert.equal(lease?.address.address, address, 'what the pod has is what the lease says');
      const end = lease?.times?.expiresAt;
      assert.ok(end !== undefined && end > world.time.now(), `${address} is not used past its end`);
    }
  }
}

test(`${CLIENTS} clients for a day, a tenth of all messages lost, a server that is away for two hours`, async (t) => {
  const seed = seedOf();
  t.diagnostic(`SEED=${seed}`);
  const world = new FakeWorld();
  world.random = numbers(seed);
  const chance = numbers(seed + 1);
  world.loses = () => chance() < LOSS;
  world.server.leaseSecs = HOUR_MS / 1000;
  const manager = managerOf(world);
  const pods: PodModel[] = [];
  for (let i = 0; i < CLIENTS; i++) pods.push(world.addPod(`pod-${i}`));
  for (const pod of pods) await attached(world, manager, pod);
  check(world, manager);

  for (let quarter = 0; quarter < HOURS * 4; quarter++) {
    const hour = quarter / 4;
    world.server.mood = hour >= AWAY.from && hour < AWAY.to ? 'silent' : 'sane';
    await world.time.run(HOUR_MS / 4);
    check(world, manager);
    if (hour === AWAY.to - 0.25) {
      assert.ok(
        pods.every(({ addresses }) => addresses.length === 0),
        'without a server all leases end',
      );
    }
  }
  await world.time.run(SETTLE_MS);
  check(world, manager);
  assert.ok(
    pods.every(({ addresses }) => addresses.length === 1),
    'in the end everybody has a lease',
  );
  assert.equal(stored(world).filter(({ state }) => state.kind !== 'init').length, CLIENTS);
  assert.ok(pods.every(({ sockets }) => sockets.size <= 1));

  for (const pod of pods) await world.time.until(manager.release(keyOf(pod)));
  assert.deepEqual([manager.size, world.files.size], [0, 0]);
  await manager.close();
});
