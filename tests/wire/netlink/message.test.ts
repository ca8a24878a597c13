import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { attr } from '../../../src/wire/netlink/attributes.ts';
import {
  decodeMessages,
  decodeOutcome,
  encodeRequest,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_DONE,
  NLMSG_ERROR,
  type NetlinkMessage,
} from '../../../src/wire/netlink/message.ts';

/** Bytes in pieces that a reader can tell apart. */
function hex(...pieces: readonly string[]): string {
  return pieces.join('');
}

const NLMSGERR_ATTR_MSG = 1;

function message(type: number, flags: number, payload: Uint8Array): NetlinkMessage {
  return { type, flags, seq: 1, payload };
}

/** A request whose type, number and length tell which it is. */
function numbered(n: number): Uint8Array {
  return encodeRequest({ op: 'test', type: 16 + n, flags: 0, payload: new Uint8Array(n) }, n);
}

/** A bare nlmsghdr that claims a length. */
function headerOf(length: number): Uint8Array {
  return concat([new Uint8Array(Uint32Array.of(length).buffer), new Uint8Array(12)]);
}

function i32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

test('a request is a header, flags, a number and its payload, padded', () => {
  const request = { op: 'test', type: 18, flags: NLM_F_ACK, payload: Uint8Array.of(1, 2, 3, 4, 5) };
  assert.equal(
    encodeRequest(request, 7).toHex(),
    hex('15000000', '1200', '0500', '07000000', '00000000', '0102030405', '000000'),
  );
});

test('several messages in one datagram are read in order', () => {
  const read = decodeMessages(concat([numbered(1), numbered(2), numbered(3)]));
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map(({ type, seq, payload }) => [type, seq, payload.length]),
    [
      [17, 1, 1],
      [18, 2, 2],
      [19, 3, 3],
    ],
  );
});

test('a bad length spoils the datagram and is named', () => {
  for (const length of [0, 15, 17, 0xffffffff]) {
    assert.deepEqual(decodeMessages(headerOf(length)), {
      ok: false,
      error: { kind: 'bad-length', what: 'message at byte 0' },
    });
  }
  assert.deepEqual(decodeMessages(headerOf(16).subarray(0, 9)), {
    ok: false,
    error: { kind: 'truncated', what: 'nlmsghdr' },
  });
});

test('an acknowledgement is success; an error has its number and the kernel’s words', () => {
  const text = attr(NLMSGERR_ATTR_MSG, utf8('Nexthop has invalid gateway\0'));
  const header = encodeRequest({ op: 'test', type: 24, flags: 0, payload: Uint8Array.of(1, 2, 3, 4) }, 1);
  const capped = concat([i32(-101), header.subarray(0, 16), text]);
  const whole = concat([i32(-101), header, text]);
  const wanted = { ok: true, value: { errno: 101, text: 'Nexthop has invalid gateway' } };
  assert.deepEqual(decodeOutcome(message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, capped)), wanted);
  assert.deepEqual(decodeOutcome(message(NLMSG_ERROR, NLM_F_ACK_TLVS, whole)), wanted);
  assert.deepEqual(decodeOutcome(message(NLMSG_ERROR, NLM_F_CAPPED, concat([i32(0), header]))), {
    ok: true,
    value: { errno: 0 },
  });
});

test('the end of a dump may be an error too', () => {
  assert.deepEqual(decodeOutcome(message(NLMSG_DONE, 0, i32(0))), { ok: true, value: { errno: 0 } });
  assert.deepEqual(decodeOutcome(message(NLMSG_DONE, 0, new Uint8Array(0))), {
    ok: true,
    value: { errno: 0 },
  });
  const text = attr(NLMSGERR_ATTR_MSG, utf8('ipv4: FIB table does not exist\0'));
  assert.deepEqual(decodeOutcome(message(NLMSG_DONE, NLM_F_ACK_TLVS, concat([i32(-2), text]))), {
    ok: true,
    value: { errno: 2, text: 'ipv4: FIB table does not exist' },
  });
});

test('a cut or lying error message is refused', () => {
  assert.deepEqual(decodeOutcome(message(NLMSG_ERROR, 0, new Uint8Array(3))), {
    ok: false,
    error: { kind: 'truncated', what: 'NLMSG_ERROR' },
  });
  // It says that the request it repeats is four gigabytes long.
  const lying = concat([i32(-1), i32(-1), new Uint8Array(12)]);
  assert.equal(decodeOutcome(message(NLMSG_ERROR, NLM_F_ACK_TLVS, lying)).ok, false);
});

test('any bytes are read or refused, and what is read lies inside', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 96 }), fc.nat(0xffff), (bytes, flags) => {
      const read = decodeMessages(bytes);
      if (!read.ok) return;
      for (const { payload } of read.value) assert.ok(payload.length <= bytes.length);
      for (const type of [NLMSG_ERROR, NLMSG_DONE]) decodeOutcome(message(type, flags, bytes));
    }),
    { numRuns: 5000 },
  );
});

test('any error payload is read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(NLMSG_ERROR, NLMSG_DONE), (bytes, type) => {
      for (const flags of [0, NLM_F_CAPPED, NLM_F_ACK_TLVS, NLM_F_CAPPED | NLM_F_ACK_TLVS]) {
        decodeOutcome(message(type, flags, bytes));
      }
    }),
    { numRuns: 2000 },
  );
});
