import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { Node } from './support/node.ts';

class Crash extends Error {}

/** With files of somebody else under our names. */
function taken(t: TestContext): Node {
  const node = new Node(t).settled();
  writeFileSync(node.conflist, '{"theirs":true}');
  return node;
}

test('a crash at any step leaves what the next agent continues, and what can be removed', async (t) => {
  let steps = 0;
  const counted = taken(t);
  counted.keeper(t, { before: () => void (steps += 1) }).start();
  assert.ok(steps > 8);
  for (const after of ['continued', 'removed'] as const) {
    for (let crashAt = 0; crashAt < steps; crashAt += 1) {
      const node = taken(t);
      const before = node.snapshot();
      let step = 0;
      const crashing = node.keeper(t, {
        before: () => {
          if (step === crashAt) throw new Crash();
          step += 1;
        },
      });
      assert.throws(() => crashing.start(), Crash);
      crashing.close();
      if (after === 'continued') {
        const next = node.keeper(t);
        next.start();
        node.assertKept();
        next.close();
      }
      assert.deepEqual(await node.remove(), [], `${after}, step ${crashAt}`);
      assert.deepEqual(node.snapshot(), before, `${after}, step ${crashAt}`);
    }
  }
});

test('a removal that crashes is done by the next', async (t) => {
  let steps = 0;
  const installed = (): Node => {
    const node = taken(t);
    const keeper = node.keeper(t);
    keeper.start();
    keeper.close();
    return node;
  };
  await installed().remove(() => (steps += 1));
  for (let crashAt = 0; crashAt < steps; crashAt += 1) {
    const node = installed();
    let step = 0;
    await assert.rejects(
      node.remove(() => {
        if (step === crashAt) throw new Crash();
        step += 1;
      }),
      Crash,
    );
    assert.deepEqual(await node.remove(), []);
    assert.deepEqual(node.snapshot(), taken(t).snapshot(), `step ${crashAt}`);
    assert.ok(!existsSync(node.state));
  }
});
