import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  cidr,
  cidrContains,
  DEFAULT_V4,
  DEFAULT_V6,
  equalNetwork,
  formatCidr,
  isDefault,
  networkOf,
  parseCidr,
} from '../../src/base/cidr.ts';
import { ipv4FromNumber, ipv4ToNumber, parseIpv4 } from '../../src/base/ipv4.ts';
import { ipv6 } from '../../src/base/ipv6.ts';

function address(text: string) {
  const parsed = parseIpv4(text);
  assert.ok(parsed);
  return parsed;
}

describe('Cidr', () => {
  test('needs the slash and a prefix that the family has', () => {
    assert.deepEqual(parseCidr('192.168.2.7/24'), { address: '192.168.2.7', prefix: 24 });
    assert.deepEqual(parseCidr('FD00::1/64'), { address: 'fd00::1', prefix: 64 });
    for (const text of [
      '10.0.0.1',
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0.0/08',
      '10.0.0.0/',
      '/8',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
    assert.equal(formatCidr(cidr('10.1.2.3/8')), '10.1.2.3/8');
    assert.throws(() => cidr('10.0.0.0'), /not a network/);
  });

  test('networkOf clears the host bits', () => {
    assert.equal(formatCidr(networkOf(cidr('192.168.2.7/24'))), '192.168.2.0/24');
    assert.equal(formatCidr(networkOf(cidr('10.255.255.255/9'))), '10.128.0.0/9');
    assert.equal(formatCidr(networkOf(cidr('1.2.3.4/0'))), '0.0.0.0/0');
    assert.equal(formatCidr(networkOf(cidr('1.2.3.4/32'))), '1.2.3.4/32');
    assert.equal(formatCidr(networkOf(cidr('2001:db8:ffff::1/33'))), '2001:db8:8000::/33');
  });

  test('contains as arithmetic says', () => {
    const anyNumber = fc.nat(0xffffffff);
    fc.assert(
      fc.property(anyNumber, anyNumber, fc.nat(32), (a, b, prefix) => {
        const size = 2 ** (32 - prefix);
        const inside = Math.floor(a / size) === Math.floor(b / size);
        assert.equal(cidrContains({ address: ipv4FromNumber(a), prefix }, ipv4FromNumber(b)), inside);
        assert.equal(ipv4ToNumber(networkOf({ address: ipv4FromNumber(a), prefix }).address), a - (a % size));
      }),
    );
  });

  test('families do not mix', () => {
    assert.ok(!cidrContains(DEFAULT_V4, ipv6('::1')));
    assert.ok(!cidrContains(DEFAULT_V6, address('1.2.3.4')));
    assert.ok(!equalNetwork(DEFAULT_V4, DEFAULT_V6));
    assert.ok(equalNetwork(cidr('10.1.2.3/8'), cidr('10.9.9.9/8')));
    assert.ok(!equalNetwork(cidr('10.0.0.0/8'), cidr('10.0.0.0/9')));
    assert.ok(isDefault(DEFAULT_V4) && isDefault(DEFAULT_V6) && !isDefault(cidr('0.0.0.0/1')));
  });
});
