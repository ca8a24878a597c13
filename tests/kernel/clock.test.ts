import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bootId, now, randomFloat, randomU32 } from '../../src/kernel/clock.ts';

test('counts since boot and never goes back', () => {
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  const first = now();
  // /proc/uptime has hundredths of a second and was read before.
  assert.ok(first >= uptimeMs && first < uptimeMs + 60_000, `${first} against ${uptimeMs}`);
  let last = first;
  for (let i = 0; i < 1000; i++) {
    const next = now();
    assert.ok(next >= last);
    last = next;
  }
  assert.ok(last > first);
});

test('random numbers fill their range', () => {
  const numbers = Array.from({ length: 1000 }, randomU32);
  assert.ok(numbers.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32));
  assert.ok(numbers.some((n) => n >= 2 ** 31) && numbers.some((n) => n < 2 ** 31));
  const floats = Array.from({ length: 1000 }, randomFloat);
  assert.ok(floats.every((f) => f >= 0 && f < 1));
});

test('the boot has one id', () => {
  assert.equal(bootId(), bootId());
  assert.match(bootId(), /^[0-9a-f]{8}-/);
});
