import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isJsonObject } from '../../src/base/json.ts';
import { instant, later, millis, type Instant } from '../../src/base/time.ts';
import { Rest } from '../../src/daemon/rest.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { emptySite, get, startAt } from './support/site.ts';

/** Ten seconds, and as many again where the machine is busy. */
const REST_LIMIT_MS = 20_000;

/** Timers on a clock that the test moves. */
class FakeTime {
  time = instant(0);
  readonly #pending = new Map<() => void, Instant>();

  readonly now = (): Instant => this.time;
  readonly at = (at: Instant, callback: () => void): (() => void) => {
    this.#pending.set(callback, at);
    return () => void this.#pending.delete(callback);
  };

  get pending(): number {
    return this.#pending.size;
  }

  pass(ms: number): void {
    this.time = later(this.time, millis(ms));
    for (const [callback, at] of this.#pending) {
      if (at > this.time) continue;
      this.#pending.delete(callback);
      callback();
    }
  }
}

function restOn(time: FakeTime): { readonly rest: Rest; readonly seen: () => number } {
  let count = 0;
  const rest = new Rest({ now: time.now, at: time.at, onRest: () => count++, after: millis(1000) });
  return { rest, seen: () => count };
}

suite('the rest of a daemon', () => {
  test('is noticed once after the start, and then costs no timer', () => {
    const time = new FakeTime();
    const { seen } = restOn(time);
    time.pass(999);
    assert.equal(seen(), 0);
    time.pass(1);
    assert.equal(seen(), 1);
    assert.equal(time.pending, 0);
    time.pass(100_000);
    assert.equal(seen(), 1);
  });

  test('is never within a burst, and once after each', () => {
    const time = new FakeTime();
    const { rest, seen } = restOn(time);
    for (let burst = 1; burst <= 3; burst++) {
      for (let pod = 0; pod < 100; pod++) {
        rest.stir();
        assert.ok(time.pending <= 1);
        time.pass(900);
      }
      assert.equal(seen(), burst - 1);
      time.pass(1000);
      assert.equal(seen(), burst);
    }
  });

  test('is not worth a timer where a few pods came and went', () => {
    const time = new FakeTime();
    const { rest, seen } = restOn(time);
    time.pass(1000);
    for (let pod = 1; pod < 20; pod++) rest.stir();
    assert.equal(time.pending, 0);
    rest.stir();
    time.pass(1000);
    assert.equal(seen(), 2);
  });

  test('is not noticed by one that has ended', () => {
    const time = new FakeTime();
    const { rest, seen } = restOn(time);
    rest.close();
    time.pass(2000);
    assert.equal(seen(), 0);
    assert.equal(time.pending, 0);
  });
});

test('a daemon gives free memory back when it is at rest', { skip: NEEDS_ROOT }, async (t) => {
  const site = await emptySite(t);
  await startAt(site);
  const wasGivenBack = async (): Promise<boolean> => {
    const { json } = await get(site.socket, '/v1/counters');
    return isJsonObject(json) && json['memory-given-back'] === 1;
  };
  assert.equal(await wasGivenBack(), false);
  await waitFor('memory to be given back', wasGivenBack, { deadlineMs: REST_LIMIT_MS });
});
