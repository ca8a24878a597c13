import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedOperations } from '../../src/cni/keyed.ts';
import { EMPTY_RESULT } from '../../src/cni/spec/result.ts';

const STAYS = new AbortController().signal;

/** Notes when it begins and ends, with a few turns between. */
function noting(order: string[], what: string): () => Promise<void> {
  return async () => {
    order.push(`${what} begins`);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    order.push(`${what} ends`);
  };
}

test('whatever waits for the same end, one thing at a time is done', async () => {
  const operations = new KeyedOperations();
  const order: string[] = [];
  const first = operations.del('k', noting(order, 'DEL'));
  const add = async () => {
    await noting(order, 'ADD')();
    return EMPTY_RESULT;
  };
  await Promise.all([
    first,
    operations.alone('k', noting(order, 'one')),
    operations.add('k', 'a', STAYS, add),
    operations.alone('k', noting(order, 'two')),
    operations.alone('k', noting(order, 'three')),
    operations.del('k', noting(order, 'another DEL')),
  ]);
  assert.equal(order.length % 2, 0);
  for (let i = 0; i < order.length; i += 2) {
    assert.equal(order[i + 1], order[i]?.replace('begins', 'ends'), order.join(', '));
  }
  assert.ok(order.includes('three ends'));
});

test('what fails alone says so, and holds up nobody', async () => {
  const operations = new KeyedOperations();
  const failing = operations.alone('k', () => Promise.reject(new TypeError('a bug')));
  const next = operations.alone('k', () => Promise.resolve('done'));
  await assert.rejects(failing, TypeError);
  assert.equal(await next, 'done');
});

test('at the end nothing begins alone any more', async () => {
  const operations = new KeyedOperations();
  await operations.abortAll();
  await assert.rejects(
    operations.alone('k', () => Promise.resolve()),
    { kind: 'try-again' },
  );
});
