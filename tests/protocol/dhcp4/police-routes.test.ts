import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4, ipv4FromNumber } from '../../../src/base/ipv4.ts';
import { instant } from '../../../src/base/time.ts';
import { type Lease4, leaseFromAck } from '../../../src/protocol/dhcp4/lease.ts';
import { MOST_REFUSED_ROUTES, MOST_ROUTES } from '../../../src/protocol/dhcp4/police-routes.ts';
import { ADDRESS, net, reply, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const PROTECTED = [net('10.96.0.0/12'), net('192.168.1.7/32')];

function police(...routes: readonly (readonly [string, string])[]): Lease4 {
  const list = routes.map(([dst, router]) => ({ destination: net(dst), router: ipv4(router) }));
  const options = { 'rfc3442-classless-static-routes': list };
  const lease = leaseFromAck(reply('DHCPACK', 1, { options }), SERVER, instant(0), PROTECTED);
  assert.ok(lease.ok);
  return lease.value;
}

describe('routes that are refused, and in which words', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['127.0.0.0/8', SERVER, '127.0.0.0/8 via 192.168.1.1: loopback'],
    ['127.1.0.0/16', SERVER, '127.1.0.0/16 via 192.168.1.1: loopback'],
    ['169.254.0.0/16', SERVER, '169.254.0.0/16 via 192.168.1.1: link-local'],
    ['169.254.169.254/32', IPV4_ANY, '169.254.169.254/32 on the link: link-local'],
    ['239.0.0.0/8', SERVER, '239.0.0.0/8 via 192.168.1.1: multicast'],
    ['240.0.0.0/4', SERVER, '240.0.0.0/4 via 192.168.1.1: reserved'],
    ['255.255.255.255/32', SERVER, '255.255.255.255/32 via 192.168.1.1: reserved'],
    ['224.0.0.0/3', SERVER, '224.0.0.0/3 via 192.168.1.1: multicast and reserved'],
    ['0.0.0.0/8', SERVER, '0.0.0.0/8 via 192.168.1.1: no destination'],
    ['10.96.0.0/12', SERVER, '10.96.0.0/12 via 192.168.1.1: inside the protected network 10.96.0.0/12'],
    ['10.100.3.0/24', IPV4_ANY, '10.100.3.0/24 on the link: inside the protected network 10.96.0.0/12'],
    ['192.168.1.7/32', SERVER, '192.168.1.7/32 via 192.168.1.1: inside the protected network 192.168.1.7/32'],
    ['192.168.1.50/32', SERVER, '192.168.1.50/32 via 192.168.1.1: the leased address itself'],
    ['10.1.0.0/16', ADDRESS, '10.1.0.0/16 via 192.168.1.50: the router is the leased address itself'],
    ['10.2.0.0/16', '127.0.0.1', '10.2.0.0/16 via 127.0.0.1: the router is no address that a host can have'],
    [
      '10.3.0.0/16',
      '255.255.255.255',
      '10.3.0.0/16 via 255.255.255.255: the router is no address that a host can have',
    ],
    [
      '10.4.0.0/16',
      '192.168.1.0',
      '10.4.0.0/16 via 192.168.1.0: the router is the network address of 192.168.1.0/24',
    ],
    [
      '0.0.0.0/0',
      '192.168.1.255',
      '0.0.0.0/0 via 192.168.1.255: the router is the broadcast address of 192.168.1.0/24',
    ],
  ];
  for (const [dst, router, words] of rows) {
    test(words, () => {
      const { routes, refusedRoutes } = police([dst, router], ['172.16.0.0/12', SERVER]);
      assert.deepEqual(refusedRoutes, [words]);
      assert.deepEqual(routes, [{ dst: net('172.16.0.0/12'), router: SERVER }], 'the others are taken');
    });
  }

  test('a static route of option 33 as well', () => {
    const pairs = [{ destination: ipv4('127.0.0.0'), router: SERVER }];
    const message = reply('DHCPACK', 1, { options: { 'static-routes': pairs } });
    const lease = leaseFromAck(message, SERVER, instant(0), []);
    assert.ok(lease.ok);
    assert.deepEqual(lease.value.refusedRoutes, ['127.0.0.0/8 via 192.168.1.1: loopback']);
  });

  test('no more than a few are named', () => {
    const many = Array.from({ length: 40 }, (_, i) => [`127.0.${i}.0/24`, SERVER] as const);
    const { refusedRoutes, routes } = police(...many);
    assert.equal(routes.length, 0);
    assert.equal(refusedRoutes.length, MOST_REFUSED_ROUTES);
    assert.equal(refusedRoutes.at(-1), `and ${40 - MOST_REFUSED_ROUTES + 1} more`);
  });

  test('the machine hands the protected networks on, also for a renewal', () => {
    const routes = [{ destination: net('10.96.0.0/16'), router: SERVER }];
    const t = new Transcript({}, () => 0);
    t.protect = PROTECTED;
    t.bound().wake(1800, `> REQUEST to ${SERVER}`);
    const how = { options: { 'rfc3442-classless-static-routes': routes } };
    t.hears(1801, 'DHCPACK', how, `install ${ADDRESS} for ${ADDRESS}`);
    assert.ok(t.state.kind === 'bound');
    assert.deepEqual(t.state.lease.routes, []);
    assert.equal(t.state.lease.refusedRoutes.length, 1);
  });
});

describe('routes that are taken', () => {
  test('those that contain a protected network: more specific ones win', () => {
    const wide = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '10.0.0.0/8', '168.0.0.0/6', '192.168.1.0/24'];
    const { routes, refusedRoutes } = police(...wide.map((dst) => [dst, SERVER] as const));
    assert.deepEqual(
      routes.map(({ dst }) => dst),
      wide.map(net),
    );
    assert.deepEqual(refusedRoutes, []);
  });

  test('the half of everything that is protected is left out, the whole is taken', () => {
    const options = {
      'rfc3442-classless-static-routes': ['0.0.0.0/1', '128.0.0.0/1', '0.0.0.0/0'].map((dst) => ({
        destination: net(dst),
        router: SERVER,
      })),
    };
    const lease = leaseFromAck(reply('DHCPACK', 1, { options }), SERVER, instant(0), [net('0.0.0.0/1')]);
    assert.ok(lease.ok);
    assert.deepEqual(
      lease.value.routes.map(({ dst }) => dst),
      [net('128.0.0.0/1'), net('0.0.0.0/0')],
    );
  });

  test('the first of each destination, and a good one after a bad one', () => {
    const { routes, refusedRoutes } = police(
      ['10.0.0.0/8', '127.0.0.1'],
      ['10.0.0.0/8', '192.168.1.254'],
      ['10.0.0.0/8', SERVER],
    );
    assert.deepEqual(routes, [{ dst: net('10.0.0.0/8'), router: '192.168.1.254' }]);
    assert.equal(refusedRoutes.length, 1);
  });

  test('a router outside the subnet, and a link-local one', () => {
    const { routes } = police(['0.0.0.0/0', '10.9.9.9'], ['172.16.0.0/12', '169.254.1.1']);
    assert.equal(routes.length, 2);
  });

  test(`at most ${MOST_ROUTES}`, () => {
    const many = Array.from(
      { length: MOST_ROUTES + 4 },
      (_, i) => [`${ipv4FromNumber(0xac100000 + i * 256)}/24`, SERVER] as const,
    );
    const { routes, refusedRoutes } = police(...many);
    assert.equal(routes.length, MOST_ROUTES);
    assert.deepEqual(routes[0], { dst: net('172.16.0.0/24'), router: SERVER });
    assert.equal(refusedRoutes.length, 4);
    assert.equal(refusedRoutes[0], `172.17.0.0/24 via ${SERVER}: more than ${MOST_ROUTES} routes`);
  });
});
