import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lines } from '../../src/kube/lines.ts';

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const TEXT = 'für €\n\n{"a":"𝄞"}\r\nthe rest';
const LINES = ['für €', '{"a":"𝄞"}\r'];

for (const size of [1, 2, 3, 7, 100]) {
  test(`chunks of ${size} bytes: whole lines, letters of several bytes among them, no empty ones, not the rest`, () => {
    const lines = new Lines(100);
    const all = bytes(TEXT);
    const got: string[] = [];
    for (let at = 0; at < all.length; at += size) {
      got.push(...(lines.take(all.subarray(at, at + size)) ?? ['too long']));
    }
    assert.deepEqual(got, LINES);
  });
}

test('a line of the bound is one; a byte more is too long, with its end and without', () => {
  const full = 'x'.repeat(10);
  assert.deepEqual(new Lines(10).take(bytes(`${full}\n${full}\n`)), [full, full]);
  assert.equal(new Lines(10).take(bytes(`${full}x\n`)), undefined);
  assert.equal(new Lines(10).take(bytes(`${full}x`)), undefined);
  const slow = new Lines(10);
  assert.deepEqual(slow.take(bytes(full)), []);
  assert.equal(slow.take(bytes('x')), undefined);
});
