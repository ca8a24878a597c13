import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { optionByCode } from '../../../src/wire/dhcp4/options.ts';

/** What RFC 2132 says of the length of a value, in bytes: exactly so many, or at least so many and a multiple. */
type Length = { readonly exactly: number } | { readonly atLeast: number; readonly multipleOf: number };

const exactly = (size: number): Length => ({ exactly: size });
const TEXT: Length = { atLeast: 1, multipleOf: 1 };
const ADDRESSES: Length = { atLeast: 4, multipleOf: 4 };
const PAIRS: Length = { atLeast: 8, multipleOf: 8 };

/** Every option that RFC 2132 defines, by its sections 3 to 9. */
const LENGTHS: readonly (readonly [codes: readonly number[], length: Length])[] = [
  [[19, 20, 27, 29, 30, 31, 34, 36, 39], exactly(1)],
  [[23, 37, 46, 52, 53], exactly(1)],
  [[13, 22, 26, 57], exactly(2)],
  [[1, 2, 16, 24, 28, 32, 35, 38, 50, 51, 54, 58, 59], exactly(4)],
  [[3, 4, 5, 6, 7, 8, 9, 10, 11, 41, 42, 44, 45, 48, 49, 65, 69, 70, 71, 72, 73, 74, 75, 76], ADDRESSES],
  // "Its minimum length is 0 (indicating no home agents are available)" (8.13).
  [[68], { atLeast: 0, multipleOf: 4 }],
  [[21, 33], PAIRS],
  [[25], { atLeast: 2, multipleOf: 2 }],
  [[12, 14, 15, 17, 18, 40, 43, 47, 55, 56, 60, 64, 66, 67], TEXT],
];

/** Not those: RFC 2242 defines them. */
const OF_OTHERS: readonly number[] = [62, 63];
/** "Its minimum length is 2" (9.14), but single bytes are in use and harm nobody. */
const SHORTER_IN_USE: readonly number[] = [61];

const LONGEST = 48;

function isAllowed(length: Length, bytes: number): boolean {
  if ('exactly' in length) return bytes === length.exactly;
  return bytes >= length.atLeast && bytes % length.multipleOf === 0;
}

/** Whether some value of so many bytes is taken: flags are 1, masks are ones, sizes have a least value, text is text. */
function isTaken(code: number, bytes: number): boolean {
  const codec = optionByCode(code)?.codec;
  assert.ok(codec, String(code));
  return [0x01, 0x61, 0xff].some((fill) => codec.decode(new Uint8Array(bytes).fill(fill)).ok);
}

describe('lengths of the options of RFC 2132', () => {
  for (const [codes, length] of LENGTHS) {
    for (const code of codes) {
      test(`${code}: ${JSON.stringify(length)}`, () => {
        for (let bytes = 0; bytes <= LONGEST; bytes++)
          assert.equal(isTaken(code, bytes), isAllowed(length, bytes), `${bytes} bytes`);
      });
    }
  }

  test('61 takes one byte too, and not none', () => {
    for (let bytes = 0; bytes <= LONGEST; bytes++) assert.equal(isTaken(61, bytes), bytes > 0);
  });

  test('no option of it is missing here', () => {
    const codes = [...LENGTHS.flatMap(([some]) => some), ...OF_OTHERS, ...SHORTER_IN_USE];
    assert.deepEqual(
      codes.toSorted((a, b) => a - b),
      Array.from({ length: 76 }, (_, i) => i + 1),
    );
  });
});
