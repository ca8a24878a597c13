import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ipv4, ipv4 } from '../../../src/base/ipv4.ts';
import { parseJson } from '../../../src/base/json.ts';
import { formatHostRecord, type HostRecord, parseHostRecord } from '../../../src/node/host/record.ts';
import { FakeNode, NODE } from './fake-node.ts';

const VIP = ipv4('192.168.2.50');
const FRESH = ipv4('192.168.2.20');

async function nodeWithPod(): Promise<FakeNode> {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  return node;
}

/** As keepalived would: a single address on the shim. */
function putVip(node: FakeNode, address: Ipv4): void {
  const index = node.shim?.index ?? 0;
  const cidr = { address, prefix: 32 };
  node.addressTable.push({ index, cidr, scope: 0, secondary: false });
  node.tell({ kind: 'address', gone: false, index, cidr });
}

function foreign(node: FakeNode): readonly string[] {
  return node.side.status().uplinks.flatMap((one) => one.foreign);
}

function recorded(node: FakeNode): readonly Ipv4[] | undefined {
  const record = node.stored.get('uplink eth0');
  return record?.kind === 'uplink' ? record.addresses : undefined;
}

async function restart(node: FakeNode, change: (record: HostRecord) => HostRecord): Promise<void> {
  await node.side.close();
  const records = [...node.stored.values()].map(change);
  const side = node.boot();
  for (const kind of ['uplink', 'attachment'])
    for (const record of records) if (record.kind === kind) side.resume(record);
  await side.start();
  await node.pass(100);
}

test('an address that somebody else put on the shim stays, and is shown', async () => {
  const node = await nodeWithPod();
  putVip(node, VIP);
  await node.pass(100);
  assert.deepEqual(node.shimView().addresses, [NODE, VIP]);
  assert.deepEqual(foreign(node), ['192.168.2.50/32']);
  assert.deepEqual(recorded(node), [NODE]);
  await restart(node, (record) => record);
  assert.deepEqual(node.shimView().addresses, [NODE, VIP], 'also after a restart');
  node.dropAddress(NODE);
  node.setAddress(FRESH);
  await node.pass(1000);
  assert.deepEqual(node.shimView().addresses, [VIP, FRESH]);
  assert.deepEqual(recorded(node), [FRESH]);
  assert.equal(node.counts.get('host-repaired'), undefined);
});

test('an address is in the record before it is on the shim, and out of it when it has gone', async () => {
  const node = await nodeWithPod();
  const before: (readonly Ipv4[] | undefined)[] = [];
  const apply = node.apply.bind(node);
  node.apply = (changes) => {
    if (changes.some((change) => change.kind === 'add-address')) before.push(recorded(node));
    return apply(changes);
  };
  node.dropAddress(NODE);
  node.setAddress(FRESH);
  await node.pass(100);
  assert.deepEqual(before, [[NODE, FRESH].toSorted()]);
  await node.pass(1000);
  assert.deepEqual(recorded(node), [FRESH]);
});

test('the address of an earlier run, which the uplink lost since, goes', async () => {
  const node = await nodeWithPod();
  await node.side.close();
  node.dropAddress(NODE);
  node.setAddress(FRESH);
  await restart(node, (record) => record);
  assert.deepEqual(node.shimView().addresses, [FRESH]);
});

test('an address that the uplink has, too, is ours: it goes from the shim when the uplink loses it', async () => {
  const node = await nodeWithPod();
  putVip(node, VIP);
  node.setAddress(VIP);
  await node.pass(100);
  node.dropAddress(VIP);
  await node.pass(1000);
  assert.deepEqual(node.shimView().addresses, [NODE]);
});

test('a record of an earlier version loads; what the uplink has is taken for ours, and kept in it', async () => {
  const node = await nodeWithPod();
  await restart(node, (record) => {
    if (record.kind !== 'uplink') return record;
    const json = parseJson(formatHostRecord({ ...record, addresses: undefined }));
    assert.ok(json.ok);
    const read = parseHostRecord(json.value);
    assert.ok(read.ok && !('addresses' in read.value));
    return read.value;
  });
  assert.deepEqual(node.shimView().addresses, [NODE]);
  assert.deepEqual(foreign(node), []);
  assert.deepEqual(recorded(node), [NODE]);
});

test('a record with addresses survives the way there and back; what is no address is refused', async () => {
  const node = await nodeWithPod();
  const record = node.stored.get('uplink eth0');
  assert.ok(record?.kind === 'uplink');
  const json = parseJson(formatHostRecord(record));
  assert.ok(json.ok);
  assert.deepEqual(parseHostRecord(json.value), { ok: true, value: record });
  const bad = parseHostRecord({ ...JSON.parse(formatHostRecord(record)), addresses: ['fe80::1'] });
  assert.ok(!bad.ok && bad.error.startsWith('addresses.0'), JSON.stringify(bad));
});
