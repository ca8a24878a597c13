import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, seconds } from '../../src/base/time.ts';
import { SaidLately } from '../../src/lease/said-lately.ts';

test('each of a few is said once in a while, and who was too many then may be said later', () => {
  let now = 0;
  const said = new SaidLately({ now: () => instant(now) }, seconds(600), 2);
  const isNews = (what: string): boolean => said.isNews(what);
  assert.deepEqual(['a', 'a', 'b', 'c'].map(isNews), [true, false, true, false]);
  now = 599_999;
  assert.deepEqual(['a', 'c'].map(isNews), [false, false]);
  now = 600_000;
  assert.deepEqual(['c', 'a', 'b'].map(isNews), [true, true, false]);
});
