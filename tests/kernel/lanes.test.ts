import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lane } from '../../src/kernel/lanes.ts';

test('runs as many at once as allowed, the others in order, failures included', async () => {
  const lane = new Lane(2);
  const log: string[] = [];
  const gates = ['a', 'b', 'c', 'd'].map((name) => ({ name, gate: Promise.withResolvers<void>() }));
  const done = gates.map(({ name, gate }) =>
    lane.run(async () => {
      log.push(name);
      await gate.promise;
    }),
  );
  const settled = Promise.allSettled(done);
  await new Promise(setImmediate);
  assert.deepEqual(log, ['a', 'b']);
  gates[1]?.gate.reject(new Error('b fails'));
  await new Promise(setImmediate);
  assert.deepEqual(log, ['a', 'b', 'c']);
  for (const { gate } of gates) gate.resolve();
  const outcomes = await settled;
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  await lane.run(async () => log.push('again'));
  assert.deepEqual(log, ['a', 'b', 'c', 'd', 'again']);
});
