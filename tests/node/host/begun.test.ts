import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SysError } from '../../../src/base/sys-error.ts';
import type { AttachRequest } from '../../../src/node/host/host-side.ts';
import { FakeNode } from './fake-node.ts';
import { fakePodSide } from './fake-pod.ts';

test('the namespace that an ADD has open is given back once, whatever becomes of it', async () => {
  const node = new FakeNode();
  const begun = (name: string, change: Partial<AttachRequest> = {}): AttachRequest => {
    const request = node.pod(name, '192.168.2.93', change);
    node.side.begin(request, node.podState(name).index, fakePodSide(request.netns.path, node.podState(name)));
    return request;
  };
  const closed = async (name: string): Promise<number | undefined> => {
    await node.side.ended(node.key(name));
    await node.pass(100);
    return node.podState(name).closed;
  };
  await node.side.attach(begun('good', { lastHop: false }));
  assert.equal(await closed('good'), 1);
  await node.side.detach(node.key('good'));
  begun('silent', { lastHop: false });
  assert.equal(await closed('silent'), 1);
  node.refuse = new SysError('RTM_NEWROUTE', 'EPERM');
  await assert.rejects(node.side.attach(begun('refused', { lastHop: false })), { code: 'EPERM' });
  assert.equal(await closed('refused'), 1);
});

test('the record is written while the address is asked for, and goes with an ADD that came to nothing', async () => {
  const node = new FakeNode();
  const name = 'attachment one/lan/eth0';
  const request = begin(node, 'one');
  await node.pass(100);
  assert.ok(node.stored.has(name));
  await node.side.ended(request.key);
  assert.equal(node.stored.has(name), false);

  // A daemon that is killed meanwhile: the next one knows the pod until its namespace is gone.
  begin(node, 'one');
  await node.pass(100);
  const left = [...node.stored.values()].find(({ kind }) => kind === 'attachment');
  assert.ok(left !== undefined);
  const next = node.boot();
  next.resume(left);
  await next.start();
  assert.equal(next.has(request.key), true);
  await next.detach(request.key);
  assert.equal(node.stored.has(name), false);
});

test('a disk that is full when the ADD begins is tried again, and then the ADD fails with its reason', async () => {
  const node = new FakeNode();
  node.refuseRecords = new SysError('write', 'ENOSPC');
  const request = begin(node, 'one');
  await node.pass(100);
  await assert.rejects(node.side.attach(request), { code: 'ENOSPC' });
  await node.side.ended(request.key);
  const again = begin(node, 'two', '192.168.2.94');
  await node.pass(100);
  node.refuseRecords = undefined;
  await node.side.attach(again);
  await node.side.ended(again.key);
  assert.deepEqual(
    [...node.stored.keys()].filter((key) => key.startsWith('attachment')),
    ['attachment two/lan/eth0'],
  );
});

test('an ADD that comes to nothing leaves the record of the pod of that name that runs', async () => {
  const node = new FakeNode();
  const before = node.pod('one', '192.168.2.93');
  await node.side.attach(before);
  const record = node.stored.get('attachment one/lan/eth0');
  const request = begin(node, 'one', '192.168.2.94');
  await node.pass(100);
  await node.side.ended(request.key);
  assert.equal(node.stored.get('attachment one/lan/eth0'), record);
});

/** An ADD that has its link. */
function begin(node: FakeNode, name: string, address = '192.168.2.93'): AttachRequest {
  const request = node.pod(name, address);
  node.side.begin(request, node.podState(name).index, fakePodSide(request.netns.path, node.podState(name)));
  return request;
}
