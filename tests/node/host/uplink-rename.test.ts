import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { FakeNode, NODE, UPLINK } from './fake-node.ts';

const POD = '192.168.2.93';

async function nodeWithPod(): Promise<FakeNode> {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', POD));
  await node.pass(100);
  return node;
}

function names(node: FakeNode): readonly string[] {
  return node.side.status().uplinks.map(({ name }) => name);
}

/** As the daemon does when it starts: what is stored, uplinks first. */
async function restart(node: FakeNode): Promise<void> {
  await node.side.close();
  node.boot();
  const records = [...node.stored.values()];
  for (const kind of ['uplink', 'attachment'] as const) {
    for (const record of records) if (record.kind === kind) node.side.resume(record);
  }
  await node.side.start();
  await node.pass(100);
}

function assertFollowed(node: FakeNode): void {
  assert.deepEqual(names(node), ['lan0']);
  assert.deepEqual(
    node.shimsOfNode.map(({ name, alias }) => ({ name, alias })),
    [{ name: 'lh0', alias: 'leasehold: shim of lan0' }],
  );
  assert.deepEqual([...node.stored.keys()].toSorted(), ['attachment one/lan/eth0', 'uplink lan0']);
  const stored = node.stored.get('attachment one/lan/eth0');
  assert.equal(stored?.kind === 'attachment' && stored.uplink, 'lan0');
  assert.deepEqual(node.guard?.uplinks, ['lan0']);
  assert.deepEqual(node.shimView().routes, [`${POD} from ${NODE}`]);
}

test('an uplink that gets another name is followed: its shim, its records and the guard', async () => {
  const node = await nodeWithPod();
  node.rename(UPLINK, 'lan0');
  await node.pass(100);
  assertFollowed(node);
});

test('what others remove after the renaming is put back, and the next pod has the same shim', async () => {
  const node = await nodeWithPod();
  node.rename(UPLINK, 'lan0');
  await node.pass(100);
  node.removeRoute(POD);
  await node.pass(100);
  assertFollowed(node);
  await node.side.attach(node.pod('two', '192.168.2.94', { uplink: 'lan0' }));
  assert.equal(node.shims, 1);
  assert.deepEqual(names(node), ['lan0']);
});

test('an ADD in the moment of the renaming does not make a second shim', async () => {
  const node = await nodeWithPod();
  node.rename(UPLINK, 'lan0');
  await node.side.attach(node.pod('two', '192.168.2.94', { uplink: 'lan0' }));
  assert.equal(node.shims, 1);
  assert.deepEqual(names(node), ['lan0']);
});

test('a name that changed while no daemon ran is found by the shim', async () => {
  const node = await nodeWithPod();
  await node.side.close();
  node.rename(UPLINK, 'lan0');
  await restart(node);
  assertFollowed(node);
  await restart(node);
  assertFollowed(node);
});

test('it is found by the MAC address of the shim when somebody took its alias away', async () => {
  const node = await nodeWithPod();
  await node.side.close();
  node.rename(UPLINK, 'lan0');
  Object.assign(node.shim ?? {}, { alias: undefined });
  await restart(node);
  assertFollowed(node);
});

test('another device with the old name is another uplink', async () => {
  const node = await nodeWithPod();
  await node.side.close();
  node.rename(UPLINK, 'lan0');
  node.addUplink('eth0', 7);
  node.setAddress(ipv4('192.168.2.11'), 7);
  await restart(node);
  assertFollowed(node);
  await node.side.attach(node.pod('two', '192.168.2.94', { uplink: 'eth0' }));
  await node.pass(100);
  assert.deepEqual(names(node).toSorted(), ['eth0', 'lan0']);
  assert.deepEqual(node.guard?.uplinks, ['eth0', 'lan0']);
  assert.deepEqual(
    node.shimsOfNode.map(({ masterIndex }) => masterIndex),
    [UPLINK, 7],
  );
});

test('two uplinks that exchange their names keep their shims, pods and records', async () => {
  const node = await nodeWithPod();
  node.addUplink('eth1', 7);
  node.setAddress(ipv4('192.168.2.11'), 7);
  await node.side.attach(node.pod('two', '192.168.2.94', { uplink: 'eth1' }));
  await node.pass(100);
  const before = node.shimsOfNode.map(({ name, mac, masterIndex }) => ({ name, mac, masterIndex }));
  node.rename(UPLINK, 'tmp0');
  node.rename(7, 'eth0');
  node.rename(UPLINK, 'eth1');
  await node.pass(200);
  assert.deepEqual(
    node.shimsOfNode.map(({ name, mac, masterIndex }) => ({ name, mac, masterIndex })),
    before,
  );
  const shimOf = (uplink: string): string | undefined => {
    const record = node.stored.get(`uplink ${uplink}`);
    return record?.kind === 'uplink' ? record.shim.name : undefined;
  };
  assert.deepEqual([shimOf('eth0'), shimOf('eth1')], ['lh1', 'lh0']);
  const uplinkOf = (pod: string): string | undefined => {
    const record = node.stored.get(`attachment ${pod}/lan/eth0`);
    return record?.kind === 'attachment' ? record.uplink : undefined;
  };
  assert.deepEqual([uplinkOf('one'), uplinkOf('two')], ['eth1', 'eth0']);
});

test('a full disk does not keep the node from following', async () => {
  const node = await nodeWithPod();
  node.refuseRecords = new SysError('write', 'ENOSPC');
  node.rename(UPLINK, 'lan0');
  await node.pass(100);
  assert.deepEqual(node.guard?.uplinks, ['lan0']);
  assert.match(node.side.status().uplinks[0]?.problem ?? '', /ENOSPC/);
  node.refuseRecords = undefined;
  await node.pass(5000);
  assertFollowed(node);
  assert.equal(node.side.status().uplinks[0]?.problem, undefined);
});
