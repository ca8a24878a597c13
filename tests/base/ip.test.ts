import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { ipBits, ipFromBytes, ipToBytes, isIpv4, isIpv6, parseIp } from '../../src/base/ip.ts';
import {
  ipv4,
  ipv4FromBytes,
  ipv4FromNumber,
  ipv4ToBytes,
  ipv4ToNumber,
  isHostIpv4,
  isLoopbackIpv4,
  isMulticastIpv4,
  maskFromPrefix,
  parseIpv4,
  prefixFromMask,
} from '../../src/base/ipv4.ts';
import { ipv6, ipv6FromBytes, ipv6ToBytes, parseIpv6 } from '../../src/base/ipv6.ts';

describe('IPv4', () => {
  test('is a strict dotted quad', () => {
    for (const text of ['0.0.0.0', '255.255.255.255', '192.168.1.7']) assert.equal(parseIpv4(text), text);
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '256.1.1.1',
      '1.2.3.-4',
      ' 1.2.3.4',
      '1.2.3.4\n',
      '0x1.2.3.4',
      '١.1.1.1',
    ]) {
      assert.equal(parseIpv4(text), undefined, JSON.stringify(text));
    }
    assert.throws(() => ipv4('localhost'), /not an IPv4 address: localhost/);
  });

  test('text, number and bytes are one thing', () => {
    assert.equal(ipv4ToNumber(ipv4('192.168.1.7')), 0xc0a80107);
    assert.equal(ipv4ToNumber(ipv4('255.255.255.255')), 0xffffffff);
    fc.assert(
      fc.property(fc.nat(0xffffffff), (value) => {
        const address = ipv4FromNumber(value);
        assert.equal(parseIpv4(address), address);
        assert.equal(ipv4ToNumber(address), value);
        assert.equal(ipv4FromBytes(ipv4ToBytes(address)), address);
        assert.deepEqual([...ipv4ToBytes(address)], address.split('.').map(Number));
      }),
    );
    assert.equal(ipv4FromBytes(Uint8Array.of(9, 1, 2, 3, 4), 1), '1.2.3.4');
    assert.throws(() => ipv4FromBytes(Uint8Array.of(1, 2, 3, 4), 1), /four bytes/);
  });

  test('masks and prefixes', () => {
    for (let prefix = 0; prefix <= 32; prefix++) assert.equal(prefixFromMask(maskFromPrefix(prefix)), prefix);
    assert.equal(maskFromPrefix(25), '255.255.255.128');
    for (const mask of ['255.0.255.0', '0.0.0.1', '127.255.255.255']) {
      assert.equal(prefixFromMask(ipv4(mask)), undefined, mask);
    }
  });

  test('kinds of addresses', () => {
    assert.ok(isMulticastIpv4(ipv4('224.0.0.251')) && isMulticastIpv4(ipv4('239.255.255.255')));
    assert.ok(!isMulticastIpv4(ipv4('223.255.255.255')) && !isMulticastIpv4(ipv4('240.0.0.0')));
    assert.ok(isLoopbackIpv4(ipv4('127.9.9.9')) && !isLoopbackIpv4(ipv4('128.0.0.1')));
    for (const text of ['0.1.2.3', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255']) {
      assert.ok(!isHostIpv4(ipv4(text)), text);
    }
    assert.ok(isHostIpv4(ipv4('10.0.0.1')) && isHostIpv4(ipv4('223.1.1.1')));
  });
});

describe('IPv6', () => {
  // RFC 5952 section 4, and the forms of RFC 4291 2.2.
  const CANONICAL: readonly (readonly [string, string])[] = [
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:192.168.1.7', '::ffff:c0a8:107'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['1::2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ];
  for (const [text, canonical] of CANONICAL) {
    test(`${text} is ${canonical}`, () => {
      assert.equal(parseIpv6(text), canonical);
      assert.equal(ipv6FromBytes(ipv6ToBytes(ipv6(text))), canonical);
    });
  }

  test('what is none', () => {
    const bad = ['', ':', ':::', '1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', 'g::'];
    const worse = [
      '1:2:3:4:5:6:7:8::',
      ':1::',
      '1::2:',
      '::1.2.3',
      '1.2.3.4::',
      '::1%eth0',
      '::1.2.3.4:5',
      '1.2.3.4',
    ];
    for (const text of [...bad, ...worse]) assert.equal(parseIpv6(text), undefined, text);
    assert.throws(() => ipv6('x'), /not an IPv6 address/);
  });

  test('bytes come back from the canonical text', () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const bytes = Uint8Array.from(groups.flatMap((value) => [value >>> 8, value & 255]));
        const text = ipv6FromBytes(bytes);
        assert.deepEqual(ipv6ToBytes(text), bytes);
        assert.equal(parseIpv6(text), text);
        assert.equal(
          parseIpv6(
            groups
              .map((value) => value.toString(16))
              .join(':')
              .toUpperCase(),
          ),
          text,
        );
      }),
    );
  });
});

describe('both families', () => {
  test('are told apart by text and by length', () => {
    const four = parseIp('10.0.0.1');
    const six = parseIp('fd00::1');
    assert.ok(four !== undefined && six !== undefined);
    assert.ok(isIpv4(four) && !isIpv6(four) && isIpv6(six) && !isIpv4(six));
    assert.deepEqual([ipBits(four), ipBits(six)], [32, 128]);
    assert.equal(ipFromBytes(ipToBytes(four)), four);
    assert.equal(ipFromBytes(ipToBytes(six)), six);
    assert.equal(ipFromBytes(new Uint8Array(5)), undefined);
    assert.equal(parseIp('x'), undefined);
  });
});
