import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { FakeNode } from './fake-node.ts';

/** The retry comes 5 s after a failure. */
const LONG_ENOUGH_MS = 6000;

async function guardedNode(): Promise<FakeNode> {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.notEqual(node.guard, undefined);
  node.guardPuts = 0;
  return node;
}

/** The tables go, and cannot be set. */
async function breakGuard(node: FakeNode): Promise<void> {
  node.refuseGuardPut = new SysError('NFT_MSG_NEWTABLE', 'ENOBUFS');
  node.guardBroken = true;
  node.side.guardChanged();
  await node.pass(100);
  assert.match(node.side.status().guard.problem ?? '', /ENOBUFS/);
}

test('a guard that could not be set is set later, whatever notices come between', async () => {
  const node = await guardedNode();
  await breakGuard(node);
  node.side.guardChanged();
  await node.pass(1000);
  node.refuseGuardPut = undefined;
  await node.pass(LONG_ENOUGH_MS);
  assert.equal(node.guardBroken, false);
  assert.equal(node.side.status().guard.problem, undefined);
});

test('notices all the time neither keep the guard from being set nor have it tried all the time', async () => {
  const node = await guardedNode();
  await breakGuard(node);
  for (let at = 0; at < 60; at++) {
    node.side.guardChanged();
    await node.pass(500);
  }
  assert.ok(node.guardPuts >= 5 && node.guardPuts <= 8, `${node.guardPuts} tries in 30 s`);
  node.refuseGuardPut = undefined;
  for (let at = 0; at < LONG_ENOUGH_MS / 500; at++) {
    node.side.noticesLost();
    await node.pass(500);
  }
  assert.equal(node.guardBroken, false);
});

test('the first guard of all, too; and what is wanted anew is not kept waiting', async () => {
  const node = new FakeNode();
  node.refuseGuardPut = new SysError('NFT_MSG_NEWTABLE', 'EBUSY');
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.side.guardChanged();
  await node.pass(1000);
  node.refuseGuardPut = undefined;
  node.addUplink('eth1', 7);
  node.setAddress(ipv4('192.168.3.10'), 7);
  await node.side.attach(node.pod('two', '192.168.3.94', { uplink: 'eth1' }));
  assert.deepEqual(node.guard?.uplinks, ['eth0', 'eth1']);
  const { guardPuts } = node;
  await node.pass(LONG_ENOUGH_MS);
  assert.equal(node.guardPuts, guardPuts);
});
