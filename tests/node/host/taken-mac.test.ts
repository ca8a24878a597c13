import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { macFromBytes, type Mac } from '../../../src/base/mac.ts';
import { parseArpFrame } from '../../../src/wire/arp.ts';
import { FakeNode, NODE } from './fake-node.ts';

async function nodeWithPods(): Promise<FakeNode> {
  const node = new FakeNode();
  node.services.set('config', [cidr('10.43.0.0/16') as never]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  await node.side.attach(node.pod('bad', '192.168.2.94'));
  await node.pass(100);
  return node;
}

function shimMac(node: FakeNode): Mac {
  const mac = node.shim?.mac;
  assert.ok(mac !== undefined);
  return mac;
}

test('a MAC address that a pod took while the shim was away is given up: all pods learn the new one', async () => {
  const node = await nodeWithPods();
  const before = shimMac(node);
  node.takenMacs.add(before);
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(200);
  const now = shimMac(node);
  assert.notEqual(now, before);
  assert.equal(node.shim?.up, true);
  assert.equal(node.shimView().routes.length, 2);
  assert.equal(node.podState('one').shimMac, now);
  assert.equal(node.podState('bad').shimMac, now);
  const record = node.stored.get('uplink eth0');
  assert.equal(record?.kind === 'uplink' && record.shim.mac, now);
  assert.equal(node.counts.get('shim-mac-taken'), 1);
  const said = node.log.find(({ text }) => text.includes('MAC address was taken'));
  assert.deepEqual(said?.fields, { uplink: 'eth0', shim: 'lh0', mac: before, now, by: 'unknown' });
  assert.equal(node.side.status().uplinks[0]?.problem, undefined);
});

test('each pod is told alone by which MAC address the node is reached now; the LAN hears nothing', async () => {
  const node = await nodeWithPods();
  node.frames.length = 0;
  node.takenMacs.add(shimMac(node));
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(200);
  const to = node.frames.map(({ frame }) => macFromBytes(frame, 0));
  assert.deepEqual(to, [node.pod('one', '192.168.2.93').mac, node.pod('bad', '192.168.2.94').mac]);
  for (const { index, frame } of node.frames) {
    assert.equal(index, node.shim?.index);
    const packet = parseArpFrame(frame);
    assert.ok(packet.ok);
    assert.equal(packet.value.senderMac, shimMac(node));
    assert.equal(packet.value.senderIp, NODE);
    assert.equal(packet.value.targetIp, NODE);
  }
});

test('the pod that has it is named', async () => {
  const node = await nodeWithPods();
  const before = shimMac(node);
  node.takenMacs.add(before);
  node.podState('bad').mac = before;
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(200);
  const said = node.log.find(({ text }) => text.includes('MAC address was taken'));
  assert.ok(said !== undefined && 'by' in said.fields);
  assert.equal(said.fields.by, 'bad/lan/eth0');
});

test('where every new one is taken, too, it is tried more and more rarely', async () => {
  const node = await nodeWithPods();
  node.takenMacs.has = () => true;
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(1000);
  const soon = node.counts.get('shim-mac-taken') ?? 0;
  assert.ok(soon <= 8, `${soon} addresses in a second`);
  assert.match(node.side.status().uplinks[0]?.problem ?? '', /EADDRINUSE/);
  await node.pass(60_000);
  assert.ok((node.counts.get('shim-mac-taken') ?? 0) <= soon + 8);
  assert.equal(node.shimsOfNode.length, 1);
});
