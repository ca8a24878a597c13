import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { InvariantError } from '../../src/base/invariant.ts';
import { Pacer } from '../../src/lease/pacer.ts';
import { VirtualTime } from './support/time.ts';

function nothing(): void {}

function pacer(perSecond = 20, mostWaiting = 100): { time: VirtualTime; pacer: Pacer; done: string[] } {
  const time = new VirtualTime('boot');
  return { time, pacer: new Pacer({ clock: time, timers: time }, { perSecond, mostWaiting }), done: [] };
}

describe('pacer', () => {
  test('idle: the first starts at once, but not within add; an empty pacer has no timer', async () => {
    const { time, pacer: pace, done } = pacer();
    assert.equal(time.pending, 0);
    pace.add('a', () => done.push('one'));
    assert.deepEqual(done, []);
    await time.run(0);
    assert.deepEqual(done, ['one']);
    assert.equal(time.pending, 0);
  });

  test('the others come at the rate, also when they are added later', async () => {
    const { time, pacer: pace, done } = pacer(20);
    for (let i = 0; i < 5; i++) pace.add('a', () => done.push(String(i)));
    await time.run(0);
    assert.equal(done.length, 1);
    await time.run(49);
    assert.equal(done.length, 1);
    await time.run(1);
    assert.deepEqual(done, ['0', '1']);
    await time.run(150);
    assert.deepEqual(done, ['0', '1', '2', '3', '4']);
    pace.add('a', () => done.push('later'));
    await time.run(49);
    assert.equal(done.length, 5, 'the pause after the last one holds');
    await time.run(1);
    assert.equal(done.length, 6);
    await time.run(5000);
    pace.add('a', () => done.push('idle'));
    await time.run(0);
    assert.equal(done.length, 7);
  });

  test('kinds take turns', async () => {
    const { time, pacer: pace, done } = pacer();
    for (const name of ['a1', 'a2', 'a3', 'b1', 'b2']) pace.add(name.slice(0, 1), () => done.push(name));
    await time.run(1000);
    assert.deepEqual(done, ['a1', 'b1', 'a2', 'b2', 'a3']);
  });

  test('what is cancelled is not done and takes no turn; to cancel late or twice is nothing', async () => {
    const { time, pacer: pace, done } = pacer();
    const cancel = ['a', 'b', 'c'].map((name) => pace.add('k', () => done.push(name)));
    cancel[1]?.();
    await time.run(50);
    assert.deepEqual(done, ['a', 'c']);
    cancel[0]?.();
    cancel[1]?.();
    assert.equal(pace.waiting(), 0);
    pace.add('k', () => done.push('d'))?.();
    assert.equal(time.pending, 0, 'nothing waits, and no timer runs');
    cancel[2]?.();
    pace.add('k', () => done.push('e'));
    cancel[2]?.();
    await time.run(1000);
    assert.deepEqual(done, ['a', 'c', 'e']);
  });

  test('each kind has its bound', () => {
    const { pacer: pace } = pacer(1, 2);
    assert.ok(pace.add('a', nothing) && pace.add('a', nothing));
    assert.equal(pace.add('a', nothing), undefined);
    assert.ok(pace.add('b', nothing));
    assert.deepEqual([pace.waiting('a'), pace.waiting('b'), pace.waiting('c'), pace.waiting()], [2, 1, 0, 3]);
  });

  test('work may add work; work that throws does not stop the rest', async () => {
    const { time, pacer: pace, done } = pacer();
    pace.add('a', () => pace.add('a', () => done.push('inner')));
    pace.add('a', () => {
      throw new Error('broken');
    });
    await time.run(0);
    await assert.rejects(time.run(50), /broken/);
    await time.run(50);
    assert.deepEqual(done, ['inner']);
  });

  test('after close nothing is done or taken', async () => {
    const { time, pacer: pace, done } = pacer();
    pace.add('a', () => done.push('a'));
    pace.close();
    assert.equal(
      pace.add('a', () => done.push('b')),
      undefined,
    );
    await time.run(1000);
    assert.deepEqual([done, time.pending], [[], 0]);
  });

  test('a rate that timers cannot keep is a bug of the caller', () => {
    for (const perSecond of [0, -1, 1001, Number.NaN]) assert.throws(() => pacer(perSecond), InvariantError);
  });

  test('any order of adding and cancelling: never faster than the rate, each kind in order, nothing lost', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ wait: fc.integer({ min: 0, max: 300 }) }),
      fc.record({ cancel: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { time, pacer: pace } = pacer(10);
        const times: number[] = [];
        const ran: { kind: string; id: number }[] = [];
        const cancels: (() => void)[] = [];
        const cancelled = new Set<number>();
        for (const one of steps) {
          if ('wait' in one) await time.run(one.wait);
          else if ('kind' in one) {
            const { kind } = one;
            const id = cancels.length;
            const cancel = pace.add(kind, () => {
              times.push(time.now());
              ran.push({ kind, id });
            });
            assert.ok(cancel);
            cancels.push(cancel);
          } else if (cancels[one.cancel] !== undefined) {
            if (!ran.some(({ id }) => id === one.cancel)) cancelled.add(one.cancel);
            cancels[one.cancel]?.();
          }
        }
        await time.run(100_000);
        assert.ok(times.every((at, i) => i === 0 || at - (times[i - 1] ?? 0) >= 100));
        assert.equal(ran.length, cancels.length - cancelled.size);
        assert.ok(ran.every(({ id }) => !cancelled.has(id)));
        for (const kind of ['a', 'b', 'c']) {
          const ids = ran.filter((one) => one.kind === kind).map(({ id }) => id);
          assert.deepEqual(
            ids,
            ids.toSorted((x, y) => x - y),
          );
        }
        assert.equal(time.pending, 0);
      }),
      { numRuns: 100 },
    );
  });
});
