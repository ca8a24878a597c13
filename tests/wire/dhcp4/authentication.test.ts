import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  nonceAuthentication,
  readNonceAuthentication,
  withoutDigest,
} from '../../../src/wire/dhcp4/authentication.ts';
import { emitDhcp4, parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { DNSMASQ_ACK_FRAME, payloadOf } from './fixtures.ts';

const AUTHENTICATION = 90;
const FILE_AT = 108;
const VALUE = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
/** Protocol 3, algorithm 1, method 0, counter 0x0102030405060708, type 2, value: RFC 6704 3.1.2. */
const DIGEST = Uint8Array.of(3, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2, ...VALUE);

function read(bytes: Uint8Array | undefined): unknown {
  const options = new Map(bytes === undefined ? [] : [[AUTHENTICATION, bytes]]);
  const value = readNonceAuthentication(options);
  return value.ok ? value.value : value.error;
}

describe('option 90 of the Forcerenew Nonce Authentication (RFC 6704 3.1.2)', () => {
  test('a digest and a nonce, and the same bytes again', () => {
    const digest = { kind: 'digest', replay: '0102030405060708', value: VALUE } as const;
    assert.deepEqual(read(DIGEST), digest);
    assert.deepEqual(nonceAuthentication(digest), DIGEST);
    assert.deepEqual(read(DIGEST.with(11, 1)), { ...digest, kind: 'nonce' });
    assert.deepEqual(nonceAuthentication({ ...digest, kind: 'nonce' }), DIGEST.with(11, 1));
  });

  for (const [what, bytes, reason] of [
    ['no option', undefined, 'absent'],
    ['nothing in it', new Uint8Array(), 'malformed'],
    ['cut off in the counter', DIGEST.subarray(0, 10), 'malformed'],
    ['no type', DIGEST.subarray(0, 11), 'malformed'],
    ['a value of 15 bytes', DIGEST.subarray(0, 27), 'malformed'],
    ['a value of 17 bytes', Uint8Array.of(...DIGEST, 0), 'malformed'],
    ['another type', DIGEST.with(11, 3), 'malformed'],
    ['the configuration token (RFC 3118 4)', DIGEST.with(0, 0), 'other-method'],
    ['delayed authentication (RFC 3118 5)', DIGEST.with(0, 1), 'other-method'],
    ['another algorithm', DIGEST.with(1, 2), 'other-method'],
    ['another method of replay detection', DIGEST.with(2, 1), 'other-method'],
  ] as const) {
    test(`${what}: ${reason}`, () => assert.equal(read(bytes), reason));
  }
});

describe('what a digest is computed over (RFC 6704 3.1.3)', () => {
  const ack = parseDhcp4(payloadOf(DNSMASQ_ACK_FRAME));
  assert.ok(ack.ok);
  const message = ack.value;
  const signed = (bytes: Uint8Array): Uint8Array =>
    emitDhcp4({
      ...message,
      options: new Map([
        [53, Uint8Array.of(9)],
        [AUTHENTICATION, bytes],
      ]),
    });

  test('the whole message with the digest zero, padding and all; the message itself stays as it is', () => {
    const bytes = signed(DIGEST);
    const before = bytes.slice();
    const zero = Uint8Array.of(...DIGEST.subarray(0, 12), ...new Uint8Array(16));
    assert.deepEqual(withoutDigest(bytes), signed(zero));
    assert.deepEqual(bytes, before);
  });

  test('a view into a larger buffer, as a tap gives it', () => {
    const bytes = signed(DIGEST);
    const frame = new Uint8Array(bytes.length + 50);
    frame.set(bytes, 42);
    assert.deepEqual(withoutDigest(frame.subarray(42, 42 + bytes.length)), withoutDigest(bytes));
  });

  test('in two pieces, in another field, too short, or not there: nothing is computed', () => {
    const pieces = signed(DIGEST);
    const at = pieces.indexOf(AUTHENTICATION, 240);
    const split = [
      AUTHENTICATION,
      14,
      ...DIGEST.subarray(0, 14),
      AUTHENTICATION,
      14,
      ...DIGEST.subarray(14),
      255,
    ];
    pieces.set(split, at);
    const joined = parseDhcp4(pieces);
    assert.ok(joined.ok);
    assert.deepEqual(joined.value.options.get(AUTHENTICATION), DIGEST);
    assert.equal(withoutDigest(pieces), undefined);

    const overloaded = emitDhcp4({ ...message, file: '', options: new Map([[53, Uint8Array.of(9)]]) });
    overloaded.set([52, 1, 1, 255], 243);
    overloaded.set([AUTHENTICATION, DIGEST.length, ...DIGEST, 255], FILE_AT);
    const inFile = parseDhcp4(overloaded);
    assert.ok(inFile.ok);
    assert.deepEqual(inFile.value.options.get(AUTHENTICATION), DIGEST);
    assert.equal(withoutDigest(overloaded), undefined);

    assert.equal(withoutDigest(signed(DIGEST.subarray(0, 20))), undefined);
    assert.equal(withoutDigest(payloadOf(DNSMASQ_ACK_FRAME)), undefined);
  });
});
