import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { bootId, now, randomFloat, randomU32, slept } from '../../src/kernel/clock.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const execFileAsync = promisify(execFile);
const clockModule = new URL('../../src/kernel/clock.ts', import.meta.url).href;

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

/** What a machine has slept, as a process sees it in which CLOCK_BOOTTIME alone is ahead (time_namespaces(7)). */
async function sleptWhere(boottimeSeconds: number): Promise<number> {
  const script = `import('${clockModule}').then(({ slept }) => console.log(slept()))`;
  const { stdout } = await execFileAsync('unshare', [
    '--time',
    '--fork',
    `--boottime=${boottimeSeconds}`,
    process.execPath,
    '--eval',
    script,
  ]);
  return Number(stdout.trim());
}

test(
  'what the machine slept is how far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC',
  { skip: NEEDS_ROOT },
  async () => {
    const here = slept();
    const asleep = (await sleptWhere(300)) - here;
    assert.ok(Math.abs(asleep - 300_000) < 1000, `${asleep} ms more`);
  },
);
