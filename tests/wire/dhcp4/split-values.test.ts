import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { dhcp4Message } from '../../support/dhcp4-message.ts';

// RFC 3396 on the wire, and the list that needs it first (RFC 3397).

const SNAME_AT = 44;
const COOKIE_AT = 236;
const OPTIONS_AT = 240;
const END = 255;
/** Vendor's own options: bytes that nobody looks into. */
const VENDOR = 43;
const SEARCH = 119;

function messageWith(options: ReadonlyMap<number, Uint8Array>): Dhcp4Message {
  return dhcp4Message({ op: 'request', options });
}

/** What stands in the options field, piece by piece: read by the rules of RFC 2132 section 2 and no others. */
function piecesOf(packet: Uint8Array): readonly (readonly [number, Uint8Array])[] {
  const pieces: (readonly [number, Uint8Array])[] = [];
  let at = OPTIONS_AT;
  while (packet[at] !== END) {
    const [code, length] = [packet[at] ?? END, packet[at + 1] ?? 0];
    pieces.push([code, packet.subarray(at + 2, at + 2 + length)]);
    at += 2 + length;
  }
  return pieces;
}

/** No two neighbours are the same, so that an order shows. */
function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

/** A label of a name as it stands in a message. */
function label(text: string): Uint8Array {
  return concat([Uint8Array.of(text.length), utf8(text)]);
}

describe('a value that is sent (RFC 3396 4 to 6)', () => {
  test('is one option up to 255 bytes, and cut into as few as can be beyond', () => {
    for (const [length, pieces] of [
      [0, [0]],
      [255, [255]],
      [256, [255, 1]],
      [510, [255, 255]],
      [511, [255, 255, 1]],
    ] as const) {
      const value = counting(length);
      const sent = piecesOf(emitDhcp4(messageWith(new Map([[VENDOR, value]]))));
      assert.deepEqual(
        sent.map(([code, piece]) => [code, piece.length]),
        pieces.map((size) => [VENDOR, size]),
        `${length} bytes`,
      );
      assert.deepEqual(concat(sent.map(([, piece]) => piece)), value, 'in order');
    }
  });

  test('stands in the options field alone: sname, file and option 52 are not used', () => {
    const packet = emitDhcp4(messageWith(new Map([[VENDOR, counting(1000)]])));
    assert.ok(packet.subarray(SNAME_AT, COOKIE_AT).every((byte) => byte === 0));
    assert.ok(piecesOf(packet).every(([code]) => code === VENDOR));
  });
});

describe('a search list', () => {
  test('in three options, with a pointer into the first: the example of RFC 3397 section 3', () => {
    const pieces = [
      concat([Uint8Array.of(3), utf8('eng'), Uint8Array.of(5), utf8('appl')]),
      concat([utf8('e'), Uint8Array.of(3), utf8('com'), Uint8Array.of(0, 9), utf8('ma')]),
      concat([utf8('rketing'), Uint8Array.of(0xc0, 4)]),
    ];
    assert.deepEqual(
      pieces.map(({ length }) => length),
      [9, 9, 9],
    );
    const fixed = emitDhcp4(messageWith(new Map())).subarray(0, OPTIONS_AT);
    const options = pieces.map((piece) => concat([Uint8Array.of(SEARCH, piece.length), piece]));
    const read = parseDhcp4(concat([fixed, ...options, Uint8Array.of(END)]));
    assert.ok(read.ok);
    assert.deepEqual(readOption(read.value.options, 'domain-search'), {
      kind: 'value',
      value: ['eng.apple.com', 'marketing.apple.com'],
    });
  });

  test('that is longer than 255 bytes comes whole through a message', () => {
    const names = ['a', 'b', 'c', 'd', 'e'].map((first) => `${first.repeat(60)}.lan`);
    const list = concat(names.map((name) => concat([...name.split('.').map(label), Uint8Array.of(0)])));
    assert.ok(list.length > 255);
    const read = parseDhcp4(emitDhcp4(messageWith(new Map([[SEARCH, list]]))));
    assert.ok(read.ok);
    assert.deepEqual(readOption(read.value.options, 'domain-search'), { kind: 'value', value: names });
  });
});
