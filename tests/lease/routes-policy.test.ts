import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatCidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { instant } from '../../src/base/time.ts';
import {
  changeOf,
  configurationOf,
  isUsual,
  prolongationOf,
  withdrawalOf,
} from '../../src/lease/configuration.ts';
import type { InterfaceConfiguration } from '../../src/lease/ports.ts';
import { type ApplyPolicy, ROUTE_USES } from '../../src/lease/record.ts';
import type { Lease4 } from '../../src/protocol/dhcp4/lease.ts';
import { net, SERVER } from '../protocol/dhcp4/messages.ts';

const NOW = instant(5000);

function leaseWith(address: string, router = SERVER): Lease4 {
  return {
    address: net(address),
    serverId: SERVER,
    acquiredAt: instant(0),
    times: undefined,
    routers: [router],
    routes: [
      { dst: net('0.0.0.0/0'), router },
      { dst: net('10.7.0.0/16'), router: undefined },
    ],
    refusedRoutes: [],
    dnsServers: [],
    domainName: undefined,
    domainSearch: [],
    mtu: undefined,
    malformed: [],
    remarks: [],
  };
}

function policy(changes: Partial<ApplyPolicy> = {}): ApplyPolicy {
  return { metric: undefined, routes: 'all', table: undefined, mtu: true, ...changes };
}

function texts(routes: InterfaceConfiguration['removeRoutes'] = []): readonly string[] {
  return routes.map(({ dst, gateway, metric, table }) =>
    [
      formatCidr(dst),
      ...(gateway === undefined ? [] : [`via ${gateway}`]),
      ...(metric === undefined ? [] : [`metric ${metric}`]),
      ...(table === undefined ? [] : [`table ${table}`]),
    ].join(' '),
  );
}

const LEASE = leaseWith('192.168.1.50/24');
const DEFAULT = '0.0.0.0/0 via 192.168.1.1';
const CONNECTED = '192.168.1.0/24';

describe('what becomes of the routes of a lease', () => {
  const rows: readonly (readonly [Partial<ApplyPolicy>, readonly string[], object])[] = [
    [{}, [DEFAULT, '10.7.0.0/16'], {}],
    [{ metric: 7 }, [`${DEFAULT} metric 7`, '10.7.0.0/16 metric 7'], {}],
    [{ routes: 'subnet' }, [], {}],
    [{ routes: 'subnet', metric: 7 }, [`${CONNECTED} metric 7`], { prefixRoute: false }],
    [{ routes: 'none' }, [], { prefixRoute: false }],
    [
      { table: 100 },
      [`${CONNECTED} table 100`, `${DEFAULT} table 100`, '10.7.0.0/16 table 100'],
      { prefixRoute: false, lookup: 100 },
    ],
    [
      { routes: 'subnet', table: 100, metric: 7 },
      [`${CONNECTED} metric 7 table 100`],
      { prefixRoute: false, lookup: 100 },
    ],
  ];
  for (const [changes, expected, addressing] of rows) {
    test(JSON.stringify(changes), () => {
      const { prefixRoute, lookup, routes } = configurationOf(LEASE, policy(changes), NOW);
      assert.deepEqual(texts(routes), expected);
      assert.deepEqual({ prefixRoute: undefined, lookup: undefined, ...addressing }, { prefixRoute, lookup });
      assert.deepEqual(texts(withdrawalOf(LEASE, policy(changes)).removeRoutes), expected);
      const prolonged = prolongationOf(LEASE, policy(changes), NOW);
      assert.deepEqual(
        [prolonged.prefixRoute, prolonged.lookup, prolonged.routes],
        [prefixRoute, lookup, []],
      );
      // What a main plugin that does not know us would do of its own accord.
      assert.equal(isUsual(policy(changes)), Object.keys(addressing).length === 0);
    });
  }

  test('an address that is its whole network has no route to it', () => {
    const { routes } = configurationOf(leaseWith('192.168.1.50/32'), policy({ table: 5 }), NOW);
    assert.ok(!texts(routes).some((text) => text.startsWith('192.168.1')));
  });
});

describe('a lease that changes', () => {
  const table = policy({ table: 100 });

  test('another router: only that, in the table', () => {
    const change = changeOf(LEASE, leaseWith('192.168.1.50/24', ipv4('192.168.1.9')), table, NOW);
    assert.deepEqual(texts(change.routes), ['0.0.0.0/0 via 192.168.1.9 table 100']);
    assert.deepEqual(texts(change.removeRoutes), [`${DEFAULT} table 100`]);
    assert.equal(change.lookup, 100);
  });

  test('another network: its routes, its rule, and the old network out of the table', () => {
    const change = changeOf(LEASE, leaseWith('10.9.0.4/16', ipv4('10.9.0.1')), table, NOW);
    assert.deepEqual(texts(change.routes).slice(0, 2), [
      '10.9.0.0/16 table 100',
      '0.0.0.0/0 via 10.9.0.1 table 100',
    ]);
    assert.deepEqual(texts(change.removeRoutes), [`${CONNECTED} table 100`, `${DEFAULT} table 100`]);
    assert.deepEqual(change.removeAddresses?.map(formatCidr), ['192.168.1.50/24']);
    assert.deepEqual([change.prefixRoute, change.lookup], [false, 100]);
  });

  test('of a lease without routes nothing is removed that is not there', () => {
    for (const routes of ROUTE_USES.filter((use) => use !== 'all')) {
      const change = changeOf(LEASE, leaseWith('10.9.0.4/16'), policy({ routes }), NOW);
      assert.deepEqual([change.routes, change.removeRoutes], [[], []]);
    }
  });
});
