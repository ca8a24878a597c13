import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { between, instant, type Instant, later, millis } from '../../src/base/time.ts';
import { now } from '../../src/kernel/clock.ts';
import { openTimers, Timers } from '../../src/kernel/timers.ts';

const SOON = millis(5);
const A_BIT_LATER = millis(15);
const CALLBACKS_MAX = 64;
const CHILD = join(import.meta.dirname, 'support', 'timers-child.ts');

const shared = openTimers();
const timerAt = shared.at;
after(() => shared.close());

/** Resolves when a timer of `ms` has fired. */
function timer(ms: number): Promise<void> {
  return new Promise((resolve) => {
    timerAt(later(now(), millis(ms)), resolve);
  });
}

/** Timers on a clock that the test moves: as a suspend does, it jumps. */
class FakeTime {
  time = instant(1000);
  armed: Instant | undefined;
  sets = 0;
  referenced = false;
  readonly errors: unknown[] = [];
  readonly timers: Timers;
  #onAlarm: () => void = () => undefined;

  constructor() {
    this.timers = new Timers({
      now: () => this.time,
      onError: (error) => this.errors.push(error),
      openAlarm: (onAlarm) => {
        this.#onAlarm = onAlarm;
        return {
          set: (at) => {
            this.armed = at;
            this.sets++;
          },
          clear: () => {
            this.armed = undefined;
          },
          ref: () => {
            this.referenced = true;
          },
          unref: () => {
            this.referenced = false;
          },
          close: () => {
            this.armed = undefined;
          },
        };
      },
    });
  }

  /** One wake-up if the alarm is due; false when it is not. */
  wake(): boolean {
    if (this.armed === undefined || this.armed > this.time) return false;
    this.#onAlarm();
    return true;
  }

  at(ms: number, callback: () => void): () => void {
    return this.timers.at(instant(ms), callback);
  }
}

describe('on the real clock', () => {
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
    for (const at of [later(now(), millis(-1000)), instant(0), instant(-1)]) {
      let called = false;
      timerAt(at, () => {
        called = true;
      });
      assert.equal(called, false);
      await timer(1);
      assert.equal(called, true);
    }
  });

  test('timers fire in the order of their times, equal ones in the order in which they came', async () => {
    const seen: string[] = [];
    const start = now();
    await new Promise<void>((resolve) => {
      timerAt(later(start, millis(20)), () => {
        seen.push('fourth');
        resolve();
      });
      timerAt(later(start, SOON), () => seen.push('first'));
      timerAt(later(start, millis(12)), () => seen.push('second'));
      timerAt(later(start, millis(12)), () => seen.push('third'));
    });
    assert.deepEqual(seen, ['first', 'second', 'third', 'fourth']);
  });

  test('cancelled it is silent; cancelling after the end, or twice, does nothing', async () => {
    let calls = 0;
    const cancel = timerAt(later(now(), SOON), () => calls++);
    cancel();
    await timer(A_BIT_LATER);
    cancel();
    assert.equal(calls, 0);
  });

  test('a time that never comes is no trouble for the others', async () => {
    using timers = openTimers();
    const never = timers.at(instant(Number.POSITIVE_INFINITY), () => assert.fail('never'));
    timers.at(instant(2 ** 53), () => assert.fail('far'));
    await new Promise<void>((resolve) => {
      timers.at(later(now(), SOON), resolve);
    });
    assert.equal(timers.pending, 2);
    never();
    assert.equal(timers.pending, 1);
  });

  test('one descriptor of CLOCK_BOOTTIME, closed with the timers', () => {
    const before = timerFds();
    const timers = openTimers();
    for (let i = 0; i < 100; i++) timers.at(later(now(), millis(60_000 - i)), () => undefined);
    const [fd, ...more] = timerFds().filter((other) => !before.includes(other));
    assert.deepEqual(more, []);
    // linux/time.h: CLOCK_BOOTTIME.
    assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /^clockid: 7$/m);
    timers.close();
    timers.close();
    assert.deepEqual(timerFds(), before);
    assert.throws(() => timers.at(now(), () => undefined));
  });

  test('a process lives as long as a timer is pending, and no longer', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD]);
    assert.equal(stdout, 'first,second,threw,last,exit');
  });
});

function timerFds(): readonly string[] {
  return readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === 'anon_inode:[timerfd]');
}

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor of the listing itself is gone.
    return undefined;
  }
}

describe('after a suspend', () => {
  test('everything overdue comes in order, with turns for others in between', () => {
    const fake = new FakeTime();
    const seen: number[] = [];
    const count = 3 * CALLBACKS_MAX + 1;
    for (let i = count; i > 0; i--) fake.at(2000 + i, () => seen.push(i));
    fake.at(1e9, () => assert.fail('not yet'));
    assert.equal(fake.wake(), false);
    fake.time = instant(1e8);
    const perWake: number[] = [];
    while (fake.wake()) perWake.push(seen.length);
    assert.deepEqual(perWake, [CALLBACKS_MAX, 2 * CALLBACKS_MAX, 3 * CALLBACKS_MAX, count]);
    assert.deepEqual(
      seen,
      Array.from({ length: count }, (_, i) => i + 1),
    );
    assert.equal(fake.armed, 1e9);
  });

  test('callbacks that take long leave a turn to others after two milliseconds, and none is lost', () => {
    const fake = new FakeTime();
    const seen: number[] = [];
    const cancels: (() => void)[] = [];
    for (let i = 1; i <= 8; i++) {
      const cancel = fake.at(2000 + i, () => {
        seen.push(i);
        fake.time = later(fake.time, millis(1));
        if (i === 1) cancels[6]?.();
      });
      cancels.push(cancel);
    }
    fake.time = instant(3000);
    const perWake: number[] = [];
    while (fake.wake()) perWake.push(seen.length);
    assert.deepEqual(perWake, [2, 4, 6, 7]);
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 8]);
    assert.equal(fake.timers.pending, 0);
  });

  test('one callback is called in each turn, however long it takes', () => {
    const fake = new FakeTime();
    let called = 0;
    for (let i = 1; i <= 3; i++) {
      fake.at(2000 + i, () => {
        called++;
        fake.time = later(fake.time, millis(50));
      });
    }
    fake.time = instant(3000);
    const perWake: number[] = [];
    while (fake.wake()) perWake.push(called);
    assert.deepEqual(perWake, [1, 2, 3]);
  });

  test('a callback that throws is told of and stops no other', () => {
    const fake = new FakeTime();
    const seen: string[] = [];
    const error = new Error('broken');
    fake.at(1001, () => {
      throw error;
    });
    fake.at(1002, () => seen.push('next'));
    fake.at(3000, () => seen.push('later'));
    fake.time = instant(1500);
    fake.wake();
    assert.deepEqual([seen, fake.errors, fake.armed], [['next'], [error], 3000]);
  });

  test('a callback may cancel one that is due with it, and set one for now, which waits its turn', () => {
    const fake = new FakeTime();
    const seen: string[] = [];
    fake.at(1001, () => {
      seen.push('first');
      cancel();
      fake.at(0, () => seen.push('again'));
    });
    const cancel = fake.at(1002, () => seen.push('cancelled'));
    fake.time = instant(1500);
    assert.ok(fake.wake());
    assert.deepEqual([seen, fake.armed], [['first'], 0]);
    assert.ok(fake.wake());
    assert.deepEqual([seen, fake.armed, fake.referenced], [['first', 'again'], undefined, false]);
  });

  test('closed in a callback, nothing comes any more', () => {
    const fake = new FakeTime();
    fake.at(1001, () => fake.timers.close());
    fake.at(1002, () => assert.fail('closed'));
    fake.time = instant(1500);
    fake.wake();
    assert.deepEqual([fake.armed, fake.timers.pending], [undefined, 0]);
  });
});

describe('the alarm', () => {
  test('is set only when the earliest comes earlier', () => {
    const fake = new FakeTime();
    fake.at(5000, () => undefined);
    const cancel = fake.at(4000, () => undefined);
    for (let i = 0; i < 100; i++) fake.at(6000 + i, () => undefined)();
    assert.equal(fake.sets, 2);
    // One wake-up for nothing is cheaper than a system call for every timer that is cancelled.
    cancel();
    fake.at(4500, () => undefined);
    assert.deepEqual([fake.sets, fake.armed], [2, 4000]);
    fake.time = instant(4000);
    fake.wake();
    assert.deepEqual([fake.sets, fake.armed], [3, 4500]);
  });

  test('keeps the process alive only while something is pending', () => {
    const fake = new FakeTime();
    const seen = [fake.referenced];
    const cancels = [fake.at(2000, () => undefined), fake.at(1500, () => undefined)];
    seen.push(fake.referenced);
    cancels[0]?.();
    seen.push(fake.referenced);
    cancels[1]?.();
    cancels[1]?.();
    seen.push(fake.referenced);
    fake.at(2000, () => undefined);
    fake.time = instant(2000);
    fake.wake();
    seen.push(fake.referenced);
    assert.deepEqual(seen, [false, true, true, false, false]);
  });
});
