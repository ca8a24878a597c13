import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, millis, onGrain } from '../../src/base/time.ts';

test('onGrain: never earlier, less than one grain later, and what is on it stays', () => {
  for (const at of [0, 1, 49.5, 50, 50.001, 99, 5_000_001]) {
    const late = onGrain(instant(at), millis(50));
    assert.ok(late >= at && late - at < 50, `${at} -> ${late}`);
    assert.equal(late % 50, 0);
  }
});
