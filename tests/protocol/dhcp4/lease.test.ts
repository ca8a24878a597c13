import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { utf8 } from '../../../src/base/bytes.ts';
import { IPV4_ANY, ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { instant } from '../../../src/base/time.ts';
import {
  defaultRouter,
  type Lease4,
  leaseFromAck,
  sameConfiguration,
} from '../../../src/protocol/dhcp4/lease.ts';
import { leaseTimes, repairTimes, spreadTimes } from '../../../src/protocol/dhcp4/lease-times.ts';
import type { OptionValues } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, net, reply, type Reply, SERVER } from './messages.ts';

function lease(how: Reply): Lease4 {
  const result = leaseFromAck(reply('DHCPACK', 1, how), SERVER, instant(0), []);
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.value;
}

const GATEWAY = ipv4('192.168.1.254');
const DEFAULT = net('0.0.0.0/0');
const classless = [
  { destination: net('10.0.0.0/8'), router: GATEWAY },
  { destination: net('172.16.5.0/24'), router: IPV4_ANY },
];

/** Option 121 or 249 with a default route alone. */
function through(router: Ipv4) {
  return [{ destination: DEFAULT, router }];
}

describe('T1 and T2', () => {
  // RFC 2131 4.4.5: T1 < T2 < lease; defaults 0.5 and 0.875.
  const rows: readonly (readonly [number, number | undefined, number | undefined, number, number, string])[] =
    [
      [1000, undefined, undefined, 500, 875, 'the defaults'],
      [1000, 300, 700, 300, 700, 'as given'],
      [1000, 300, undefined, 300, 875, 'T1 given'],
      [1000, undefined, 700, 500, 700, 'T2 given'],
      [1000, undefined, 400, 320, 400, 'T2 before the usual T1'],
      [1000, 900, undefined, 900, 975, 'T1 after the usual T2'],
      [1000, 800, 700, 500, 700, 'T1 after T2'],
      [1000, 700, 700, 500, 700, 'T1 is T2'],
      [1000, 1000, undefined, 500, 875, 'T1 is the end'],
      [1000, 300, 1000, 300, 875, 'T2 is the end'],
      [1000, 0, 0, 500, 875, 'zeros'],
      [1000, 0xffffffff, 0xffffffff, 500, 875, 'infinite times of a finite lease'],
      [1, undefined, undefined, 0.5, 0.875, 'a lease of one second'],
    ];
  for (const [secs, t1, t2, want1, want2, name] of rows) {
    test(`${name}: ${secs} s, ${t1} and ${t2} give ${want1} and ${want2}`, () => {
      assert.deepEqual(repairTimes(secs, t1, t2), { t1: want1, t2: want2 });
    });
  }

  test('a lease of all ones has no times', () => {
    assert.equal(leaseTimes(instant(0), 0xffffffff, 5, 6), undefined);
    assert.equal(leaseTimes(instant(0), 0xfffffffe, undefined, undefined)?.expiresAt, 0xfffffffe * 1000);
  });

  test('the spread moves T1 and T2 earlier by a sixteenth at most, never past each other', () => {
    const times = leaseTimes(instant(100), 16, 8, 12);
    assert.ok(times);
    assert.deepEqual(
      spreadTimes(instant(100), times, () => 0),
      times,
    );
    const early = spreadTimes(instant(100), times, () => 1);
    assert.deepEqual(early, { renewAt: 7600, rebindAt: 11_350, expiresAt: 16_100 });
  });

  test('a lease without option 51 lasts an hour', () => {
    assert.equal(lease({ without: ['dhcp-lease-time'] }).times?.expiresAt, 3_600_000);
  });
});

describe('address and mask', () => {
  for (const [yiaddr, prefix] of [
    ['10.1.2.3', 8],
    ['172.20.1.1', 16],
    ['192.0.2.1', 24],
  ] as const) {
    test(`${yiaddr} without a mask is /${prefix}`, () => {
      const { address } = lease({ yiaddr: ipv4(yiaddr), without: ['subnet-mask'] });
      assert.deepEqual(address, { address: yiaddr, prefix });
    });
  }

  test('a mask of 32 bits is one', () => {
    assert.equal(lease({ options: { 'subnet-mask': ipv4('255.255.255.255') } }).address.prefix, 32);
  });
});

describe('routes', () => {
  test('option 3: a default route by the first router that can be one', () => {
    const { routers, routes } = lease({ options: { routers: [IPV4_ANY, ADDRESS, GATEWAY, SERVER] } });
    assert.deepEqual(routers, [GATEWAY, SERVER]);
    assert.deepEqual(routes, [{ dst: DEFAULT, router: GATEWAY }]);
  });

  test('option 33: classful networks and hosts, beside option 3', () => {
    const pairs = ['10.0.0.0', '172.16.0.0', '192.168.7.0', '192.168.7.9'].map((destination) => ({
      destination: ipv4(destination),
      router: GATEWAY,
    }));
    assert.deepEqual(lease({ options: { 'static-routes': pairs } }).routes, [
      { dst: net('10.0.0.0/8'), router: GATEWAY },
      { dst: net('172.16.0.0/16'), router: GATEWAY },
      { dst: net('192.168.7.0/24'), router: GATEWAY },
      { dst: net('192.168.7.9/32'), router: GATEWAY },
      { dst: DEFAULT, router: SERVER },
    ]);
  });

  test('option 33 has no default route (RFC 2132 5.8)', () => {
    const pairs = [{ destination: IPV4_ANY, router: GATEWAY }];
    assert.deepEqual(lease({ options: { 'static-routes': pairs } }).routes, [
      { dst: DEFAULT, router: SERVER },
    ]);
  });

  test('option 121 wins over 249, and 249 over 3 and 33', () => {
    const pairs = [{ destination: ipv4('172.30.0.0'), router: GATEWAY }];
    const old = { 'static-routes': pairs, routers: [SERVER] };
    const microsoft = [{ destination: net('10.9.0.0/16'), router: GATEWAY }];
    const wanted = [
      { dst: net('10.0.0.0/8'), router: GATEWAY },
      { dst: net('172.16.5.0/24'), router: undefined },
    ];
    const ms = { 'ms-classless-static-routes': microsoft };
    const both = { ...old, ...ms, 'rfc3442-classless-static-routes': classless };
    assert.deepEqual(lease({ options: both }).routes, wanted);
    assert.deepEqual(lease({ options: { ...old, ...ms } }).routes, [
      { dst: net('10.9.0.0/16'), router: GATEWAY },
    ]);
  });

  test('an option 121 that is malformed counts as absent: 249 is read, else 33 and 3', () => {
    const raw = { 'rfc3442-classless-static-routes': [33, 1, 2, 3, 4] };
    const { routes, malformed } = lease({ raw });
    assert.deepEqual(routes, [{ dst: DEFAULT, router: SERVER }]);
    assert.deepEqual(malformed, ['rfc3442-classless-static-routes']);
    const microsoft = [{ destination: net('10.9.0.0/16'), router: GATEWAY }];
    const other = lease({ raw, options: { 'ms-classless-static-routes': microsoft } });
    assert.deepEqual(other.routes, [{ dst: net('10.9.0.0/16'), router: GATEWAY }]);
  });

  test('the default router is that of the route: option 3 counts where there are no classless routes alone', () => {
    const routers = [SERVER];
    const rows: readonly (readonly [OptionValues, Ipv4 | undefined])[] = [
      [{ routers }, SERVER],
      [{ routers, 'rfc3442-classless-static-routes': through(GATEWAY) }, GATEWAY],
      [{ routers, 'ms-classless-static-routes': through(GATEWAY) }, GATEWAY],
      [{ routers, 'rfc3442-classless-static-routes': through(ipv4('0.0.0.0')) }, undefined],
      [{ routers, 'rfc3442-classless-static-routes': classless }, undefined],
    ];
    for (const [options, want] of rows) assert.equal(defaultRouter(lease({ options })), want);
  });
});

describe('the rest', () => {
  for (const [bytes, mtu] of [
    [[0x05, 0xdc], 1500],
    [[0x02, 0x40], 576],
    [[0x02, 0x3f], undefined],
    [[0x00, 0x43], undefined],
    [[0xff, 0xff], 65535],
  ] as const) {
    test(`option 26 as ${bytes.join(' ')} is ${mtu}`, () => {
      assert.equal(lease({ raw: { 'interface-mtu': bytes } }).mtu, mtu);
    });
  }

  test('names and name servers', () => {
    const dns = [ipv4('192.168.1.53'), ipv4('1.1.1.1')];
    const got = lease({
      options: { 'domain-name-servers': dns, 'domain-name': 'lan', 'domain-search': ['a.lan', 'b.lan'] },
    });
    assert.deepEqual([got.dnsServers, got.domainName, got.domainSearch], [dns, 'lan', ['a.lan', 'b.lan']]);
  });

  test('a domain that is no DNS name is left out and said; the lease is taken', () => {
    for (const text of [
      'ndots:15',
      '$(id)',
      'a\nnameserver 6.6.6.6',
      'nal\u202E',
      'a\u2028b',
      'b\u{E0041}',
      'büro.lan',
      '..',
    ]) {
      const { domainName, malformed } = lease({ raw: { 'domain-name': [...utf8(text)] } });
      assert.equal(domainName, undefined, JSON.stringify(text));
      assert.deepEqual(malformed, ['domain-name']);
    }
    const mixed = lease({ raw: { 'domain-name': [...utf8('a ndots:15 $(id)')] } });
    assert.deepEqual([mixed.domainName, mixed.domainSearch], ['a', []]);
    assert.equal(lease({ options: { 'domain-name': 'home.arpa.' } }).domainName, 'home.arpa');
    for (const label of ['$(id)', 'a b', 'a\u202E', 'a.b']) {
      const bytes = [utf8(label).length, ...utf8(label), 0];
      const { domainSearch, malformed } = lease({ raw: { 'domain-search': bytes } });
      assert.deepEqual([domainSearch, malformed], [[], ['domain-search']]);
    }
  });

  test('times and server do not make another configuration, everything else does', () => {
    const one = lease({});
    assert.ok(sameConfiguration(one, lease({ options: { 'dhcp-lease-time': 60 } })));
    assert.ok(!sameConfiguration(one, lease({ options: { routers: [GATEWAY] } })));
    assert.ok(!sameConfiguration(one, lease({ options: { 'domain-name': 'lan' } })));
    assert.ok(!sameConfiguration(one, lease({ options: { 'interface-mtu': 1400 } })));
  });
});
