import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { seconds } from '../../src/base/time.ts';
import { ADDRESS_RULE_PRIORITY } from '../../src/kernel/address-rules.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { asRoot, makePair, Sandbox } from './support/sandbox.ts';

const TABLE = 4711;
const ROUTER = ipv4('10.9.0.1');
const DEFAULT = { dst: cidr('0.0.0.0/0'), gateway: ROUTER, table: TABLE };

type Wanted = Parameters<PodNetwork['configure']>[1];

/** As a lease with a table is put on. */
function inTable(address: string, changes: Partial<Wanted> = {}): Wanted {
  return {
    addresses: [cidr(address)],
    prefixRoute: false,
    lookup: TABLE,
    validFor: seconds(300),
    routes: [{ dst: cidr('10.9.0.0/24'), table: TABLE }, DEFAULT],
    ...changes,
  };
}

function routes(sandbox: Sandbox, table = 'main'): readonly string[] {
  return sandbox
    .ip('left', '-4', 'route', 'show', 'table', table)
    .map(({ dst, gateway }) =>
      gateway === undefined ? (dst as string) : `${dst as string} via ${gateway as string}`,
    )
    .toSorted();
}

function rules(sandbox: Sandbox): readonly string[] {
  return sandbox
    .ip('left', '-4', 'rule', 'show')
    .map(({ priority, src, table }) => `${String(priority)} ${String(src)} ${String(table)}`);
}

function ruleOf(address: string): string {
  return `${ADDRESS_RULE_PRIORITY} ${address} ${TABLE}`;
}

function setting(sandbox: Sandbox): { readonly own: readonly string[]; readonly main: readonly string[] } {
  return { own: routes(sandbox, String(TABLE)), main: routes(sandbox) };
}

describe('an address with a routing table of its own', { skip: asRoot.skip }, () => {
  test('nothing in the main table, a rule that leads to the other, and again without an error', async () => {
    await using sandbox = new Sandbox('table');
    const { leftLink, rightRtnl } = await makePair(sandbox);
    const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
    for (const _ of ['first', 'again']) {
      await pod.configure(leftLink.index, inTable('10.9.0.2/24'));
      assert.deepEqual(setting(sandbox), { own: ['10.9.0.0/24', 'default via 10.9.0.1'], main: [] });
      assert.equal(rules(sandbox).filter((rule) => rule === ruleOf('10.9.0.2')).length, 1);
    }
    assert.deepEqual(await pod.lookups(ipv4('10.9.0.2')), [TABLE]);
    assert.deepEqual(await pod.lookups(ipv4('10.9.0.3')), []);
    assert.deepEqual(
      (await pod.routes(leftLink.index, TABLE)).map(({ table }) => table),
      [TABLE, TABLE],
    );
    const [way] = sandbox.ip('left', 'route', 'get', '8.8.8.8', 'from', '10.9.0.2');
    assert.equal(way?.['gateway'], ROUTER);
    pod.close();
  });

  test('the rule goes where the address goes, and with it', async () => {
    await using sandbox = new Sandbox('table');
    const { leftLink, rightRtnl } = await makePair(sandbox);
    const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
    // Somebody else's, with our number even.
    sandbox.ip('left', 'rule', 'add', 'from', '10.9.0.2', 'table', '99', 'priority', '30000');
    await pod.configure(leftLink.index, inTable('10.9.0.2/24'));
    await pod.configure(leftLink.index, inTable('10.9.0.3/24', { removeAddresses: [cidr('10.9.0.2/24')] }));
    assert.ok(rules(sandbox).includes(ruleOf('10.9.0.3')) && !rules(sandbox).includes(ruleOf('10.9.0.2')));
    assert.deepEqual(setting(sandbox), { own: ['10.9.0.0/24', 'default via 10.9.0.1'], main: [] });
    // The same address with another prefix keeps it.
    await pod.configure(leftLink.index, inTable('10.9.0.3/23', { removeAddresses: [cidr('10.9.0.3/24')] }));
    assert.ok(rules(sandbox).includes(ruleOf('10.9.0.3')));
    await pod.configure(leftLink.index, {
      addresses: [],
      routes: [],
      removeRoutes: [DEFAULT, { dst: cidr('10.9.0.0/24'), table: TABLE }],
      removeAddresses: [cidr('10.9.0.3/23')],
    });
    assert.ok(!rules(sandbox).includes(ruleOf('10.9.0.3')));
    assert.ok(rules(sandbox).includes('30000 10.9.0.2 99'), 'what others made is not touched');
    assert.deepEqual(setting(sandbox), { own: [], main: [] });
    pod.close();
  });

  test('a route of the table is replaced and removed there, not its like in the main table', async () => {
    await using sandbox = new Sandbox('table');
    const { leftLink, rightRtnl } = await makePair(sandbox);
    const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
    await pod.configure(leftLink.index, {
      addresses: [cidr('10.9.0.4/24')],
      routes: [{ ...DEFAULT, table: undefined }],
    });
    await pod.configure(leftLink.index, inTable('10.9.0.2/24'));
    const other = { ...DEFAULT, gateway: ipv4('10.9.0.9') };
    await pod.configure(leftLink.index, inTable('10.9.0.2/24', { routes: [other], removeRoutes: [DEFAULT] }));
    assert.deepEqual(routes(sandbox, String(TABLE)), ['10.9.0.0/24', 'default via 10.9.0.9']);
    await pod.configure(leftLink.index, { addresses: [], routes: [], removeRoutes: [other] });
    assert.deepEqual(setting(sandbox), {
      own: ['10.9.0.0/24'],
      main: ['10.9.0.0/24', 'default via 10.9.0.1'],
    });
    pod.close();
  });
});

test('an address without a route to its network stays so when it is prolonged', asRoot, async () => {
  await using sandbox = new Sandbox('noroute');
  const { leftLink, rightRtnl } = await makePair(sandbox);
  const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
  const wanted = { addresses: [cidr('10.9.0.2/24')], prefixRoute: false, routes: [] };
  await pod.configure(leftLink.index, { ...wanted, validFor: seconds(300) });
  await pod.configure(leftLink.index, { ...wanted, validFor: seconds(540) });
  assert.deepEqual(routes(sandbox), []);
  pod.close();
});
