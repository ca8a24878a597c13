import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { Sim, HOUR_MS, MINUTE_MS, OTHER_POOL } from './sim/sim.ts';
import type { Attachment } from './sim/node.ts';

const SEED = 7;

async function running(
  pods: number,
): Promise<{ readonly sim: Sim; readonly attached: readonly Attachment[] }> {
  const sim = new Sim({ seed: SEED });
  await sim.start();
  return { sim, attached: await sim.addPods(pods) };
}

describe('a store that was full', () => {
  test('what could not be written is written when there is space: a restart goes on with what the pod has', async () => {
    const { sim, attached } = await running(1);
    sim.storeFails(new SysError('write', 'ENOSPC'));
    sim.server.pool = OTHER_POOL;
    await sim.run(HOUR_MS);
    sim.storeFails(undefined);
    await sim.run(MINUTE_MS);
    const addresses = attached[0]?.pod.addresses.map(({ address }) => address);
    assert.deepEqual(addresses, [OTHER_POOL.first]);
    await sim.restart('kill', 1000);
    await sim.run(MINUTE_MS);
    assert.deepEqual(
      attached[0]?.pod.addresses.map(({ address }) => address),
      addresses,
    );
    assert.equal(sim.node.counts.get('address-restored'), undefined);
    await sim.finish();
  });

  test('a lease that was extended meanwhile is not taken for one that ended', async () => {
    const { sim } = await running(1);
    sim.storeFails(new SysError('write', 'EROFS'));
    await sim.run(2 * HOUR_MS);
    sim.storeFails(undefined);
    await sim.run(MINUTE_MS);
    await sim.restart('kill', 1000);
    await sim.run(MINUTE_MS);
    assert.equal(sim.node.counts.get('lease-withdrawn'), undefined);
    await sim.finish();
  });
});

/** ADDs, a renewal, another pool, DELs and a pod that goes without one. Returns true when the trap sprang. */
async function story(write: number, when: 'before' | 'after'): Promise<boolean> {
  const { sim, attached } = await running(2);
  let sprung = false;
  const spring = (): void => {
    sprung = true;
    sim.node.kill();
  };
  sim.node.disk.trap = { left: write, when, spring };
  const upAgain = async (ms: number): Promise<void> => {
    await sim.run(ms);
    if (sim.node.manager === undefined) await sim.start();
    await sim.run(MINUTE_MS);
  };
  sim.node.add({ conflictCheck: 'before', servers: [] });
  sim.node.add({ conflictCheck: 'background', servers: [ipv4('192.168.0.1')] });
  await upAgain(MINUTE_MS);
  await upAgain(HOUR_MS / 2);
  sim.server.pool = OTHER_POOL;
  await upAgain(HOUR_MS / 2);
  const [first, second] = attached;
  if (first !== undefined) sim.node.delete(first);
  if (second !== undefined) sim.node.vanish(second);
  await upAgain(2 * MINUTE_MS);
  sim.node.disk.trap = undefined;
  await sim.run(10 * MINUTE_MS);
  await sim.finish();
  return sprung;
}

describe('a daemon that is killed at a write', () => {
  for (const when of ['before', 'after'] as const) {
    test(`${when} each write of a story in turn: no lease is lost, none is left`, async () => {
      let write = 1;
      while (await story(write, when)) write += 1;
      assert.ok(write > 15, `${write - 1} writes`);
    });
  }
});
