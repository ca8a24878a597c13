import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { shownIdentifier } from '../../../src/wire/dhcp4/client-identifier.ts';
import { hex } from './results.ts';

describe('an option 61 as an administrator sees it', () => {
  test('type 255: IAID and DUID (RFC 4361 6.1)', () => {
    assert.deepEqual(shownIdentifier(hex('ff 01020304 0004 00112233445566778899aabbccddeeff')), {
      clientId: 'ff:01:02:03:04:00:04:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff',
      text: null,
      iaid: '01:02:03:04',
      duid: '00:04:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff',
    });
    // RFC 8415 11.1: a DUID has a type of two bytes and something behind it.
    for (const short of ['ff', 'ff01020304', 'ff010203040004'])
      assert.deepEqual([shownIdentifier(hex(short)).iaid, shownIdentifier(hex(short)).duid], [null, null]);
    assert.equal(shownIdentifier(hex('ff01020304000401')).duid, '00:04:01');
  });

  test('type 0: text, where it is plain', () => {
    const web = shownIdentifier(concat([Uint8Array.of(0), utf8('shop/web-0/eth0')]));
    assert.equal(web.text, 'shop/web-0/eth0');
    assert.equal(web.clientId, '00:73:68:6f:70:2f:77:65:62:2d:30:2f:65:74:68:30');
    for (const bytes of ['00', '00ff', '001b5b', '0061e280ae'])
      assert.equal(shownIdentifier(hex(bytes)).text, null, bytes);
  });

  test('any other: bytes', () => {
    assert.deepEqual(shownIdentifier(hex('0102005e100001')), {
      clientId: '01:02:00:5e:10:00:01',
      text: null,
      iaid: null,
      duid: null,
    });
    assert.equal(shownIdentifier(utf8('mine')).clientId, '6d:69:6e:65');
    assert.equal(shownIdentifier(hex('')).clientId, '');
  });
});
