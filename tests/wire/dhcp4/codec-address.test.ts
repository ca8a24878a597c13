import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  classlessRoutes,
  ipv4Address,
  ipv4List,
  ipv4Mask,
  ipv4Pairs,
  ipv6Address,
} from '../../../src/wire/dhcp4/codec-address.ts';
import { hex, reasonOf, valueOf } from './results.ts';

describe('addresses', () => {
  test('one address is four bytes', () => {
    assert.equal(valueOf(ipv4Address.decode(hex('c0a80101'))), '192.168.1.1');
    assert.match(reasonOf(ipv4Address.decode(hex('c0a801'))), /3 bytes instead of 4/);
    assert.match(reasonOf(ipv4Address.decode(hex('c0a8010101'))), /5 bytes instead of 4/);
    assert.match(reasonOf(ipv4Address.parse('192.168.01.1')), /not an IPv4 address/);
  });

  test('a mask has its ones together', () => {
    assert.equal(valueOf(ipv4Mask.decode(hex('ffffff00'))), '255.255.255.0');
    assert.equal(valueOf(ipv4Mask.parse('0.0.0.0')), '0.0.0.0');
    assert.match(reasonOf(ipv4Mask.decode(hex('ff00ff00'))), /no mask/);
    assert.match(reasonOf(ipv4Mask.parse('255.0.255.0')), /no mask/);
    assert.match(reasonOf(ipv4Mask.decode(hex(''))), /0 bytes/);
  });

  test('a list has at least one and no part of one', () => {
    assert.deepEqual(valueOf(ipv4List.decode(hex('0102030405060708'))), ['1.2.3.4', '5.6.7.8']);
    for (const bad of ['', '01', '0102030405']) {
      assert.match(reasonOf(ipv4List.decode(hex(bad))), /not a list of IPv4 addresses/);
    }
    assert.deepEqual(valueOf(ipv4List.parse(' 1.2.3.4,5.6.7.8  9.9.9.9')), ['1.2.3.4', '5.6.7.8', '9.9.9.9']);
    assert.match(reasonOf(ipv4List.parse(' , ')), /at least one/);
    assert.match(reasonOf(ipv4List.parse('1.2.3.4 gateway')), /"gateway" is not an IPv4 address/);
  });

  test('pairs have both members', () => {
    const routes = ipv4Pairs('destination', 'router');
    assert.deepEqual(valueOf(routes.decode(hex('0a000000c0a80101'))), [
      { destination: '10.0.0.0', router: '192.168.1.1' },
    ]);
    assert.match(reasonOf(routes.decode(hex('0a000000'))), /not pairs/);
    assert.match(reasonOf(routes.parse('10.0.0.0')), /a router is missing/);
    assert.equal(routes.format(valueOf(routes.parse('10.0.0.1 1.1.1.1'))), '10.0.0.1 1.1.1.1');
  });

  test('IPv6 is sixteen bytes', () => {
    assert.equal(valueOf(ipv6Address.parse('2001:DB8::1')), '2001:db8::1');
    assert.match(reasonOf(ipv6Address.parse('1.2.3.4.5')), /not an IPv6 address/);
    assert.match(reasonOf(ipv6Address.decode(hex('00'))), /1 bytes instead of 16/);
  });
});

describe('classless routes', () => {
  // The table of destination descriptors in RFC 3442.
  const RFC_3442: readonly (readonly [string, string])[] = [
    ['0.0.0.0/0', '00'],
    ['10.0.0.0/8', '080a'],
    ['10.0.0.0/24', '180a0000'],
    ['10.17.0.0/16', '100a11'],
    ['10.27.129.0/24', '180a1b81'],
    ['10.229.0.128/25', '190ae50080'],
    ['10.198.122.47/32', '200ac67a2f'],
  ];
  for (const [network, descriptor] of RFC_3442) {
    test(`${network} is ${descriptor}`, () => {
      const bytes = hex(`${descriptor}c0a80101`);
      const routes = valueOf(classlessRoutes.decode(bytes));
      assert.equal(classlessRoutes.format(routes), `${network} 192.168.1.1`);
      assert.deepEqual(classlessRoutes.encode(routes), bytes);
      assert.deepEqual(valueOf(classlessRoutes.parse(`${network} 192.168.1.1`)), routes);
    });
  }

  test('a router of 0.0.0.0 is kept, and the order too', () => {
    const routes = valueOf(classlessRoutes.decode(hex('10a9fe0000000000c0a80101')));
    assert.deepEqual(routes, [
      { destination: { address: '169.254.0.0', prefix: 16 }, router: '0.0.0.0' },
      { destination: { address: '0.0.0.0', prefix: 0 }, router: '192.168.1.1' },
    ]);
  });

  test('host bits are cleared', () => {
    const routes = valueOf(classlessRoutes.decode(hex('190ae500ffc0a80101')));
    assert.equal(classlessRoutes.format(routes), '10.229.0.128/25 192.168.1.1');
    assert.deepEqual(valueOf(classlessRoutes.parse('10.229.0.255/25 192.168.1.1')), routes);
  });

  test('what is cut off or impossible has a reason', () => {
    assert.match(reasonOf(classlessRoutes.decode(hex(''))), /no route/);
    assert.match(reasonOf(classlessRoutes.decode(hex('21c0a80101c0a80101'))), /prefix length 33/);
    assert.match(reasonOf(classlessRoutes.decode(hex('180a00'))), /cut off/);
    assert.match(reasonOf(classlessRoutes.decode(hex('00c0a801'))), /cut off/);
    assert.match(reasonOf(classlessRoutes.decode(hex('00c0a8010108'))), /cut off/);
  });

  test('configuration takes the forms of dnsmasq and Kea', () => {
    const wanted = valueOf(classlessRoutes.parse('10.0.0.0/8 192.168.1.2, 0.0.0.0/0 192.168.1.1'));
    assert.deepEqual(valueOf(classlessRoutes.parse('10.0.0.0/8,192.168.1.2,0.0.0.0/0,192.168.1.1')), wanted);
    assert.deepEqual(
      valueOf(classlessRoutes.parse('10.0.0.0/8 - 192.168.1.2, 0.0.0.0/0 - 192.168.1.1')),
      wanted,
    );
    assert.match(reasonOf(classlessRoutes.parse('10.0.0.0/8')), /the router of 10\.0\.0\.0\/8 is missing/);
    assert.match(reasonOf(classlessRoutes.parse('10.0.0.0 1.1.1.1')), /not an IPv4 network/);
    assert.match(reasonOf(classlessRoutes.parse('fd00::/8 1.1.1.1')), /not an IPv4 network/);
    assert.match(reasonOf(classlessRoutes.parse('')), /at least one route/);
  });
});
