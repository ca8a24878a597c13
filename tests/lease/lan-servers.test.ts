import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { seedOf } from './sim/random.ts';
import { HOUR_MS, Sim } from './sim/sim.ts';

const ROGUE = ipv4('192.168.0.66');
const ROGUE_POOL = { first: ipv4('192.168.120.1'), size: 200 };
const PODS = 40;

for (const mood of ['sane', 'refuses-all'] as const) {
  const what = mood === 'sane' ? 'offers addresses' : 'refuses everything';
  test(`a rogue server that ${what} for hours does nothing to pods with an allow list`, async (t) => {
    const seed = seedOf();
    t.diagnostic(`SEED=${seed}`);
    const sim = new Sim({ seed });
    sim.lan.addServer(ROGUE, ROGUE_POOL, false).mood = mood;
    await sim.start();
    const attached = await sim.addPods(PODS, { servers: [sim.server.ip] });
    await sim.run(6 * HOUR_MS);
    await sim.restart('kill', 2 * HOUR_MS);
    await sim.run(HOUR_MS);
    sim.disturb();
    sim.server.mood = 'silent';
    await sim.run(3 * HOUR_MS);
    for (const { pod } of attached) assert.deepEqual(pod.addresses, []);
    sim.server.mood = 'sane';
    sim.calm();
    await sim.run(HOUR_MS);
    for (const { pod } of attached) assert.ok(pod.addresses[0]?.address.startsWith('192.168.1.'));
    await sim.finish();
  });
}

test('a server that forgot all and does not look gives addresses away: nobody takes those of this node', async (t) => {
  const seed = seedOf();
  t.diagnostic(`SEED=${seed}`);
  const sim = new Sim({ seed, asksFirst: false });
  await sim.start();
  const early = await sim.addPods(PODS);
  sim.server.forgetAll();
  const late = await sim.addPods(PODS, { conflictCheck: 'background' });
  const careful = await sim.addPods(PODS, { conflictCheck: 'before' });
  await sim.run(10 * HOUR_MS);
  assert.ok((sim.node.counts.get('address-turned-down:held-on-this-node') ?? 0) > 0);
  const all = [...early, ...late, ...careful].flatMap(({ pod }) =>
    pod.addresses.map(({ address }) => address),
  );
  assert.equal(new Set(all).size, all.length);
  await sim.finish();
});
