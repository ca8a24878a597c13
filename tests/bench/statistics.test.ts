import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, double, integer, property } from 'fast-check';
import { largest, median, medianRatio, percentile, sum } from '../../bench/statistics.ts';

test('a percentile is a value that was measured, by nearest rank', () => {
  const values = [15, 20, 35, 40, 50];
  const cases: readonly (readonly [number, number])[] = [
    [0, 15],
    [5, 15],
    [30, 20],
    [40, 20],
    [50, 35],
    [95, 50],
    [100, 50],
  ];
  for (const [percent, expected] of cases) assert.equal(percentile(values, percent), expected, `p${percent}`);
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.deepEqual(
    [50, 95, 99].map((percent) => percentile(hundred, percent)),
    [50, 95, 99],
  );
});

test('the median of an even number is between the two in the middle', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([9, 1, 5]), 5);
});

test('a ratio of two sides is the median of the ratios of their rounds', () => {
  // 0.1, 0.5 and 0.8; the ratio of the medians would be 0.4.
  assert.equal(medianRatio([1, 2, 4], [10, 4, 5]), 0.5);
  assert.equal(medianRatio([1, 2], [10]), 0.1);
  assert.ok(Number.isNaN(medianRatio([1], [])));
});

test('nothing measured is no number', () => {
  assert.ok(Number.isNaN(percentile([], 50)));
  assert.ok(Number.isNaN(median([])));
  assert.ok(Number.isNaN(largest([])));
  assert.equal(sum([]), 0);
});

test('for any values: percentiles ascend, stay among the values, and leave the list as it was', () => {
  const values = array(double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });
  check(
    property(values, integer({ min: 0, max: 100 }), integer({ min: 0, max: 100 }), (list, a, b) => {
      const copy = [...list];
      const [low, high] = [percentile(list, Math.min(a, b)), percentile(list, Math.max(a, b))];
      assert.ok(low <= high && list.includes(low) && list.includes(high));
      assert.ok(high <= largest(list));
      assert.deepEqual(list, copy);
    }),
  );
});
