import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  datagramSize,
  duration,
  flag,
  INFINITE_SECONDS,
  mtu,
  presence,
  s32,
  u16,
  u16List,
  u32,
  u8,
} from '../../../src/wire/dhcp4/codec-number.ts';
import { opaque, parseHexText, text } from '../../../src/wire/dhcp4/codec-text.ts';
import { DHCP_MESSAGE_TYPE, messageType, messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { hex, reasonOf, valueOf } from './results.ts';

describe('numbers', () => {
  test('have exactly their width', () => {
    assert.equal(valueOf(u8.decode(hex('ff'))), 255);
    assert.equal(valueOf(u16.decode(hex('0102'))), 258);
    assert.equal(valueOf(u32.decode(hex('ffffffff'))), 4294967295);
    assert.equal(valueOf(s32.decode(hex('ffffffff'))), -1);
    assert.deepEqual(s32.encode(-3600), hex('fffff1f0'));
    for (const bad of ['', 'ff', 'ffffff'])
      assert.match(reasonOf(u16.decode(hex(bad))), /bytes instead of 2/);
  });

  test('have the least values of RFC 2132', () => {
    assert.match(reasonOf(mtu.decode(hex('0043'))), /67 is less than 68/);
    assert.equal(valueOf(mtu.decode(hex('0044'))), 68);
    assert.match(reasonOf(datagramSize.parse('575')), /from 576 to 65535/);
  });

  test('in configuration are plain decimals', () => {
    assert.equal(valueOf(u16.parse('65535')), 65535);
    assert.equal(valueOf(s32.parse('-3600')), -3600);
    assert.ok(Object.is(valueOf(s32.parse('-0')), 0));
    for (const bad of ['', '65536', '-1', '1.5', '1e3', '0x10', ' 1', 'NaN', '9'.repeat(400)]) {
      assert.match(reasonOf(u16.parse(bad)), /not a whole number from 0 to 65535/, bad);
    }
  });

  test('lists have at least one', () => {
    assert.deepEqual(valueOf(u16List.decode(hex('00010002'))), [1, 2]);
    assert.equal(u16List.decode(hex('')).ok, false);
    assert.equal(u16List.decode(hex('000102')).ok, false);
    assert.deepEqual(valueOf(u16List.parse('1, 2')), [1, 2]);
    assert.equal(u16List.parse('').ok, false);
  });

  test('a time may be infinite', () => {
    assert.equal(valueOf(duration.decode(hex('ffffffff'))), INFINITE_SECONDS);
    assert.equal(duration.format(INFINITE_SECONDS), 'infinite');
    assert.equal(valueOf(duration.parse('infinite')), INFINITE_SECONDS);
    assert.equal(valueOf(duration.parse('3600')), 3600);
  });

  test('a flag is 0 or 1 and nothing else', () => {
    assert.equal(valueOf(flag.decode(hex('01'))), true);
    assert.equal(valueOf(flag.decode(hex('00'))), false);
    assert.match(reasonOf(flag.decode(hex('02'))), /neither 0 nor 1/);
    assert.equal(flag.decode(hex('')).ok, false);
    assert.equal(valueOf(flag.parse('On')), true);
    assert.match(reasonOf(flag.parse('maybe')), /neither true nor false/);
  });

  test('rapid commit has no value', () => {
    assert.equal(valueOf(presence.decode(hex(''))), true);
    assert.equal(presence.decode(hex('00')).ok, false);
    assert.equal(valueOf(presence.parse('')), true);
    assert.match(reasonOf(presence.parse('yes')), /leave it empty/);
  });
});

describe('message types', () => {
  test('have the names of the RFCs', () => {
    assert.equal(valueOf(messageType.decode(hex('05'))), DHCP_MESSAGE_TYPE.DHCPACK);
    assert.equal(messageTypeName(DHCP_MESSAGE_TYPE.DHCPNAK), 'DHCPNAK');
    assert.equal(valueOf(messageType.parse('dhcpoffer')), 2);
    assert.match(reasonOf(messageType.decode(hex('4d'))), /unknown message type 77/);
    assert.equal(messageType.decode(hex('')).ok, false);
    assert.equal(messageType.decode(hex('0505')).ok, false);
    for (const bad of ['offer', '2', '__proto__']) assert.equal(messageType.parse(bad).ok, false);
  });
});

describe('text', () => {
  test('loses trailing NULs and nothing else', () => {
    assert.equal(valueOf(text.decode(hex('6162 0000'))), 'ab');
    assert.equal(valueOf(text.decode(hex('61 20'))), 'a ');
    assert.equal(valueOf(text.decode(hex('c3a9'))), 'é');
  });

  test('has no control and no format characters, and is UTF-8', () => {
    // NUL, LF, ESC, DEL, NEL; RLO, LS, a byte order mark, a tag, a variation selector.
    for (const bad of [
      '6100 61',
      '610a',
      '1b5b',
      '7f',
      'c285',
      'e280ae61',
      'e280a8',
      'efbbbf61',
      'f3a08181',
      '61efb88f',
    ]) {
      assert.match(reasonOf(text.decode(hex(bad))), /control or format characters/, bad);
    }
    assert.match(reasonOf(text.decode(hex('ff61'))), /not UTF-8/);
    for (const empty of ['', '00', '0000']) assert.match(reasonOf(text.decode(hex(empty))), /empty/);
    assert.equal(text.parse('').ok, false);
    assert.equal(text.parse('a\nb').ok, false);
  });

  test('opaque bytes are bounded, and hex or text in configuration', () => {
    const two = opaque(2, 3);
    assert.match(reasonOf(two.decode(hex('01'))), /at least 2/);
    assert.match(reasonOf(two.decode(hex('01020304'))), /at most 3/);
    assert.deepEqual(valueOf(two.parse('0x0102')), hex('0102'));
    assert.deepEqual(valueOf(two.parse('ab')), hex('6162'));
    assert.match(reasonOf(two.parse('0x01f')), /even number of hex digits/);
    assert.equal(two.format(hex('0102')), '0x0102');
    assert.equal(parseHexText('ab'), undefined);
  });
});
