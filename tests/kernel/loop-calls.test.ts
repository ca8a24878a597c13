import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LoopCalls, rtnlCalls } from '../../src/kernel/loop-calls.ts';
import { threadSwitches } from '../../src/kernel/thread-switches.ts';
import { asRoot, makePair, Sandbox, until } from './support/sandbox.ts';

/** A loop whose calls take as long as the test says, and wait or lose the processor meanwhile. */
class Loop {
  now = 0;
  #switches = { waited: 0n, preempted: 0n };
  readonly calls = new LoopCalls({
    now: () => this.now,
    switches: () => this.#switches,
  });

  call(ms: number, how: 'runs' | 'waits' | 'preempted' = 'runs'): void {
    assert.ok(this.calls.mayCall);
    const { waited, preempted } = this.#switches;
    const text = this.calls.here(() => {
      this.now += ms;
      if (how === 'waits') this.#switches = { waited: waited + 1n, preempted: preempted + 1n };
      if (how === 'preempted') this.#switches = { waited, preempted: preempted + 1n };
      return 'done';
    });
    assert.equal(text, 'done');
  }
}

describe('where a call is made', () => {
  test('on the loop, for two milliseconds of each five', () => {
    const loop = new Loop();
    loop.call(0.7);
    loop.now = 3;
    loop.call(0.7);
    loop.call(0.7);
    assert.equal(loop.calls.mayCall, false);
    loop.now = 4.9;
    assert.equal(loop.calls.mayCall, false);
    loop.now = 5;
    loop.call(1.9);
    loop.call(0.2);
    assert.equal(loop.calls.mayCall, false);
    loop.now = 10;
    assert.ok(loop.calls.mayCall);
  });

  test('elsewhere while another is on a thread, one that fails too', async () => {
    const { calls } = new Loop();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const under = gates.map(({ promise }) => calls.elsewhere(() => promise));
    const settled = Promise.allSettled(under);
    assert.equal(calls.mayCall, false);
    gates[0]?.reject(new Error('refused'));
    await assert.rejects(under[0] ?? Promise.resolve(), { message: 'refused' });
    assert.equal(calls.mayCall, false);
    gates[1]?.resolve();
    await settled;
    assert.ok(calls.mayCall);
  });

  test('elsewhere for a second after one that waited, and twice as long when the next one waits again', () => {
    const loop = new Loop();
    const awayFor = (): number => {
      const begun = loop.now;
      while (!loop.calls.mayCall) {
        loop.now += 100;
      }
      return loop.now - begun;
    };
    loop.call(30, 'waits');
    assert.equal(awayFor(), 1000);
    for (const ms of [2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000]) {
      loop.call(3, 'waits');
      assert.equal(awayFor(), ms);
    }
    // Nobody else has wanted the lock for a while.
    loop.now += 64_000;
    loop.call(3, 'waits');
    assert.equal(awayFor(), 1000);
  });

  test('one that only lost the processor has not waited for the lock', () => {
    const loop = new Loop();
    loop.call(30, 'preempted');
    assert.ok(loop.calls.mayCall);
    // Long without either: it spun for the lock.
    loop.call(30, 'runs');
    assert.equal(loop.calls.mayCall, false);
  });
});

test('a thread that sleeps is seen to have waited', () => {
  const before = threadSwitches();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  assert.ok(threadSwitches().waited > before.waited);
});

/** More than the promises between a request and its answer. */
const MICROTASKS = 100;

test('netlink: the answer is there at once, and beside a deletion a thread brings it', asRoot, async () => {
  await using sandbox = new Sandbox('loop');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  // The loop does not turn between two promises, so nothing comes from a thread.
  const isThereAtOnce = async (): Promise<boolean> => {
    let isThere = false;
    const asked = leftRtnl.links.get('lo').then((link) => {
      assert.equal(link?.name, 'lo');
      isThere = true;
    });
    for (let i = 0; i < MICROTASKS; i++) await Promise.resolve();
    const atOnce = isThere;
    await asked;
    return atOnce;
  };
  await until('nobody else has the lock', () => rtnlCalls.mayCall);
  assert.equal(await isThereAtOnce(), true);
  const deleted = leftRtnl.links.delete(leftLink.index);
  assert.equal(rtnlCalls.mayCall, false);
  assert.equal(await isThereAtOnce(), false);
  await deleted;
});
