import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedOperations } from '../../src/cni/keyed.ts';
import { EMPTY_RESULT, type CniResult } from '../../src/cni/spec/result.ts';

const STAYS = new AbortController().signal;

/** Work that ends when it is told to, or is aborted. */
function held(): { work: (signal: AbortSignal) => Promise<CniResult>; end: () => void; begun: () => number } {
  const { promise, resolve } = Promise.withResolvers<CniResult>();
  let begun = 0;
  const work = (signal: AbortSignal): Promise<CniResult> => {
    begun += 1;
    const aborted = new Promise<CniResult>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return Promise.race([promise, aborted]);
  };
  return { work, end: () => resolve(EMPTY_RESULT), begun: () => begun };
}

test('equal ADDs are one, and each gets its result', async () => {
  const operations = new KeyedOperations();
  const { work, end, begun } = held();
  const both = [operations.add('k', 'a', STAYS, work), operations.add('k', 'a', STAYS, work)];
  end();
  assert.deepEqual(await Promise.all(both), [EMPTY_RESULT, EMPTY_RESULT]);
  assert.equal(begun(), 1);
});

test('one caller that hangs up does not end the ADD for the other; the last one does', async () => {
  const operations = new KeyedOperations();
  const { work } = held();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = operations.add('k', 'a', one.signal, work);
  const second = operations.add('k', 'a', two.signal, work);
  const ended = Promise.all([assert.rejects(first, /hung up/), assert.rejects(second, /hung up/)]);
  one.abort();
  await Promise.resolve();
  two.abort();
  await ended;
});

test('a DEL wins over an ADD, and another ADD waits for the DEL', async () => {
  const operations = new KeyedOperations();
  const order: string[] = [];
  const adding = assert.rejects(operations.add('k', 'a', STAYS, held().work), { kind: 'cancelled-by-del' });
  const deleting = operations.del('k', async () => {
    await Promise.resolve();
    order.push('DEL');
  });
  const again = operations.add('k', 'a', STAYS, () => {
    order.push('ADD');
    return Promise.resolve(EMPTY_RESULT);
  });
  await Promise.all([adding, deleting, again]);
  assert.deepEqual(order, ['DEL', 'ADD']);
});

test('at the end ADDs are aborted, none begins any more, not even one that waited for a DEL', async () => {
  const operations = new KeyedOperations();
  const running = assert.rejects(operations.add('a', 'a', STAYS, held().work), /shutting down/);
  const { promise: deleted, resolve: finishDel } = Promise.withResolvers<void>();
  const deleting = operations.del('b', () => deleted);
  const queued = held();
  const waiting = assert.rejects(operations.add('b', 'b', STAYS, queued.work), /shutting down/);
  const over = operations.abortAll();
  finishDel();
  await Promise.all([running, deleting, waiting, over]);
  assert.equal(queued.begun(), 0);
  await assert.rejects(operations.add('c', 'c', STAYS, queued.work), { kind: 'try-again' });
});
