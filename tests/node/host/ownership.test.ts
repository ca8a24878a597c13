import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type { HostRecord } from '../../../src/node/host/record.ts';
import { FakeNode, NODE } from './fake-node.ts';

// Whose route it is, when pods share an address, and when records are lost.

const ADDRESS = '192.168.2.93';
const ROUTE = [`${ADDRESS} from ${NODE}`];

/** A daemon that begins anew with these records. */
async function beginAnew(node: FakeNode, keep: (record: HostRecord) => boolean): Promise<void> {
  await node.side.close();
  const records = [...node.stored.values()].filter(keep);
  node.stored.clear();
  const side = node.boot();
  for (const kind of ['uplink', 'attachment'])
    for (const record of records) if (record.kind === kind) side.resume(record);
  await side.start();
  await node.pass(100);
}

test('a running pod that says it has the address of another one: nothing leads to it, and both are named', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('victim', ADDRESS, { mac: mac('de:00:00:00:00:01') }));
  await node.side.attach(node.pod('other', '192.168.2.94', { mac: mac('de:00:00:00:00:02') }));
  const before = node.shimView();
  node.leases.set('other', ipv4(ADDRESS));
  node.side.leaseChanged(node.key('other'));
  await node.pass(100);
  assert.deepEqual(node.shimView().neighbours, [`${ADDRESS} de:00:00:00:00:01`]);
  assert.deepEqual(node.shimView().routes, ROUTE);
  const said = node.log.filter(({ text }) => text.includes('the node must not lead to it'));
  assert.deepEqual(
    said.map(({ fields }) => fields),
    [{ attachment: 'other/lan/eth0', reason: `${ADDRESS} is the address of pod victim/lan/eth0` }],
  );
  // It gets one of its own again.
  node.leases.set('other', ipv4('192.168.2.94'));
  node.side.leaseChanged(node.key('other'));
  await node.pass(100);
  assert.deepEqual(node.shimView(), before);
});

test('an ADD with the address of another pod is refused, also where another plugin gave it', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('victim', ADDRESS, { mac: mac('de:00:00:00:00:01') }));
  for (const addresses of ['lease', [ipv4(ADDRESS)]] as const) {
    const second = node.pod('second', ADDRESS, { mac: mac('de:00:00:00:00:02'), addresses });
    await assert.rejects(node.side.attach(second), /is the address of pod victim\/lan\/eth0/);
    assert.equal(node.side.has(node.key('second')), false);
    assert.deepEqual(node.shimView().neighbours, [`${ADDRESS} de:00:00:00:00:01`]);
  }
});

test('a pod made anew with the same MAC and address keeps its route when the old one is deleted late', async () => {
  const node = new FakeNode();
  const same = { mac: mac('de:00:00:00:00:01') };
  await node.side.attach(node.pod('web-0-old', ADDRESS, same));
  await node.side.attach(node.pod('web-0-new', ADDRESS, same));
  await node.side.detach(node.key('web-0-old'));
  assert.deepEqual(node.shimView().routes, ROUTE);
  assert.deepEqual(node.shimView().neighbours, [`${ADDRESS} de:00:00:00:00:01`]);
  await node.side.detach(node.key('web-0-new'));
  assert.deepEqual(node.shimView().routes, []);
});

test('the same attachment again with another address: nothing of the first one is left', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS, { mac: mac('de:00:00:00:00:01') }));
  await node.side.attach(node.pod('one', '192.168.2.94', { mac: mac('de:00:00:00:00:01') }));
  assert.deepEqual(node.shimView().routes, [`192.168.2.94 from ${NODE}`]);
  await node.side.detach(node.key('one'));
  assert.deepEqual(node.shimView(), { addresses: [NODE], routes: [], neighbours: [] });
});

test('the same attachment again, with another MAC: the neighbour is the new one', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS, { mac: mac('de:00:00:00:00:01') }));
  await node.side.attach(node.pod('one', ADDRESS, { mac: mac('de:00:00:00:00:02') }));
  assert.deepEqual(node.shimView().neighbours, [`${ADDRESS} de:00:00:00:00:02`]);
  assert.deepEqual(node.shimView().routes, ROUTE);
});

test('the record of the uplink is lost: running pods are taken up all the same', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS));
  const shim = node.shim?.mac;
  await beginAnew(node, ({ kind }) => kind !== 'uplink');
  assert.equal(node.side.has(node.key('one')), true);
  assert.deepEqual(node.shimView().routes, ROUTE);
  assert.equal(node.shim?.mac, shim);
  assert.ok(node.stored.has('uplink eth0'));
});

test('that record and the shim are lost: pods are told the MAC address of the new one', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS));
  node.podState('one').shimMac = mac('02:00:00:00:00:99');
  node.removeLink(node.shim?.index ?? 0);
  await beginAnew(node, ({ kind }) => kind !== 'uplink');
  assert.deepEqual(node.shimView().routes, ROUTE);
  assert.equal(node.podState('one').shimMac, node.shim?.mac);
});

test('all records are lost: pods to which the node still leads are recovered, and an ADD takes nothing from them', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS));
  await beginAnew(node, () => false);
  assert.equal(node.side.has(node.key('one')), true);
  await node.side.attach(node.pod('two', '192.168.2.94'));
  await node.pass(1000);
  assert.deepEqual(node.shimView().routes, [...ROUTE, `192.168.2.94 from ${NODE}`]);
  assert.ok(node.stored.has('attachment one/lan/eth0'));
  assert.ok(node.log.some(({ text }) => text.includes('was lost')));
});

test('a lease that the node never led to is not recovered: it may be of a network without host access', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS));
  node.pod('alone', '192.168.2.200');
  await beginAnew(node, () => false);
  assert.equal(node.side.has(node.key('alone')), false);
});

test('without host access nothing is made on the node, neither at once nor by the next daemon', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS, { hostAccess: false, services: 'off' }));
  await beginAnew(node, () => true);
  assert.equal(node.side.has(node.key('one')), true);
  assert.equal(node.shim, undefined);
  assert.equal(node.guard, undefined);
  assert.equal(node.sysctls.get('ipv4 eth0 forwarding'), undefined);
});

test('a disk that is full keeps no running pod from being taken up', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', ADDRESS));
  const records = [...node.stored.values()];
  await node.side.close();
  const side = node.boot();
  for (const record of records) if (record.kind === 'attachment') side.resume(record);
  node.refuseRecords = new SysError('write', 'ENOSPC');
  await side.start();
  await node.pass(100);
  assert.equal(side.has(node.key('one')), true);
  assert.deepEqual(node.shimView().routes, ROUTE);
});
