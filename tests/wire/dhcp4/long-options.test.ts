import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { concat } from '../../../src/base/bytes.ts';
import { emitDhcp4, parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { allOptions, OPTION_END, OPTION_OVERLOAD, OPTION_PAD } from '../../../src/wire/dhcp4/options.ts';
import { dhcp4Message } from '../../support/dhcp4-message.ts';

/** The areas in which options stand (RFC 3396 section 5), in the order in which they are read, with their bytes. */
const AREAS = [
  { name: 'options', start: 240, size: 900, overload: 0 },
  { name: 'file', start: 108, size: 128, overload: 1 },
  { name: 'sname', start: 44, size: 64, overload: 2 },
] as const;
const PACKET_BYTES = 240 + 900;
/** Option 52 and End. */
const MARKS_BYTES = 3 + 1;
/** An option that says nothing here, and stands between the pieces. */
const BETWEEN = 224;

/** All codes whose values have no size of their own, but for 52: what comes again is a piece (RFC 3396 section 7). */
const JOINED: readonly number[] = [
  ...allOptions()
    .filter(({ codec }) => codec.size === undefined)
    .map(({ code }) => code),
  225,
];

const MESSAGE = dhcp4Message({ op: 'reply', options: new Map() });

type Piece = {
  readonly area: number;
  readonly bytes: Uint8Array;
  readonly pads: number;
  readonly between: boolean;
};

function written({ bytes, pads, between }: Piece, code: number): Uint8Array {
  const own = concat([new Uint8Array(pads).fill(OPTION_PAD), Uint8Array.of(code, bytes.length), bytes]);
  return between ? concat([own, Uint8Array.of(BETWEEN, 1, 7)]) : own;
}

/** A packet with these pieces in the areas that they name, and the pieces in the order of the aggregate buffer. */
function packetOf(code: number, pieces: readonly Piece[]): { packet: Uint8Array; placed: readonly Piece[] } {
  const packet = new Uint8Array(PACKET_BYTES);
  packet.set(emitDhcp4(MESSAGE).subarray(0, 240));
  const placed: Piece[] = [];
  const areas = AREAS.map((area, index) => {
    const parts: Uint8Array[] = [];
    let left = area.size - MARKS_BYTES;
    for (const piece of pieces.filter((one) => one.area === index)) {
      const bytes = written(piece, code);
      if (bytes.length > left) continue;
      left -= bytes.length;
      parts.push(bytes);
      placed.push(piece);
    }
    return { ...area, bytes: concat(parts) };
  });
  const overload = areas.reduce(
    (bits, { overload: bit, bytes }) => (bytes.length > 0 ? bits | bit : bits),
    0,
  );
  for (const { start, overload: bit, bytes } of areas) {
    if (bit !== 0 && (overload & bit) === 0) continue;
    const marks = bit === 0 && overload !== 0 ? [OPTION_OVERLOAD, 1, overload] : [];
    packet.set(concat([bytes, Uint8Array.from([...marks, OPTION_END])]), start);
  }
  return { packet, placed };
}

describe('long options (RFC 3396)', () => {
  test('pieces in any of the three areas are one value, in the order options, file, sname', () => {
    const piece = fc.record({
      area: fc.nat(2),
      bytes: fc.uint8Array({ maxLength: 255 }),
      pads: fc.nat(2),
      between: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.constantFrom(...JOINED), fc.array(piece, { maxLength: 8 }), (code, pieces) => {
        const { packet, placed } = packetOf(code, pieces);
        const read = parseDhcp4(packet);
        assert.ok(read.ok, read.ok ? '' : read.error);
        const { options, sname, file } = read.value;
        const whole = placed.length === 0 ? undefined : concat(placed.map(({ bytes }) => bytes));
        assert.deepEqual(options.get(code), whole);
        assert.equal(options.has(OPTION_OVERLOAD), false);
        assert.equal(sname + file, '');
      }),
      { numRuns: 1500 },
    );
  });

  test('a value that is written is cut only where it must be, into pieces of one code in order', () => {
    fc.assert(
      fc.property(fc.constantFrom(...JOINED), fc.uint8Array({ maxLength: 1100 }), (code, value) => {
        const bytes = emitDhcp4({ ...MESSAGE, options: new Map([[code, value]]) });
        const parts: Uint8Array[] = [];
        let at = 240;
        while (bytes[at] === code) {
          const length = bytes[at + 1] ?? 0;
          parts.push(bytes.subarray(at + 2, at + 2 + length));
          at += 2 + length;
        }
        assert.equal(bytes[at], OPTION_END);
        assert.deepEqual(concat(parts), value);
        assert.equal(parts.length, Math.max(1, Math.ceil(value.length / 255)));
        // Nothing stands in file and sname, and option 52 does not say so.
        assert.ok(bytes.subarray(44, 236).every((byte) => byte === 0));
      }),
      { numRuns: 500 },
    );
  });

  test('an option that would cross the end of its area is refused, whatever stands behind it', () => {
    for (const { start, size, overload } of AREAS.filter((area) => area.overload !== 0)) {
      const { packet } = packetOf(225, []);
      packet.set([OPTION_OVERLOAD, 1, overload, OPTION_END], 240);
      packet.set([225, size - 1], start);
      assert.deepEqual(parseDhcp4(packet), { ok: false, error: 'option-overrun' });
      packet.set([225, size - 2], start);
      assert.equal(parseDhcp4(packet).ok, true);
    }
  });
});
