import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { utf8 } from '../../../src/base/bytes.ts';
import type { Result } from '../../../src/base/result.ts';
import { nearest } from '../../../src/base/nearest.ts';
import { encodeOptionText } from '../../../src/wire/dhcp4/option-text.ts';
import { allOptions, optionByName } from '../../../src/wire/dhcp4/options.ts';
import { hex, reasonOf, valueOf } from './results.ts';

function encoded(name: string, value: string): Result<Uint8Array, string> {
  const row = optionByName(name);
  assert.ok(row.ok);
  return encodeOptionText(row.value, value);
}

describe('encodeOptionText', () => {
  const GOOD: readonly (readonly [string, string, Uint8Array])[] = [
    ['host-name', 'pod-1', utf8('pod-1')],
    ['vendor-class-identifier', 'PXEClient', utf8('PXEClient')],
    ['dhcp-client-identifier', 'box/net/eth0', utf8('box/net/eth0')],
    ['dhcp-client-identifier', '0x0102005e100001', hex('0102005e100001')],
    ['user-class', 'iPXE', utf8('iPXE')],
    ['224', 'any text', utf8('any text')],
    ['224', '0xDEADbeef', hex('deadbeef')],
    ['224', '', hex('')],
    ['routers', '192.168.1.1 192.168.1.2', hex('c0a80101c0a80102')],
    ['routers', '0x00', hex('00')],
    ['interface-mtu', '1400', hex('0578')],
    ['dhcp-lease-time', 'infinite', hex('ffffffff')],
    ['ip-forwarding', 'true', hex('01')],
    ['mobile-ip-home-agent', '', hex('')],
    ['classless-static-route', '10.0.0.0/8 192.168.1.1', hex('080ac0a80101')],
    ['domain-search', 'home.example', hex('04686f6d65076578616d706c6500')],
    ['vivso', '2495=0x0102', hex('000009bf020102')],
  ];
  for (const [name, value, bytes] of GOOD) {
    test(`${name} "${value}"`, () => assert.deepEqual(valueOf(encoded(name, value)), bytes));
  }

  const BAD: readonly (readonly [string, string, RegExp])[] = [
    ['host-name', '', /option host-name: the value must not be empty/],
    ['host-name', 'x'.repeat(256), /256 bytes, at most 255 fit: shorten/],
    ['224', 'x'.repeat(256), /option option-224: 256 bytes/],
    ['routers', 'x', /option routers \(IPv4 addresses\): "x" is not an IPv4 address/],
    ['routers', '', /at least one IPv4 address/],
    ['routers', Array.from({ length: 64 }, () => '1.1.1.1').join(' '), /256 bytes/],
    ['interface-mtu', '67', /from 68 to 65535/],
    ['interface-mtu', '0xzz', /0x and an even number/],
    ['dhcp-client-identifier', '', /at least 1/],
    ['dhcp-message-type', 'DHCPACK', /set by the exchange itself: remove it/],
    ['52', '0x01', /set by the exchange itself/],
    ['rapid-commit', '', /set by the exchange itself/],
    ['56', 'hello', /set by the exchange itself/],
    ['108', '0x00000000', /set by the exchange itself/],
    ['host-name', '\ud800', /not valid Unicode/],
    ['domain-search', 'x.y '.repeat(65), /more than 64 names/],
  ];
  for (const [name, value, reason] of BAD) {
    test(`${name} "${value.slice(0, 20)}" is refused`, () =>
      assert.match(reasonOf(encoded(name, value)), reason));
  }

  test('an option that may be split may be longer', () => {
    assert.equal(valueOf(encoded('vendor-encapsulated-options', 'x'.repeat(256))).length, 256);
    assert.match(reasonOf(encoded('vendor-encapsulated-options', 'x'.repeat(1025))), /at most 1024 fit/);
  });

  test('a code without a row is a code; one that is no option is not', () => {
    assert.deepEqual(valueOf(encodeOptionText(224, 'a')), utf8('a'));
    assert.deepEqual(valueOf(encodeOptionText(3, '1.1.1.1')), hex('01010101'));
    for (const code of [0, 255, 256, 300, -1, 1.5, Number.NaN]) {
      assert.equal(encodeOptionText(code, 'a').ok, false, String(code));
    }
  });

  test('never throws, and gives what fits', () => {
    fc.assert(
      fc.property(fc.constantFrom(...allOptions()), fc.string({ unit: 'binary' }), (row, value) => {
        const bytes = encodeOptionText(row, value);
        return bytes.ok ? bytes.value.length <= 1024 : bytes.error.includes(row.name);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('nearest', () => {
  test('finds what was meant, and nothing when nothing was', () => {
    const words = ['routers', 'host-name', 'mtu'];
    assert.equal(nearest('router', words), 'routers');
    assert.equal(nearest('hostname', words), 'host-name');
    assert.equal(nearest('mut', ['mtu']), undefined);
    assert.equal(nearest('something-else', words), undefined);
    assert.equal(nearest('', words), undefined);
  });
});
