import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { FakeNode } from './fake-node.ts';

const SERVICES = { address: ipv4('10.43.0.0'), prefix: 16 };

test('a running pod whose kernel refuses a change is told again until it takes it', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  const pod = node.podState('one');
  pod.refuse = new SysError('RTM_NEWROUTE', 'ENOBUFS');
  node.services.set('config', [SERVICES]);
  await node.pass(600_000);
  assert.deepEqual(pod.services, []);
  const tries = node.counts.get('pod-side-failed') ?? 0;
  assert.ok(tries >= 10 && tries <= 20, `${tries} tries in ten minutes`);
  assert.equal(node.log.filter(({ text }) => text.includes('could not be told')).length, 1);
  pod.refuse = undefined;
  await node.pass(61_000);
  assert.deepEqual(pod.services, ['10.43.0.0/16']);
  await node.pass(600_000);
  assert.equal(node.counts.get('pod-side-failed'), tries);
});

test('a pod that goes is told nothing more', async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.podState('one').refuse = new SysError('RTM_NEWROUTE', 'ENOBUFS');
  node.services.set('config', [SERVICES]);
  await node.pass(10);
  await node.side.detach(node.key('one'));
  await node.pass(600_000);
  assert.equal(node.counts.get('pod-side-failed'), 1);
});

test("a node's route that was refused is made as soon as the kernel takes it, and one that stayed goes", async () => {
  const node = new FakeNode();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.refuse = new SysError('RTM_NEWROUTE', 'ENOBUFS');
  node.leases.set('one', ipv4('192.168.2.94'));
  node.side.leaseChanged(node.key('one'));
  await node.pass(10);
  node.refuse = undefined;
  await node.pass(31_000);
  assert.deepEqual(node.shimView().routes, ['192.168.2.94 from 192.168.2.10']);
  node.refuse = new SysError('RTM_DELROUTE', 'ENOBUFS');
  await node.side.detach(node.key('one'));
  node.refuse = undefined;
  await node.pass(31_000);
  assert.deepEqual(node.shimView(), { addresses: ['192.168.2.10'], routes: [], neighbours: [] });
});
