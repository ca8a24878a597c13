import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { optionByCode } from '../../../src/wire/dhcp4/options.ts';
import { isAllowed, lengthText, OPTION_LENGTHS } from '../../rfc/option-lengths.ts';

/** Bytes that are a value of any option that has no values of its own: a printable one. */
const FILL = 0x41;
const MASK = 1;
/** Codes whose values are few: 0 or 1, message types, overloads. */
const SMALL: ReadonlySet<number> = new Set([19, 20, 27, 29, 30, 31, 34, 36, 39, 46, 52, 53]);
const LONGEST = 40;

function valueOf(code: number, length: number): Uint8Array {
  const fill = code === MASK ? 0xff : SMALL.has(code) ? 1 : FILL;
  return new Uint8Array(length).fill(fill);
}

describe('a value of another length than RFC 2132 states is malformed', () => {
  for (const { code, length } of OPTION_LENGTHS) {
    test(`option ${code}: ${lengthText(length)}`, () => {
      const row = optionByCode(code);
      assert.ok(row);
      for (let bytes = 0; bytes <= LONGEST; bytes++) {
        assert.equal(row.codec.decode(valueOf(code, bytes)).ok, isAllowed(length, bytes), `${bytes} bytes`);
      }
    });
  }

  test('this is said of every option of RFC 2132 but 61, 62, 63 and 68', () => {
    const said = OPTION_LENGTHS.map(({ code }) => code).toSorted((a, b) => a - b);
    const all = Array.from({ length: 76 }, (_, at) => at + 1).filter(
      (code) => ![61, 62, 63, 68].includes(code),
    );
    assert.deepEqual(said, all);
  });
});
