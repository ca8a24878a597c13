import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concat } from '../../../src/base/bytes.ts';
import { InvariantError } from '../../../src/base/invariant.ts';
import {
  attr,
  Attributes,
  decoding,
  nestedAttr,
  textAttr,
  u16Attr,
  u32Attr,
  type NetlinkProblem,
} from '../../../src/wire/netlink/attributes.ts';

/** Bytes in pieces that a reader can tell apart. */
function hex(...pieces: readonly string[]): string {
  return pieces.join('');
}

// The byte strings below are for little-endian hosts, as all are on which this runs.

function problem(text: string): NetlinkProblem | undefined {
  const read = decoding(() => new Attributes(Uint8Array.fromHex(text), 'test'));
  return read.ok ? undefined : read.error;
}

test('attributes are written as the kernel wants them', () => {
  assert.equal(u32Attr(4, 1400).toHex(), '0800040078050000');
  assert.equal(u16Attr(2, 7).toHex(), '0600020007000000');
  assert.equal(textAttr(3, 'eth0').toHex(), hex('09000300657468300000', '0000'));
  assert.equal(nestedAttr(18, [textAttr(1, 'x')]).toHex(), hex('0c001280', '0600010078000000'));
  assert.equal(attr(1, new Uint8Array(0)).toHex(), '04000100');
});

test('what is written is read again, nested too; the last of equals wins', () => {
  const bytes = concat([
    u32Attr(1, 0xffffffff),
    textAttr(2, 'first'),
    textAttr(2, 'second'),
    nestedAttr(3, [u16Attr(9, 513), attr(8, Uint8Array.of(7))]),
  ]);
  const read = new Attributes(bytes, 'test');
  assert.equal(read.u32(1), 0xffffffff);
  assert.equal(read.i32(1), -1);
  assert.equal(read.text(2), 'second');
  assert.equal(read.nested(3)?.u16(9), 513);
  assert.equal(read.nested(3)?.u8(8), 7);
  assert.equal(read.u32(99), undefined);
  assert.equal(read.nested(99), undefined);
});

test('hostile lengths are named and never loop', () => {
  assert.deepEqual(problem('00000100'), { kind: 'bad-length', what: 'attribute at byte 0 of test' });
  assert.deepEqual(problem('03000100'), { kind: 'bad-length', what: 'attribute at byte 0 of test' });
  assert.deepEqual(problem(hex('0800010000000000', 'ffff0100')), {
    kind: 'bad-length',
    what: 'attribute at byte 8 of test',
  });
  assert.equal(problem(hex('04000100', '0400')), undefined, 'less than a header is padding');
});

test('a number of the wrong size is malformed, not absent', () => {
  const read = decoding(() => new Attributes(attr(1, new Uint8Array(3)), 'test').u32(1));
  assert.deepEqual(read, { ok: false, error: { kind: 'bad-length', what: 'attribute 1 of test' } });
});

test('what cannot be written is a bug of the caller', () => {
  assert.throws(() => textAttr(3, 'eth0\0evil'), InvariantError);
  assert.throws(() => attr(1, new Uint8Array(65_532)), InvariantError);
});

test('any bytes are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      decoding(() => new Attributes(bytes, 'test').nested(1)?.text(1));
    }),
    { numRuns: 5000 },
  );
});

test('any list of attributes survives the way there and back', () => {
  const value = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(fc.nat(0x3fff), value), { selector: ([type]) => type }), (list) => {
      const read = new Attributes(concat(list.map(([type, bytes]) => attr(type, bytes))), 'test');
      for (const [type, bytes] of list) assert.deepEqual(read.bytes(type), bytes);
    }),
  );
});
