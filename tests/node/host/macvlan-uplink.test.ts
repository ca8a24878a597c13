import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { isSysError } from '../../../src/base/sys-error.ts';
import { FakeNode, NODE, UPLINK } from './fake-node.ts';

const MACVLAN = 5;
const POD = '192.168.2.93';

/** The node's own address is on a macvlan on its uplink, which others made. */
function nodeOnMacvlan(): FakeNode {
  const node = new FakeNode();
  node.addUplink('mv0', MACVLAN);
  const link = node.linkTable.find(({ index }) => index === MACVLAN);
  Object.assign(link ?? {}, { kind: 'macvlan', masterIndex: UPLINK, mac: mac('96:00:00:00:00:05') });
  node.dropAddress(NODE);
  node.setAddress(NODE, MACVLAN);
  return node;
}

test('an uplink that is a macvlan has one shim, on the device below, with its own address', async () => {
  const node = nodeOnMacvlan();
  await node.side.attach(node.pod('one', POD, { uplink: 'mv0' }));
  await node.pass(10_000);
  assert.equal(node.shims, 1);
  assert.equal(node.shim?.masterIndex, UPLINK);
  assert.deepEqual(node.shimView().addresses, [NODE]);
  assert.deepEqual(node.shimView().routes, [`${POD} from ${NODE}`]);
  assert.deepEqual(node.guard?.uplinks, ['eth0', 'mv0']);
});

test('one that others removed is made again once', async () => {
  const node = nodeOnMacvlan();
  await node.side.attach(node.pod('one', POD, { uplink: 'mv0' }));
  await node.pass(1000);
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(1000);
  assert.equal(node.shims, 2);
  assert.equal(node.shimsOfNode.length, 1);
});

test('a shim that is not found again is removed, and said; no other one is made', async () => {
  const node = new FakeNode();
  const create = node.createShim.bind(node);
  node.createShim = async (spec) => {
    await create(spec);
    // As if the kernel put it on a device that nobody thought of.
    Object.assign(node.shim ?? {}, { masterIndex: 99 });
  };
  await assert.rejects(
    node.side.attach(node.pod('one', POD)),
    (error) => isSysError(error) && error.message.includes('stands on another device'),
  );
  await node.pass(10_000);
  assert.deepEqual(node.shimsOfNode, []);
  assert.equal(node.shims, 1);
  assert.match(node.side.status().uplinks[0]?.problem ?? '', /name that one in "master"/);
});

test('an ipvlan, and a shim, are refused with the remedy', async () => {
  for (const [change, text] of [
    [{ kind: 'ipvlan' }, /eth0 is an ipvlan, .* name the interface below it/],
    [{ alias: 'leasehold: shim of other0' }, /eth0 is a shim: name the interface below it/],
  ] as const) {
    const node = new FakeNode();
    Object.assign(node.linkTable[0] ?? {}, change);
    await assert.rejects(node.side.attach(node.pod('one', POD)), text);
    assert.equal(node.shims, 0);
  }
});

test('shims beyond the one that pods know are removed, a few at each look', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', POD));
  const kept = node.shim?.index;
  for (let at = 1; at <= 40; at++) {
    await node.createShim({
      name: `lh${at}`,
      masterIndex: UPLINK,
      mac: mac(`02:00:00:00:01:${at.toString(16).padStart(2, '0')}`),
      mtu: 1500,
      alias: 'leasehold: shim of eth0',
    });
  }
  node.side.noticesLost();
  await node.pass(1000);
  assert.deepEqual(
    node.shimsOfNode.map(({ index }) => index),
    [kept],
  );
  assert.deepEqual(node.shimView().routes, [`${POD} from ${NODE}`]);
});

test('two uplinks on one device have a shim each: neither is surplus', async () => {
  const node = nodeOnMacvlan();
  node.setAddress(ipv4('192.168.2.11'));
  await node.side.attach(node.pod('one', POD, { uplink: 'mv0' }));
  await node.side.attach(node.pod('two', '192.168.2.94', { uplink: 'eth0' }));
  await node.pass(5000);
  assert.equal(node.shims, 2);
  assert.equal(node.shimsOfNode.length, 2);
});

test('the device below gets another name: the guard stands there', async () => {
  const node = nodeOnMacvlan();
  await node.side.attach(node.pod('one', POD, { uplink: 'mv0' }));
  await node.pass(1000);
  node.rename(UPLINK, 'lan0');
  await node.pass(100);
  assert.deepEqual(node.guard?.uplinks, ['lan0', 'mv0']);
  node.rename(MACVLAN, 'mv1');
  await node.pass(100);
  assert.deepEqual(node.guard?.uplinks, ['lan0', 'mv1']);
  assert.equal(node.shims, 1);
});
