import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeNsid, getNsidRequest, RTM_GETNSID } from '../../../src/wire/netlink/nsid.ts';

test('asks by descriptor', () => {
  const request = getNsidRequest(23);
  assert.deepEqual([request.op, request.type, request.flags], ['RTM_GETNSID', RTM_GETNSID, 0]);
  // rtgenmsg of no family, padded; NETNSA_FD.
  assert.equal(request.payload.toHex(), '000000000800030017000000');
});

test('answers as Linux 6.18 sends them', () => {
  // NETNSA_NSID 0, and NETNSA_NSID_NOT_ASSIGNED.
  assert.deepEqual(decodeNsid(Uint8Array.fromHex('000000000800010000000000')), { ok: true, value: 0 });
  assert.deepEqual(decodeNsid(Uint8Array.fromHex('0000000008000100ffffffff')), { ok: true, value: -1 });
});

test('without the attribute there is no id', () => {
  assert.deepEqual(decodeNsid(new Uint8Array(4)), { ok: true, value: -1 });
});

test('cut and wrong answers are named', () => {
  assert.deepEqual(decodeNsid(new Uint8Array(3)), {
    ok: false,
    error: { kind: 'truncated', what: 'rtgenmsg' },
  });
  for (const attribute of ['0600010000000000', '0300010000000000', '0c00010000000000']) {
    const answer = decodeNsid(Uint8Array.fromHex(`00000000${attribute}`));
    assert.ok(!answer.ok && answer.error.kind === 'bad-length', attribute);
  }
});

test('any bytes are decoded or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const answer = decodeNsid(bytes);
      return answer.ok ? Number.isInteger(answer.value) : answer.error.what.length > 0;
    }),
  );
});
