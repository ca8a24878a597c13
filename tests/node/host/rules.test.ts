import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { isIpv4 } from '../../../src/base/ip.ts';
import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type { Cidr } from '../../../src/base/cidr.ts';
import {
  HOST_ROUTES_PRIORITY,
  KNOWN_WAY_PRIORITY,
  planRules,
  PROHIBIT_PRIORITY,
} from '../../../src/node/host/rule-keeper.ts';
import { KNOWN_WAY_MARK } from '../../../src/node/host/ports.ts';
import { FakeNode, NODE } from './fake-node.ts';
import { undo } from './undo-node.ts';

function network(text: string): Cidr<Ipv4> {
  const { address, prefix } = cidr(text);
  if (!isIpv4(address)) throw new Error('IPv4 only');
  return { address, prefix };
}

const SERVICES = network('10.43.0.0/16');
const OTHERS = network('10.96.0.0/12');
const OURS = {
  iif: 'lh0',
  to: SERVICES,
  priority: PROHIBIT_PRIORITY,
  protocol: 76,
  does: 'prohibit',
} as const;
/** Asked before: where the node has a route of its own to such a network. */
const WAY = { ...OURS, priority: KNOWN_WAY_PRIORITY, does: 'known-way' } as const;
/** The same for what the guard asks, before a packet is routed. */
const ASKED = [WAY, OURS].map(({ to, priority, protocol, does }) => ({
  mark: KNOWN_WAY_MARK,
  to,
  priority,
  protocol,
  does,
}));
/** Asked before all of others: the pods' routes. */
const PODS = {
  to: network('192.168.2.0/24'),
  priority: HOST_ROUTES_PRIORITY,
  protocol: 76,
  does: 'host-routes',
} as const;

async function serviceNode(): Promise<FakeNode> {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  return node;
}

test('what comes in by the shim for a service network is prohibited, from the first pod on', async () => {
  const node = await serviceNode();
  assert.deepEqual(node.ruleTable, [WAY, OURS, PODS, ...ASKED]);
  node.addUplink('eth1', 7);
  node.stated = [{ address: ipv4('192.168.3.0'), prefix: 24 }];
  await node.side.attach(node.pod('two', '192.168.3.94', { uplink: 'eth1' }));
  assert.deepEqual(
    node.ruleTable.map((rule) => ('iif' in rule ? rule.iif : undefined)),
    ['lh0', 'lh0', undefined, undefined, undefined, 'lh1', 'lh1'],
  );
  await node.pass(1000);
  assert.equal(node.counts.get('host-repaired'), undefined);
});

test('without services there is the rule for pods alone, and the others follow the services', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.deepEqual(node.ruleTable, [PODS]);
  node.services.set('config', [SERVICES, OTHERS]);
  await node.pass(10);
  assert.deepEqual(
    node.ruleTable.map(({ to }) => to),
    [PODS.to, SERVICES, SERVICES, OTHERS, OTHERS, SERVICES, SERVICES, OTHERS, OTHERS],
  );
  node.services.set('config', [OTHERS]);
  await node.pass(10);
  assert.deepEqual(
    node.ruleTable,
    [PODS, WAY, OURS, ...ASKED].map((rule) => (rule === PODS ? rule : { ...rule, to: OTHERS })),
  );
  await node.side.attach(node.pod('two', '192.168.2.94', { services: [SERVICES] }));
  assert.deepEqual(node.ruleTable.length, 9, 'a network that only one pod has named, too');
  assert.equal(node.counts.get('host-repaired'), undefined);
});

test('a rule that somebody removed is back within 100 ms, and said; rules of others are left alone', async () => {
  const node = await serviceNode();
  const theirs = { ...OURS, to: OTHERS, protocol: 4 };
  node.ruleTable.push(theirs);
  node.removeRule(node.ruleTable[1] ?? OURS);
  await node.pass(100);
  assert.deepEqual(node.ruleTable, [WAY, PODS, ...ASKED, theirs, OURS]);
  assert.equal(node.counts.get('host-repaired'), 1);
  assert.ok(node.log.some(({ fields }) => JSON.stringify(fields).includes('rule iif lh0 to 10.43.0.0/16')));
});

test('a lost notice of a rule is made good by a look', async () => {
  const node = await serviceNode();
  node.ruleTable = [];
  node.side.noticesLost();
  await node.pass(100);
  assert.deepEqual(node.ruleTable, [WAY, OURS, PODS, ...ASKED]);
});

test('somebody who removes it again and again is noticed and not fought for ever', async () => {
  const node = await serviceNode();
  let puts = 0;
  for (let at = 0; at < 200; at++) {
    const rule = node.ruleTable.find(({ does, iif }) => does === 'prohibit' && iif !== undefined);
    if (rule !== undefined) {
      puts += 1;
      node.removeRule(rule);
    }
    await node.pass(300);
  }
  assert.ok(puts < 20, `${puts} times in a minute`);
  assert.ok(node.side.status().fights.some(({ item }) => item.includes('rule iif lh0')));
  await node.pass(120_000);
  assert.deepEqual(node.ruleTable, [WAY, PODS, ...ASKED, OURS], 'in the end it is there');
});

test('rules of a shim that has another name now, and of an earlier run, go', async () => {
  const node = await serviceNode();
  node.ruleTable.push({ ...OURS, iif: 'lh7' }, { ...OURS, to: OTHERS }, { ...OURS, priority: 9 });
  await node.side.close();
  const records = [...node.stored.values()];
  const side = node.boot();
  for (const kind of ['uplink', 'attachment'])
    for (const record of records) if (record.kind === kind) side.resume(record);
  await side.start();
  assert.deepEqual(node.ruleTable, [WAY, OURS, PODS, ...ASKED]);
  assert.equal(node.counts.get('host-repaired'), undefined);
});

test('undone: our rules are gone, those of others stay', async () => {
  const node = await serviceNode();
  const theirs = { ...OURS, protocol: 4 };
  node.ruleTable.push(theirs, { ...OURS, iif: 'lh9' });
  await undo(node);
  assert.deepEqual(node.ruleTable, [theirs]);
});

test('a kernel without rules: it is said once, and pods are attached', async () => {
  const node = new FakeNode();
  node.refuseRules = new SysError('RTM_GETRULE', 'EOPNOTSUPP');
  node.services.set('config', [SERVICES]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  await node.side.attach(node.pod('two', '192.168.2.94'));
  await node.pass(60_000);
  assert.equal(node.log.filter(({ text }) => text.startsWith('policy rules')).length, 1);
  assert.notEqual(node.guard, undefined);
  await undo(node);
});

test('rules that could not be read are tried again', async () => {
  const node = new FakeNode();
  node.refuseRules = new SysError('RTM_GETRULE', 'ENOBUFS');
  node.services.set('config', [SERVICES]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.deepEqual(node.ruleTable, []);
  node.refuseRules = undefined;
  await node.pass(6000);
  assert.deepEqual(node.ruleTable, [WAY, OURS, PODS, ...ASKED]);
});

test('there are never more than 64 rules, which the kernel asks one after another', () => {
  const networks = Array.from({ length: 100 }, (_, at) => network(`10.43.${at}.0/24`));
  assert.equal(planRules({ networks, shims: ['lh0'], lans: [] }, []).length, 64);
});

test("the rule for pods follows the node's network, and stays while a DHCP client sets the address again", async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.dropAddress(NODE);
  await node.pass(100);
  node.setAddress(NODE);
  await node.pass(1000);
  assert.deepEqual(node.ruleTable, [PODS]);
  node.setAddress(ipv4('192.168.9.10'));
  node.dropAddress(NODE);
  await node.pass(1000);
  assert.deepEqual(
    node.ruleTable.map(({ to }) => to),
    [network('192.168.9.0/24')],
  );
  assert.equal(node.counts.get('host-repaired'), undefined);
});
