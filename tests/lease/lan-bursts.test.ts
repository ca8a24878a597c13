import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { seedOf } from './sim/random.ts';
import { HOUR_MS, MINUTE_MS, Sim } from './sim/sim.ts';

const PODS = 300;
const SECOND_MS = 1000;
/** 300 leases at 50 a second, and some tries. */
const ALL_DONE_MS = MINUTE_MS;

/** 300 pods with leases. What is sent from here on is counted. */
async function crowd(t: TestContext, leaseSecs = 3600): Promise<Sim> {
  const seed = seedOf();
  t.diagnostic(`SEED=${seed}`);
  const sim = new Sim({ seed });
  sim.server.leaseSecs = leaseSecs;
  await sim.start();
  await sim.addPods(PODS);
  return sim;
}

function addresses(sim: Sim): number {
  return [...sim.lan.pods.values()].filter((pod) => pod.addresses.length > 0).length;
}

/** Fifty leases a second have their turn, each with a question and perhaps a second one. */
async function assertPaced(sim: Sim): Promise<void> {
  const firstAddsOfAll = 2 * PODS;
  await sim.run(SECOND_MS);
  const sent = (sim.node.counts.get('message-sent') ?? 0) - firstAddsOfAll;
  assert.ok(sent > 0 && sent <= 2 * 51, `${sent} messages in the first second`);
}

async function flap(sim: Sim, times: number): Promise<void> {
  sim.disturb();
  for (let i = 0; i < times; i++) {
    // Now and then for long enough that the leases are to be verified.
    sim.node.carrier(false);
    await sim.run(i % 10 === 9 ? 11 * SECOND_MS : sim.random.between(10, 2 * SECOND_MS));
    sim.node.carrier(true);
    await sim.run(sim.random.between(10, 2 * SECOND_MS));
  }
}

/** Many leases want to send at once: what bounds them is in `Sim.BOUNDS`, and checked with each message. */
describe(`${PODS} leases at once`, () => {
  test('a daemon that was away for longer than all leases: addresses go at once, the search is paced', async (t) => {
    const sim = await crowd(t);
    await sim.restart('kill', 2 * HOUR_MS);
    await sim.run(1);
    assert.equal(addresses(sim), 0);
    await assertPaced(sim);
    assert.equal(sim.node.counts.get('lease-withdrawn'), PODS);
    await sim.run(ALL_DONE_MS);
    assert.equal(addresses(sim), PODS);
    await sim.finish();
  });

  test('a daemon that was away past T1 of all leases: renewed in turn, nothing is withdrawn', async (t) => {
    const sim = await crowd(t);
    await sim.restart('kill', 0.6 * HOUR_MS);
    await assertPaced(sim);
    await sim.run(ALL_DONE_MS);
    assert.equal(sim.node.counts.get('lease-extended'), PODS);
    assert.equal(sim.node.counts.get('lease-withdrawn'), undefined);
    await sim.finish();
  });

  for (const [what, hours] of [
    ['past T1', 0.6],
    ['past the end', 2],
  ] as const) {
    test(`a machine that slept ${what} of all leases`, async (t) => {
      const sim = await crowd(t);
      sim.time.sleep(hours * HOUR_MS);
      sim.calm();
      await assertPaced(sim);
      await sim.run(ALL_DONE_MS);
      assert.equal(addresses(sim), PODS);
      // RFC 2131 4.4.5: who has no lease any more begins in INIT.
      if (hours > 1) assert.equal(sim.checks.initReboots, 0);
      await sim.finish();
    });
  }

  test('a server that refuses everybody for a quarter of an hour', async (t) => {
    const sim = await crowd(t, 600);
    sim.server.mood = 'refuses-all';
    sim.disturb();
    await sim.run(15 * MINUTE_MS);
    assert.equal(addresses(sim), 0);
    const [, , minute = 0] = sim.checks.mostPerLease;
    assert.ok(minute <= 20, `${minute} messages of one lease in a minute`);
    sim.server.mood = 'sane';
    sim.calm();
    await sim.run(3 * MINUTE_MS);
    assert.equal(addresses(sim), PODS);
    await sim.finish();
  });

  test('a server that forgot all and refuses: everybody begins again', async (t) => {
    const sim = await crowd(t);
    sim.server.forgetAll();
    sim.server.adopts = false;
    await sim.run(HOUR_MS);
    assert.equal(addresses(sim), PODS);
    await sim.finish();
  });

  test('a carrier that flaps while a server is away', async (t) => {
    const sim = await crowd(t, 600);
    sim.disturb();
    sim.server.mood = 'silent';
    await sim.run(15 * MINUTE_MS);
    await flap(sim, 40);
    sim.server.mood = 'sane';
    sim.calm();
    await sim.run(3 * MINUTE_MS);
    assert.equal(addresses(sim), PODS);
    await sim.finish();
  });

  test('a carrier that flapped: a lease has one turn, however often its link came up', async (t) => {
    const sim = await crowd(t);
    await flap(sim, 40);
    sim.calm();
    await sim.run(MINUTE_MS);
    const before = sim.node.counts.get('message-sent');
    await sim.run(MINUTE_MS);
    assert.equal(sim.node.counts.get('message-sent'), before, 'nothing of it is left after a minute');
    await sim.finish();
  });

  test('a node that was rebooted: all is released, twenty a second', async (t) => {
    const sim = await crowd(t);
    await sim.node.stop();
    for (const attachment of sim.node.in('attached')) sim.node.vanish(attachment);
    sim.node.bootId = 'boot-2';
    await sim.start();
    const before = sim.node.counts.get('message-sent') ?? 0;
    await sim.run(SECOND_MS);
    const sent = (sim.node.counts.get('message-sent') ?? 0) - before;
    assert.ok(sent > 0 && sent <= 20, `${sent} in the first second`);
    await sim.finish();
    assert.deepEqual(sim.server.held, []);
  });
});
