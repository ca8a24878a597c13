import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { allOptions, OPTION_OVERLOAD, readOption } from '../../../src/wire/dhcp4/options.ts';
import { anyValue } from './arbitrary.ts';
import { DNSMASQ_OFFER_FRAME, payloadOf } from './fixtures.ts';

const OPTIONS_AT = 240;
const FILE_AT = 108;
const END = 255;

/** Options, each as its code and the bytes of its value. */
type Pieces = readonly (readonly number[])[];

function written(pieces: Pieces): readonly number[] {
  return pieces.flatMap(([code = 0, ...value]) => [code, value.length, ...value]);
}

/** A packet with these options, and those of the field file where there are some. */
function packetOf(options: Pieces, file: Pieces = []): Uint8Array {
  const fixed = payloadOf(DNSMASQ_OFFER_FRAME).subarray(0, OPTIONS_AT);
  const bytes = Uint8Array.from([...fixed, ...written(options), END]);
  bytes.set([...written(file), END], FILE_AT);
  return bytes;
}

function parsed(bytes: Uint8Array): Dhcp4Message {
  const message = parseDhcp4(bytes);
  assert.ok(message.ok, message.ok ? '' : message.error);
  return message.value;
}

/** The rows whose values all have one size, with that size. */
const FIXED = allOptions().flatMap((row) => {
  const { code, name, codec } = row;
  const { size } = codec;
  return size === undefined || code === OPTION_OVERLOAD ? [] : [{ row, code, name, size }];
});
const bytesOf = (size: number, first: number): readonly number[] =>
  Array.from({ length: size }, (_, i) => first + i);

describe('an option of a fixed size that a server repeats', () => {
  test('these are all that have one', () => {
    const codes = FIXED.map(({ code }) => code).sort((a, b) => a - b);
    assert.deepEqual(
      codes,
      [
        1, 2, 13, 16, 19, 20, 22, 23, 24, 26, 27, 28, 29, 30, 31, 32, 34, 35, 36, 37, 38, 39, 46, 50, 51, 53,
        54, 57, 58, 59, 80, 91, 94, 108, 109, 116, 118, 152, 153, 154, 155, 156, 157, 159, 208, 211,
      ],
    );
  });

  test('all their values have that size', () => {
    for (const { row, size } of FIXED) {
      const values = anyValue(row);
      assert.ok(values);
      for (const value of fc.sample(values, 20)) assert.equal(row.codec.encode(value).length, size, row.name);
    }
  });

  for (const { code, name, size } of FIXED) {
    test(`${code} ${name}: equal copies are one, of unequal ones the first counts`, () => {
      const first = bytesOf(size, 1);
      const same = parsed(
        packetOf([
          [code, ...first],
          [code, ...first],
          [code, ...first],
        ]),
      );
      assert.deepEqual([...(same.options.get(code) ?? [END])], first);
      assert.equal(same.contradicted, undefined);

      for (const other of [bytesOf(size, 2), bytesOf(size + 1, 1)]) {
        if (other.length === 0) continue; // an option without bytes has one value
        const unlike = parsed(
          packetOf([
            [code, ...first],
            [code, ...other],
          ]),
        );
        assert.deepEqual([...(unlike.options.get(code) ?? [END])], first);
        assert.deepEqual(unlike.contradicted, [code]);
        assert.equal(parsed(emitDhcp4(unlike)).contradicted, undefined);
      }
    });
  }

  test('a value that is cut in two is one value all the same (RFC 3396)', () => {
    const { options, contradicted } = parsed(
      packetOf([
        [54, 192, 168],
        [54, 1, 1],
      ]),
    );
    assert.deepEqual(readOption(options, 'dhcp-server-identifier'), { kind: 'value', value: '192.168.1.1' });
    assert.equal(contradicted, undefined);
  });

  test('a first copy that is too long is malformed, and stays so', () => {
    const { options } = parsed(
      packetOf([
        [53, 5, 5],
        [53, 5],
      ]),
    );
    assert.equal(readOption(options, 'dhcp-message-type').kind, 'malformed');
  });

  test('a copy may stand in another field', () => {
    const { options, contradicted } = parsed(
      packetOf(
        [
          [52, 1],
          [54, 192, 168, 1, 1],
        ],
        [[54, 192, 168, 1, 2]],
      ),
    );
    assert.deepEqual(readOption(options, 'dhcp-server-identifier'), { kind: 'value', value: '192.168.1.1' });
    assert.deepEqual(contradicted, [54]);
  });

  test('option 52 itself', () => {
    const message = parsed(
      packetOf(
        [
          [52, 1],
          [52, 1],
          [52, 3],
        ],
        [[12, 97]],
      ),
    );
    assert.deepEqual(readOption(message.options, 'host-name'), { kind: 'value', value: 'a' });
    assert.deepEqual(message.contradicted, [52]);
  });
});

describe('an option of many sizes that a server repeats is one long value (RFC 3396)', () => {
  test('addresses', () => {
    const { options, contradicted } = parsed(
      packetOf([
        [6, 192, 168, 1, 1],
        [6, 192, 168, 1, 2],
      ]),
    );
    assert.deepEqual(readOption(options, 'domain-name-servers'), {
      kind: 'value',
      value: ['192.168.1.1', '192.168.1.2'],
    });
    assert.equal(contradicted, undefined);
  });

  test('bytes without a row', () => {
    assert.deepEqual(
      [
        ...(parsed(
          packetOf([
            [224, 1],
            [224, 1],
          ]),
        ).options.get(224) ?? []),
      ],
      [1, 1],
    );
  });
});
