import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

/** Each kind of test that a reporter hears of. It is run by itself (../evidence.test.ts), and not named as a test. */
test('passes', () => undefined);

describe('a suite', () => {
  test('passes', () => undefined);
  describe('an inner one', () => {
    test('passes', () => undefined);
  });
  test('is skipped', { skip: true }, () => undefined);
  test('is to do', { todo: true }, () => undefined);
  test('fails', () => assert.fail());
});

test('has parts', async (t) => {
  await Promise.all([t.test('first', () => undefined), t.test('second', () => undefined)]);
});

test('twice', () => undefined);
test('twice', () => undefined);
