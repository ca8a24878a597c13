import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { instant } from '../../src/base/time.ts';
import { type HeapEntry, TimerHeap } from '../../src/kernel/timer-heap.ts';

const TIMES = 20;

test('whatever is added and taken out, the first is the earliest, then the oldest', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), at: fc.nat(TIMES) }),
    fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('take' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new TimerHeap<HeapEntry>();
      let model: HeapEntry[] = [];
      for (const [order, action] of steps.entries()) {
        if (action.kind === 'add') {
          const entry = { at: instant(action.at), order, place: -1 };
          heap.add(entry);
          model.push(entry);
        } else {
          const entry = action.kind === 'take' ? heap.first() : model[action.which % model.length];
          if (entry === undefined) continue;
          assert.equal(heap.remove(entry), true);
          assert.equal(heap.remove(entry), false);
          model = model.filter((other) => other !== entry);
        }
        const [first] = model.toSorted((a, b) => a.at - b.at || a.order - b.order);
        assert.equal(heap.first(), first);
        assert.equal(heap.size, model.length);
      }
    }),
  );
});

test('cleared, it knows none of its entries any more', () => {
  const heap = new TimerHeap<HeapEntry>();
  const entry = { at: instant(1), order: 0, place: -1 };
  heap.add(entry);
  heap.clear();
  assert.deepEqual([heap.size, heap.first(), heap.remove(entry)], [0, undefined, false]);
});
