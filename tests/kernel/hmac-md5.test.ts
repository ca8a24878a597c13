import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalSecrets, fromHex, utf8 } from '../../src/base/bytes.ts';
import { findHmacMd5 } from '../../src/kernel/hmac-md5.ts';

function refusing(): never {
  throw new Error('error:0308010C:digital envelope routines::unsupported');
}

test('no MD5, as in a FIPS mode: there is none, and nothing is thrown', () => {
  assert.equal(findHmacMd5(refusing), undefined);
});

test('HMAC-MD5: the vectors of RFC 2104', () => {
  const hmac = findHmacMd5();
  assert.ok(hmac !== undefined, 'this Node has MD5');
  for (const [key, data, digest] of [
    [new Uint8Array(16).fill(0x0b), utf8('Hi There'), '9294727a3638bb1c13f48ef8158bfc9d'],
    [utf8('Jefe'), utf8('what do ya want for nothing?'), '750c783e6ab0b503eaa86e310a5db738'],
    [new Uint8Array(16).fill(0xaa), new Uint8Array(50).fill(0xdd), '56be34521d144c88dbb8c733f0e8b3f6'],
  ] as const) {
    const computed: Uint8Array = Uint8Array.from(hmac(key, data));
    assert.equal(computed.toHex(), digest);
    assert.ok(equalSecrets(computed, fromHex(digest) ?? new Uint8Array()));
    for (let i = 0; i < 16; i++) {
      assert.equal(equalSecrets(computed, computed.with(i, (computed[i] ?? 0) ^ 1)), false);
    }
    assert.equal(equalSecrets(computed, computed.subarray(0, 15)), false);
  }
});
