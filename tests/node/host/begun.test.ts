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
    node.side.ended(node.key(name));
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
