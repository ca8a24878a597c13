import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import { leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import type { OptionName, OptionValues } from '../../../src/wire/dhcp4/options.ts';
import { net, OTHER_SERVER, type Reply, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const ADDRESS = ipv4('10.20.30.7');
const ROUTER = ipv4('10.20.30.1');
const OTHER_ROUTER = ipv4('10.20.30.2');
const RESOLVER = ipv4('10.20.30.53');

/** Everything that a pod is configured with, in a network that is not of its class. */
const ALL: OptionValues = {
  'subnet-mask': ipv4('255.255.255.0'),
  'dhcp-lease-time': 20,
  'dhcp-renewal-time': 4,
  'dhcp-rebinding-time': 12,
  routers: [ROUTER],
  'domain-name-servers': [RESOLVER],
  'domain-name': 'home.arpa',
  'domain-search': ['a.home.arpa', 'b.home.arpa'],
  'interface-mtu': 1400,
  'static-routes': [{ destination: ipv4('10.99.0.0'), router: ROUTER }],
};
/** The same network with classless routes, in the place of which options 3 and 33 mean nothing (RFC 3442). */
const CLASSLESS: OptionValues = {
  ...ALL,
  'rfc3442-classless-static-routes': [
    { destination: net('0.0.0.0/0'), router: ROUTER },
    { destination: net('172.16.5.0/24'), router: OTHER_ROUTER },
  ],
};

const NAMES = Object.keys(CLASSLESS) as readonly OptionName[];

/** What the pod has of a lease. */
function configuration(lease: Lease4 | undefined): object {
  assert.ok(lease !== undefined);
  const { address, routers, routes, dnsServers, domainName, domainSearch, mtu } = lease;
  return { address, routers, routes, dnsServers, domainName, domainSearch, mtu };
}

/** Bound with these options, and the first renewal is out. */
function renewing(options: OptionValues): Transcript {
  const how = { yiaddr: ADDRESS, options };
  const t = new Transcript({ rapidCommit: false }, () => 0);
  t.start('> DISCOVER')
    .hears(0, 'DHCPOFFER', how, '> REQUEST')
    .hears(0, 'DHCPACK', how, `install ${ADDRESS}`);
  return t.wake(4, `> REQUEST to ${SERVER}`);
}

/** An ACK with nothing but these. */
function only(options: OptionValues, serverId = SERVER): Reply {
  const stated: readonly string[] = Object.keys(options);
  return {
    yiaddr: ADDRESS,
    options: { 'dhcp-server-identifier': serverId, ...options },
    without: NAMES.filter((name) => !stated.includes(name)),
  };
}

const TIMES: OptionValues = { 'dhcp-lease-time': 20, 'dhcp-renewal-time': 4, 'dhcp-rebinding-time': 12 };

describe('an extending ACK of the same server', () => {
  for (const [name, options] of [
    ['options 3 and 33', ALL],
    ['classless routes', CLASSLESS],
  ] as const) {
    test(`${name}: an ACK of times alone changes nothing, in RENEWING, REBINDING and VERIFYING, again and again`, () => {
      const t = renewing(options);
      const before = configuration(leaseOf(t.state));
      t.hears(4, 'DHCPACK', only(TIMES), `extend ${ADDRESS}`);
      t.wake(8, `> REQUEST to ${SERVER}`).hears(8, 'DHCPACK', only(TIMES), `extend ${ADDRESS}`);
      t.wake(12, `> REQUEST to ${SERVER}`);
      t.now = Transcript.at(20);
      t.does({ type: 'wake' }, '> REQUEST').is('rebinding');
      t.hears(20, 'DHCPACK', only(TIMES), `extend ${ADDRESS}`);
      t.linkUp(23, true, '> REQUEST').is('verifying').hears(23, 'DHCPACK', only(TIMES), `extend ${ADDRESS}`);
      assert.deepEqual(configuration(leaseOf(t.state)), before);
    });
  }

  for (const name of NAMES.filter((option) => !(option in TIMES))) {
    test(`without ${name} alone: nothing changes`, () => {
      const t = renewing(CLASSLESS);
      t.hears(4, 'DHCPACK', { yiaddr: ADDRESS, options: CLASSLESS, without: [name] }, `extend ${ADDRESS}`);
    });

    test(`${name} that cannot be read counts as not mentioned, and is named`, () => {
      const t = renewing(CLASSLESS);
      const how = { yiaddr: ADDRESS, options: CLASSLESS, raw: { [name]: [255] } };
      t.hears(4, 'DHCPACK', how, `extend ${ADDRESS}`);
      assert.deepEqual(leaseOf(t.state)?.malformed, [name]);
    });
  }

  const differences: readonly (readonly [OptionValues, object])[] = [
    [{ 'subnet-mask': ipv4('255.255.0.0') }, { address: net('10.20.30.7/16') }],
    [{ 'domain-name-servers': [ROUTER] }, { dnsServers: [ROUTER] }],
    [{ 'domain-name': 'other.arpa' }, { domainName: 'other.arpa' }],
    [{ 'domain-search': ['c.home.arpa'] }, { domainSearch: ['c.home.arpa'] }],
    [{ 'interface-mtu': 1300 }, { mtu: 1300 }],
    [
      { routers: [OTHER_ROUTER] },
      {
        routers: [OTHER_ROUTER],
        routes: [
          { dst: net('10.99.0.0/32'), router: ROUTER },
          { dst: net('0.0.0.0/0'), router: OTHER_ROUTER },
        ],
      },
    ],
    [
      { 'rfc3442-classless-static-routes': [{ destination: net('0.0.0.0/0'), router: OTHER_ROUTER }] },
      { routes: [{ dst: net('0.0.0.0/0'), router: OTHER_ROUTER }] },
    ],
  ];
  for (const [stated, changed] of differences) {
    test(`${Object.keys(stated).join()} is stated differently: that alone changes`, () => {
      const t = renewing(ALL);
      const before = configuration(leaseOf(t.state));
      t.hears(4, 'DHCPACK', only({ ...TIMES, ...stated }), `install ${ADDRESS} for ${ADDRESS}`);
      assert.deepEqual(configuration(leaseOf(t.state)), { ...before, ...changed });
    });
  }

  test('the same router again, without classless routes: they go on to count (RFC 3442)', () => {
    renewing(CLASSLESS).hears(4, 'DHCPACK', only({ ...TIMES, routers: [ROUTER] }), `extend ${ADDRESS}`);
  });

  test('another router without classless routes: those of before would hide it, and go', () => {
    const t = renewing(CLASSLESS);
    const moved = only({ ...TIMES, routers: [OTHER_ROUTER] });
    t.hears(4, 'DHCPACK', moved, `install ${ADDRESS} for ${ADDRESS}`);
    const expected = [
      { dst: net('10.99.0.0/32'), router: ROUTER },
      { dst: net('0.0.0.0/0'), router: OTHER_ROUTER },
    ];
    assert.deepEqual(leaseOf(t.state)?.routes, expected);
    t.wake(8, `> REQUEST to ${SERVER}`).hears(8, 'DHCPACK', only(TIMES), `extend ${ADDRESS}`);
    assert.deepEqual(leaseOf(t.state)?.routes, expected, 'for good');
  });

  test('classless routes by the option of Microsoft, where those of RFC 3442 were: the same', () => {
    const t = renewing(CLASSLESS);
    const routes = [{ destination: net('0.0.0.0/0'), router: OTHER_ROUTER }];
    const moved = only({ ...TIMES, 'ms-classless-static-routes': routes });
    t.hears(4, 'DHCPACK', moved, `install ${ADDRESS} for ${ADDRESS}`);
    assert.deepEqual(leaseOf(t.state)?.routes, [{ dst: net('0.0.0.0/0'), router: OTHER_ROUTER }]);
  });

  test('T1 and T2 are not kept: without them they are shares of the lease', () => {
    const t = renewing(ALL).hears(4, 'DHCPACK', only({ 'dhcp-lease-time': 40 }), `extend ${ADDRESS}`);
    t.wake(24, `> REQUEST to ${SERVER}`);
    t.now = Transcript.at(39);
    t.does({ type: 'wake' }, '> REQUEST').is('rebinding');
    assert.equal(leaseOf(t.state)?.times?.expiresAt, Transcript.at(44));
  });

  test('without a lease time the lease is as long as it was, without option 54 from the same server', () => {
    const how = only({});
    const without = [...(how.without ?? []), 'dhcp-server-identifier'] as const;
    const t = renewing(ALL).hears(4, 'DHCPACK', { ...how, without }, `extend ${ADDRESS}`);
    assert.equal(leaseOf(t.state)?.times?.expiresAt, Transcript.at(24));
    assert.equal(leaseOf(t.state)?.serverId, SERVER);
  });

  test('another address in the network keeps the rest; one in another network begins anew', () => {
    const near = ipv4('10.20.30.8');
    const t = renewing(ALL);
    const before = configuration(leaseOf(t.state));
    t.hears(4, 'DHCPACK', { ...only(TIMES), yiaddr: near }, `install ${near} for ${ADDRESS}`);
    assert.deepEqual(configuration(leaseOf(t.state)), { ...before, address: net('10.20.30.8/24') });
    const far = ipv4('172.20.1.8');
    t.wake(8, `> REQUEST to ${SERVER}`);
    t.hears(8, 'DHCPACK', { ...only(TIMES), yiaddr: far }, `install ${far} for ${near}`);
    assert.deepEqual(leaseOf(t.state)?.address, net('172.20.1.8/16'));
    assert.deepEqual(leaseOf(t.state)?.routes, []);
  });

  test('a lease that was stored before its options were keeps its mask', () => {
    const t = renewing(ALL);
    assert.ok(t.state.kind === 'renewing');
    const { stated: _, ...lease } = t.state.lease;
    t.state = { ...t.state, lease };
    t.hears(4, 'DHCPACK', only({ ...TIMES, routers: [ROUTER] }), `install ${ADDRESS} for ${ADDRESS}`);
    assert.deepEqual(leaseOf(t.state)?.address, net('10.20.30.7/24'));
  });
});

describe('an extending ACK of another server', () => {
  test('one that states no configuration only extends', () => {
    renewing(ALL)
      .hears(4, 'DHCPACK', only(TIMES, OTHER_SERVER), `extend ${ADDRESS}`)
      .wake(8, `> REQUEST to ${OTHER_SERVER}`)
      .hears(8, 'DHCPACK', only(TIMES, OTHER_SERVER), `extend ${ADDRESS}`);
  });

  test('one that states some is taken as a whole, with the mask that is in use', () => {
    const t = renewing(ALL);
    const how = only({ ...TIMES, routers: [OTHER_ROUTER] }, OTHER_SERVER);
    t.hears(4, 'DHCPACK', how, `install ${ADDRESS} for ${ADDRESS}`);
    assert.deepEqual(configuration(leaseOf(t.state)), {
      address: net('10.20.30.7/24'),
      routers: [OTHER_ROUTER],
      routes: [{ dst: net('0.0.0.0/0'), router: OTHER_ROUTER }],
      dnsServers: [],
      domainName: undefined,
      domainSearch: [],
      mtu: undefined,
    });
  });
});
