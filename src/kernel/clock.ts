import { getRandomValues } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { invariant } from '../base/invariant.ts';
import { type Duration, instant, type Instant, millis } from '../base/time.ts';
import { check } from './errno.ts';
import { clockGettime } from './ffi.ts';

// linux/time.h
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
const MILLIS_PER_SEC = 1000;
const NANOS_PER_MILLI = 1_000_000;
const U32_RANGE = 2 ** 32;

// struct timespec {long seconds; long nanoseconds}, read at once after each call. In words: a bigint is an object, and
// this is asked ten times for each renewal. Both machines that there is a Node for are little-endian.
const timespec = new Uint32Array(4);
const timespecBytes = new Uint8Array(timespec.buffer);

/** Milliseconds since boot, suspend included (a lease runs out while a laptop sleeps), with fractions. */
export function now(): Instant {
  return instant(read(CLOCK_BOOTTIME));
}

/** How long the machine was suspended since its boot: nothing else makes CLOCK_BOOTTIME and CLOCK_MONOTONIC differ (clock_gettime(2)). */
export function slept(): Duration {
  const asleepToo = read(CLOCK_BOOTTIME);
  return millis(Math.max(0, asleepToo - read(CLOCK_MONOTONIC)));
}

function read(clock: number): number {
  check('clock_gettime', clockGettime(clock, timespecBytes));
  const [low = 0, high = 0, nanoseconds = 0] = timespec;
  return (high * U32_RANGE + low) * MILLIS_PER_SEC + nanoseconds / NANOS_PER_MILLI;
}

// Filled at once: asking the kernel for four bytes costs as much as for a thousand.
const randomPool = new Uint32Array(256);
let randomAt = randomPool.length;

/** 0 to 2^32 - 1, not to be guessed: transaction ids are what keeps forged answers out. */
export function randomU32(): number {
  if (randomAt === randomPool.length) {
    getRandomValues(randomPool);
    randomAt = 0;
  }
  return randomPool[randomAt++] ?? 0;
}

/** At least 0 and under 1. */
export function randomFloat(): number {
  return randomU32() / U32_RANGE;
}

/** Changes with every boot: instants stored before it mean nothing. */
export function bootId(): string {
  const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  invariant(/^[0-9a-f-]{36}$/.test(id), 'the kernel gives a UUID');
  return id;
}
