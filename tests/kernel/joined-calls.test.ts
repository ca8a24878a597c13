import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JoinedCalls } from '../../src/kernel/joined-calls.ts';

/** Calls that end when the test says. */
class Calls {
  readonly made: string[] = [];
  readonly #gates: PromiseWithResolvers<void>[] = [];
  readonly joined = new JoinedCalls(4, async (items: readonly string[]) => {
    this.made.push(items.join(''));
    const gate = Promise.withResolvers<void>();
    this.#gates.push(gate);
    await gate.promise;
    return items.map((item) => item.toUpperCase());
  });

  async end(error?: Error): Promise<void> {
    const gate = this.#gates.shift();
    if (error === undefined) gate?.resolve();
    else gate?.reject(error);
    await new Promise(setImmediate);
  }
}

test('what comes meanwhile goes with the next call, in order, and each gets its own results', async () => {
  const calls = new Calls();
  const first = calls.joined.add(['a']);
  assert.deepEqual(calls.made, ['a']);
  const others = ['b', 'cd', 'e', 'fghijk', 'l'].map((text) => calls.joined.add(text.split('')));
  assert.deepEqual(calls.made, ['a']);
  for (let i = 0; i < 4; i++) await calls.end();
  assert.deepEqual(await first, ['A']);
  // Four at most, but what belongs together is not torn.
  assert.deepEqual(calls.made, ['a', 'bcde', 'fghijk', 'l']);
  assert.deepEqual(await Promise.all(others), [
    ['B'],
    ['C', 'D'],
    ['E'],
    ['F', 'G', 'H', 'I', 'J', 'K'],
    ['L'],
  ]);
  const later = calls.joined.add(['m']);
  assert.deepEqual(calls.made.at(-1), 'm');
  await calls.end();
  assert.deepEqual(await later, ['M']);
});

test('a call that fails fails for those that are in it, and not for the next', async () => {
  const calls = new Calls();
  const [first, second, third] = [calls.joined.add(['a']), calls.joined.add(['b']), calls.joined.add(['c'])];
  const settled = Promise.allSettled([first, second, third]);
  await calls.end();
  await calls.end(new Error('refused'));
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  );
  const later = calls.joined.add(['d']);
  await calls.end();
  assert.deepEqual(await later, ['D']);
});
