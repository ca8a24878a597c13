import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json, JsonObject } from '../../src/base/json.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf, routesOf } from './support/kernel-view.ts';
import {
  addressIn,
  type Attached,
  macIn,
  macvlan,
  networkOf,
  ROUTER,
  type Site,
  useSite,
} from './support/site.ts';

const TABLE = 100;
const LAN = '192.168.2.0/24';
/** What the pod's first network leaves in the main table. */
const FIRST = [`${LAN} dev eth0`, `default via ${ROUTER} dev eth0`];
const OTHER_POOL = { first: ipv4('192.168.2.20'), last: ipv4('192.168.2.39') };
/** A new server with another pool says nothing to a REQUEST for an address of the old one: the lease ends. */
const TIMERS = { 'renew-timer': 2, 'rebind-timer': 5, 'calculate-tee-times': false };
const QUICK = { kind: 'kea', leaseSeconds: 8, dhcp4: TIMERS } as const;
const PATIENCE = { deadlineMs: 60_000, everyMs: 100 };

/** A pod on a first network, and with a second interface on one that has these routes. */
async function withSecond(
  site: Site,
  routes: Json,
  list: { readonly cniVersion?: string } = {},
): Promise<Attached> {
  const first = await site.add(networkOf([macvlan()]));
  const network = networkOf([macvlan({}, { routes })], { name: 'lan2', ...list });
  const { namespace, attachment } = first.pod;
  return await site.attach(network, {
    name: 'second',
    namespace,
    attachment: { ...attachment, ifName: 'net1' },
  });
}

/** The lines of `ip rule` that are not the kernel's own three. */
async function rulesIn({ pod }: Attached): Promise<readonly string[]> {
  const shown = await pod.namespace.run(['ip', '-4', 'rule', 'show']);
  return shown
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '' && !/lookup (local|main|default)$/.test(line));
}

async function tableIn({ pod }: Attached): Promise<readonly string[]> {
  const shown = await pod.namespace.run(['ip', '-4', 'route', 'show', 'table', String(TABLE)]);
  return shown
    .split('\n')
    .map((line) => line.trim().replace(/ scope link$/, ''))
    .filter((line) => line !== '')
    .toSorted();
}

function ruleOf(address: string): string {
  return `30000: from ${address} lookup ${TABLE} proto 76`;
}

/** The address of the other pool that an interface of the pod has, and no other one. */
async function movedAddress({ pod }: Attached, ifname: string): Promise<string | false> {
  const [address = '', ...more] = await addressesOf(pod.namespace, ifname);
  return more.length === 0 && /^192\.168\.2\.[23]\d\/24$/.test(address) && address.replace('/24', '');
}

/** So many routes as there have to be, one after another: they are put on after their address. */
async function isWhole(second: Attached): Promise<boolean> {
  const [own, main] = [await tableIn(second), await routesOf(second.pod.namespace)];
  return own.length === 2 && main.length === FIRST.length;
}

/** All that a table of its own means for a second interface. */
async function assertInTable(second: Attached, address: string): Promise<void> {
  assert.deepEqual(await addressesOf(second.pod.namespace, 'net1'), [`${address}/24`]);
  assert.deepEqual(await tableIn(second), [`${LAN} dev net1`, `default via ${ROUTER} dev net1`]);
  assert.deepEqual(await rulesIn(second), [ruleOf(address)]);
  assert.deepEqual(await routesOf(second.pod.namespace), FIRST);
  const way = await second.pod.namespace.run(['ip', 'route', 'get', '8.8.8.8', 'from', address]);
  assert.match(way, / dev net1 /);
}

describe('a second interface', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  const cases: readonly (readonly [Json, readonly string[]])[] = [
    ['none', []],
    [{ use: 'none' }, []],
    ['subnet', [`${LAN} dev net1`]],
    [{ use: 'subnet', metric: 50 }, [`${LAN} dev net1 metric 50`]],
    [{ metric: 50 }, [`${LAN} dev net1`, `default via ${ROUTER} dev net1 metric 50`]],
  ];
  for (const [routes, expected] of cases) {
    test(`routes ${JSON.stringify(routes)}`, async () => {
      const second = await withSecond(site(), routes);
      const found = await routesOf(second.pod.namespace);
      assert.deepEqual(found, [...FIRST, ...expected].toSorted());
      assert.deepEqual(await rulesIn(second), []);
      await site().daemon.runtime.check(second.network, second.attachment);
      await site().del(second);
      assert.deepEqual(await routesOf(second.pod.namespace), FIRST);
    });
  }

  test('a table of its own: it answers by itself, CHECK sees what is missing, DEL leaves nothing', async () => {
    const second = await withSecond(site(), { table: TABLE });
    const address = addressIn(second.result);
    await assertInTable(second, address);
    await site().lan.router.run(['ping', '-c', '1', '-W', '5', address]);
    const check = () => site().daemon.runtime.check(second.network, second.attachment);
    await check();
    const { namespace } = second.pod;
    await namespace.ip('rule', 'del', 'from', address);
    await assert.rejects(check(), { code: 150, msg: /the rule "from .* lookup 100" is gone/ });
    await namespace.ip(
      'rule',
      'add',
      'from',
      address,
      'table',
      String(TABLE),
      'priority',
      '30000',
      'protocol',
      '76',
    );
    await namespace.ip('route', 'del', 'default', 'table', String(TABLE));
    await assert.rejects(check(), { code: 150, msg: /the route to 0\.0\.0\.0\/0 is gone/ });
    await site().del(second);
    assert.deepEqual(await rulesIn(second), []);
    assert.deepEqual(await routesOf(namespace), FIRST);
    await site().waitForNoLease(macIn(second.result));
  });

  test('a result of CNI 1.1 says the table', async () => {
    const second = await withSecond(site(), { table: TABLE, metric: 7 }, { cniVersion: '1.1.0' });
    assert.deepEqual(second.result['routes'], [
      { dst: LAN, gw: '0.0.0.0', priority: 7, table: TABLE, scope: 253 },
      { dst: '0.0.0.0/0', gw: ROUTER, priority: 7, table: TABLE },
    ]);
    await site().daemon.runtime.check(second.network, second.attachment);
    await site().del(second);
  });

  test('an ADD that fails leaves no rule', async () => {
    const second = await withSecond(site(), { table: TABLE });
    const [rule] = await rulesIn(second);
    assert.ok(rule !== undefined);
    // The link goes without a word: the DEL that follows still finds the rule.
    await second.pod.namespace.ip('link', 'del', 'net1');
    await site().del(second);
    assert.deepEqual(await rulesIn(second), []);
  });

  test('what another main plugin cannot do is refused where it puts the address on', async () => {
    const pod = await site().pod();
    await pod.namespace.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0');
    for (const routes of ['none', { table: TABLE }] satisfies readonly Json[]) {
      const network = networkOf([{ type: 'dhcp', ipam: { type: 'dhcp', routes } } satisfies JsonObject]);
      await assert.rejects(site().attach(network, pod), { code: 7, msg: /^ipam\.routes: / });
    }
  });
});

describe('a second interface in the life of its lease', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: QUICK });

  test('renewed, put back by the daemon, and moved to another address it stays as it was', async () => {
    const none = await withSecond(site(), 'none');
    const table = await withSecond(site(), { table: TABLE });
    const renewed = await site().counter('lease-extended');
    // Both, each after its first: four leases are renewed here.
    await waitFor('renewals', async () => (await site().counter('lease-extended')) >= renewed + 8, PATIENCE);
    await assertInTable(table, addressIn(table.result));
    assert.deepEqual(await routesOf(none.pod.namespace), FIRST);

    await table.pod.namespace.ip('addr', 'flush', 'dev', 'net1');
    await waitFor('the address to be put back', () => isWhole(table), PATIENCE);
    await assertInTable(table, addressIn(table.result));

    await site().lan.server.kill();
    await site().lan.startNewServer(QUICK, OTHER_POOL);
    const address = await waitFor('the other address', () => movedAddress(table, 'net1'), PATIENCE);
    await waitFor('the other address', () => movedAddress(none, 'net1'), PATIENCE);
    for (const second of [table, none]) {
      await waitFor('the first network to have moved too', () => movedAddress(second, 'eth0'), PATIENCE);
    }
    await waitFor('the routes of both', () => isWhole(table), PATIENCE);
    await assertInTable(table, address);
    await site().daemon.runtime.check(table.network, table.attachment);
    assert.ok(!(await routesOf(none.pod.namespace)).some((route) => route.includes('net1')));
    await site().del(table);
    assert.deepEqual(await rulesIn(table), []);
  });
});
