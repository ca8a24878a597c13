import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type { HostRecord } from '../../../src/node/host/record.ts';
import { FakeNode, UPLINK } from './fake-node.ts';
import { undo } from './undo-node.ts';

const SERVICES = { address: ipv4('10.43.0.0'), prefix: 16 };
const FORWARDING = 'ipv4 eth0 forwarding';
const ALL = 'ipv4 all forwarding';
const REMOVED_SHIM = 'removed lh0, with its addresses, routes and neighbours';

/** A node with services and a pod, whose daemon is at its end. */
async function usedNode(): Promise<FakeNode> {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  await node.side.close();
  return node;
}

/** A daemon that begins anew with these records. */
async function start(node: FakeNode, records: readonly HostRecord[]): Promise<void> {
  const side = node.boot();
  for (const kind of ['uplink', 'attachment'])
    for (const record of records) if (record.kind === kind) side.resume(record);
  await side.start();
}

test('what was removed is said, and nothing of a node that has nothing of ours', async () => {
  const node = await usedNode();
  assert.deepEqual(await undo(node), {
    done: [
      REMOVED_SHIM,
      'put net.ipv4.conf.eth0.forwarding back to 0',
      'removed 5 policy rules',
      'removed the nftables table inet leasehold',
    ],
    failed: [],
  });
  assert.deepEqual(await undo(node), { done: [], failed: [] });
});

test('without records all that carries our marks goes, and what cannot be known is said', async () => {
  const node = await usedNode();
  node.stored.clear();
  const { done, failed } = await undo(node);
  assert.deepEqual(failed, []);
  assert.equal(done[0], REMOVED_SHIM);
  assert.equal(done[1], 'left net.ipv4.conf.eth0.forwarding at 1: what it was before is on no record');
  assert.equal(node.shim, undefined);
  assert.equal(node.guard, undefined);
  assert.deepEqual(node.ruleTable, []);
  assert.deepEqual(node.routeTable, []);
  assert.equal(node.sysctls.get(FORWARDING), '1');
});

test('a second shim, and one that a daemon was killed over, go too; those of others stay', async () => {
  const node = await usedNode();
  const common = { mtu: 1500, up: false, lowerUp: true, kind: 'macvlan', masterIndex: UPLINK };
  const theirs = { ...common, index: 32, name: 'mine', mac: mac('02:00:00:00:00:33'), alias: 'mine' };
  node.linkTable.push(
    { ...common, index: 30, name: 'lh7', mac: mac('02:00:00:00:00:30'), alias: 'leasehold: shim of eth0' },
    { ...common, index: 31, name: 'lh8', mac: mac('02:00:00:00:00:01') },
    theirs,
    { ...theirs, index: 33, name: 'dummy0', kind: 'dummy', alias: 'leasehold: shim of eth0' },
  );
  await undo(node);
  assert.deepEqual(
    node.linkTable.map(({ name }) => name),
    ['eth0', 'mine', 'dummy0'],
  );
});

test('forwarding stays where the whole node has come to forward since', async () => {
  const node = await usedNode();
  node.sysctls.set(ALL, '1');
  const { done } = await undo(node);
  assert.equal(node.sysctls.get(FORWARDING), '1');
  assert.ok(done.some((line) => line.startsWith('left net.ipv4.conf.eth0.forwarding at 1: the whole node')));
});

test('forwarding goes back where the node did forward, but not on this uplink', async () => {
  const node = new FakeNode();
  node.sysctls.set(ALL, '1');
  await node.side.attach(node.pod('one', '192.168.2.93'));
  await undo(node);
  assert.equal(node.sysctls.get(FORWARDING), '0');
});

test('a record that does not say how the whole node was: what it needs now is left to it', async () => {
  const node = await usedNode();
  for (const [name, record] of node.stored) {
    if (record.kind !== 'uplink') continue;
    const saved = record.sysctls.saved.map(({ key, value, ours }) => ({ key, value, ours }));
    node.stored.set(name, { ...record, sysctls: { ...record.sysctls, saved } });
  }
  node.sysctls.set(ALL, '1');
  await undo(node);
  assert.equal(node.sysctls.get(FORWARDING), '1');
});

test('an uplink that was renamed since has its sysctls back', async () => {
  const node = await usedNode();
  const uplink = node.linkTable.find(({ index }) => index === UPLINK);
  assert.ok(uplink !== undefined);
  uplink.name = 'lan0';
  node.sysctls.set('ipv4 lan0 forwarding', '1');
  const { done } = await undo(node);
  assert.equal(node.sysctls.get('ipv4 lan0 forwarding'), '0');
  assert.ok(done.includes('put net.ipv4.conf.lan0.forwarding back to 0'));
});

test('what cannot be removed is said, and keeps nothing else from being removed', async () => {
  const node = await usedNode();
  node.refuseGuard = new SysError('NFT_MSG_DELTABLE', 'EBUSY');
  node.refuseRules = new SysError('RTM_GETRULE', 'ENOBUFS');
  node.refuseRecords = new SysError('write', 'ENOSPC');
  const { failed } = await undo(node);
  assert.equal(node.shim, undefined);
  assert.equal(node.sysctls.get(FORWARDING), '0');
  assert.deepEqual(failed, [
    'could not put the sysctls of eth0 back: write: ENOSPC',
    'could not remove policy rules (ip rule, protocol 76): RTM_GETRULE: ENOBUFS',
    'could not remove a table (nft delete table inet leasehold): NFT_MSG_DELTABLE: EBUSY',
  ]);
});

test('records stay: the next daemon makes the same shim, and leads to the pods that run', async () => {
  const node = await usedNode();
  const before = node.shimView();
  const { mac: ofShim } = node.shim ?? {};
  await undo(node);
  await start(node, [...node.stored.values()]);
  await node.pass(1000);
  assert.equal(node.shim?.mac, ofShim);
  assert.deepEqual(node.shimView(), before);
  assert.equal(node.podState('one').shimMac, ofShim);
});

test('sysctls are saved anew after an uninstall: in between they were the business of others', async () => {
  const node = await usedNode();
  await undo(node);
  node.sysctls.set(FORWARDING, '1');
  await start(node, [...node.stored.values()]);
  await undo(node);
  assert.equal(node.sysctls.get(FORWARDING), '1');
});

test('a disk that takes no record keeps no route from being put back; it is said, and saved later', async () => {
  const node = await usedNode();
  node.stored.forEach((record) => record.kind === 'uplink' && node.stored.delete('uplink eth0'));
  const records = [...node.stored.values()];
  await node.side.close();
  await start(node, records);
  const text = 'write /state/host: ENOSPC';
  node.refuseRecords = new SysError('write /state/host', 'ENOSPC');
  node.setAddress(ipv4('192.168.2.11'));
  node.removeRoute('192.168.2.93');
  node.sysctls.set(FORWARDING, '0');
  await node.pass(10_000);
  assert.deepEqual(node.shimView().addresses.toSorted(), ['192.168.2.10', '192.168.2.11']);
  assert.equal(node.shimView().routes.length, 1);
  assert.equal(node.sysctls.get(FORWARDING), '1');
  assert.equal(node.side.status().uplinks[0]?.problem, text);
  assert.equal(node.log.filter(({ fields }) => 'error' in fields && fields.error === text).length, 1);
  node.refuseRecords = undefined;
  await node.pass(60_000);
  assert.equal(node.side.status().uplinks[0]?.problem, undefined);
  const record = node.stored.get('uplink eth0');
  assert.ok(record?.kind === 'uplink');
  assert.deepEqual(record.addresses?.toSorted(), ['192.168.2.10', '192.168.2.11']);
});
