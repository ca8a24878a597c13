import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  ByteReader,
  ByteWriter,
  concat,
  equalBytes,
  fromHex,
  toHex,
  TruncatedError,
  utf8,
} from '../../src/base/bytes.ts';

describe('ByteReader', () => {
  test('reads in network order and keeps count', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
    assert.equal(reader.u8(), 1);
    assert.equal(reader.u16(), 0x0203);
    assert.equal(reader.u32(), 0x04050607);
    assert.deepEqual([reader.offset, reader.remaining], [7, 2]);
    reader.skip(1);
    assert.deepEqual(reader.rest(), Uint8Array.of(9));
    assert.equal(reader.remaining, 0);
    assert.deepEqual(reader.rest(), new Uint8Array(0));
  });

  test('stays inside a view of a larger buffer', () => {
    const reader = new ByteReader(Uint8Array.of(9, 9, 1, 2, 9).subarray(2, 4));
    assert.equal(reader.u16(), 0x0102);
    assert.throws(() => reader.u8(), TruncatedError);
  });

  test('throws past the end, and a failed read takes nothing', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3));
    assert.throws(() => reader.u32(), TruncatedError);
    assert.throws(() => reader.bytes(4), TruncatedError);
    assert.throws(() => reader.bytes(-1), TruncatedError);
    assert.equal(reader.u16(), 0x0102);
  });
});

describe('ByteWriter', () => {
  test('writes what the reader reads, whatever the first capacity', () => {
    fc.assert(
      fc.property(
        fc.nat(8),
        fc.nat(0xff),
        fc.nat(0xffff),
        fc.nat(0xffffffff),
        fc.uint8Array(),
        (room, a, b, c, d) => {
          const writer = new ByteWriter(room).u8(a).u16(b).u32(c).bytes(d).zeros(3);
          const reader = new ByteReader(writer.finish());
          assert.deepEqual([reader.u8(), reader.u16(), reader.u32()], [a, b, c]);
          assert.deepEqual(reader.bytes(d.length), d);
          assert.deepEqual(reader.rest(), new Uint8Array(3));
          assert.equal(writer.length, 10 + d.length);
        },
      ),
    );
  });

  test('patches lengths that are known later', () => {
    assert.deepEqual(new ByteWriter(4).u16(0).u8(7).patchU16(0, 3).finish(), Uint8Array.of(0, 3, 7));
  });

  test('finish gives a copy', () => {
    const writer = new ByteWriter(4).u8(1);
    const first = writer.finish();
    writer.patchU16(0, 0xffff);
    assert.deepEqual(first, Uint8Array.of(1));
  });
});

describe('bytes', () => {
  test('join, compare, and go to hex and back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        const both = concat([a, b]);
        assert.ok(equalBytes(both.subarray(0, a.length), a) && equalBytes(both.subarray(a.length), b));
        assert.equal(equalBytes(a, b), toHex(a) === toHex(b));
        assert.deepEqual(fromHex(toHex(both)), both);
      }),
    );
    assert.deepEqual(concat([]), new Uint8Array(0));
  });

  test('hex is checked', () => {
    assert.deepEqual(fromHex('DEADbeef'), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
    for (const bad of ['a', 'zz', '0x00', ' 00', '0 0 ', '00\n0']) assert.equal(fromHex(bad), undefined, bad);
    assert.deepEqual(utf8('é'), Uint8Array.of(0xc3, 0xa9));
  });
});
