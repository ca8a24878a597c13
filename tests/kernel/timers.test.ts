import assert from 'node:assert/strict';
import { test } from 'node:test';
import { between, later, millis } from '../../src/base/time.ts';
import { now } from '../../src/kernel/clock.ts';
import { timerAt } from '../../src/kernel/timers.ts';

const LONGEST_TIMEOUT = 2 ** 31 - 1;
const SOON = millis(5);
const A_BIT_LATER = millis(15);

/** Resolves when a timer of `ms` has fired. */
function timer(ms: number): Promise<void> {
  return new Promise((resolve) => {
    timerAt(later(now(), millis(ms)), resolve);
  });
}

test('calls back once, and not before its time', async () => {
  const at = later(now(), SOON);
  let calls = 0;
  const late = await new Promise<number>((resolve) => {
    timerAt(at, () => {
      calls++;
      resolve(between(at, now()));
    });
  });
  assert.ok(late >= 0, `${late} ms after its time`);
  await timer(A_BIT_LATER);
  assert.equal(calls, 1);
});

test('a time that is over comes at once, but not before the caller goes on', async () => {
  let called = false;
  timerAt(later(now(), millis(-1000)), () => {
    called = true;
  });
  assert.equal(called, false);
  await timer(1);
  assert.equal(called, true);
});

test('timers fire in the order of their times', async () => {
  const seen: string[] = [];
  const start = now();
  await new Promise<void>((resolve) => {
    timerAt(later(start, millis(20)), () => {
      seen.push('third');
      resolve();
    });
    timerAt(later(start, SOON), () => seen.push('first'));
    timerAt(later(start, millis(12)), () => seen.push('second'));
  });
  assert.deepEqual(seen, ['first', 'second', 'third']);
});

test('cancelled it is silent; cancelling after the end, or twice, does nothing', async () => {
  let calls = 0;
  const cancel = timerAt(later(now(), SOON), () => calls++);
  cancel();
  await timer(A_BIT_LATER);
  cancel();
  assert.equal(calls, 0);
});

test('a wait beyond what setTimeout holds is made of several', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = t.mock.method(globalThis, 'setTimeout');
  let calls = 0;
  const cancel = timerAt(later(now(), millis(2 ** 31 + 60_000)), () => calls++);
  t.mock.timers.tick(LONGEST_TIMEOUT);
  t.mock.timers.tick(LONGEST_TIMEOUT);
  // The real clock has not moved: it is looked at, and the timer goes on.
  const delays = asked.mock.calls.map((call) => call.arguments[1]);
  assert.deepEqual(delays, [LONGEST_TIMEOUT, LONGEST_TIMEOUT, LONGEST_TIMEOUT]);
  cancel();
  t.mock.timers.tick(LONGEST_TIMEOUT);
  assert.equal(asked.mock.callCount(), 3);
  assert.equal(calls, 0);
});

test('a timer that is early against the clock waits for the rest', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const at = later(now(), SOON);
  let calls = 0;
  timerAt(at, () => calls++);
  t.mock.timers.tick(SOON + 1);
  const early = calls;
  const before = now() < at;
  while (now() < at) await new Promise(setImmediate);
  t.mock.timers.tick(SOON + 1);
  // On a machine that stood still the first tick may have come after the time.
  assert.deepEqual([early, calls], [before ? 0 : early, 1]);
});
