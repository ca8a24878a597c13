import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { PODS_CHECKED_AT_ONCE } from '../../../src/node/host/pod-checks.ts';
import { FakeNode, UPLINK } from './fake-node.ts';

const SERVICES = { address: ipv4('10.43.0.0'), prefix: 16 };
const CHANGED = 'the last hop on eth0 is dormant or was changed';

/** A node with pods p0, p1 ..., each with its services and its last hop. */
async function nodeWith(pods: number): Promise<FakeNode> {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  // The LAN is larger than the node's own network there.
  node.routeTable.push({ dst: { address: ipv4('192.168.0.0'), prefix: 16 }, index: UPLINK, protocol: 4 });
  for (let at = 0; at < pods; at++)
    await node.side.attach(node.pod(`p${at}`, `192.168.${2 + Math.floor(at / 200)}.${20 + (at % 200)}`));
  return node;
}

function names(pods: readonly { readonly key: { readonly containerId: string } }[]): readonly string[] {
  return pods.map(({ key }) => key.containerId);
}

test('a pod that has all it should has no problem, nor has one that is not known', async () => {
  const node = await nodeWith(2);
  assert.deepEqual(await node.side.problemsOf(node.key('p0')), []);
  assert.deepEqual(await node.side.problemsOf(node.key('nobody')), []);
  assert.deepEqual(await node.side.checkAll(), { looked: 2, pods: [] });
});

test('what is missing in the pod is told, and what the node has not on its shim', async () => {
  const node = await nodeWith(2);
  const state = node.podState('p0');
  state.services = [];
  state.shimMac = mac('02:00:00:00:00:99');
  state.lastHopProblem = CHANGED;
  const inPod = ['no route to 10.43.0.0/16', 'the neighbour is not the shim', CHANGED];
  assert.deepEqual(await node.side.problemsOf(node.key('p0')), inPod);
  node.routeTable = [];
  node.neighbourTable = node.neighbourTable.map((one) => ({ ...one, permanent: false }));
  const onNode = [
    'the node has no route to 192.168.2.20 by lh0',
    "the node's neighbour 192.168.2.20 on lh0 is not the pod",
  ];
  assert.deepEqual(await node.side.problemsOf(node.key('p0')), [...inPod, ...onNode]);
  assert.deepEqual(names((await node.side.checkAll()).pods), ['p0', 'p1']);
});

test('a pod without host access, or without a lease, lacks nothing on the node', async () => {
  const node = await nodeWith(1);
  await node.side.attach(
    node.pod('alone', '192.168.2.90', { hostAccess: false, services: 'off', lastHop: false }),
  );
  node.routeTable = [];
  node.neighbourTable = [];
  node.leases.delete('p0');
  assert.deepEqual((await node.side.checkAll()).pods, []);
});

test('a reload puts all of it back, the last hop included', async () => {
  const node = await nodeWith(1);
  const state = node.podState('p0');
  state.services = [];
  state.lastHopProblem = CHANGED;
  node.routeTable = [];
  assert.equal((await node.side.problemsOf(node.key('p0'))).length, 3);
  await node.side.reapply();
  await node.pass(100);
  assert.deepEqual(await node.side.problemsOf(node.key('p0')), []);
  assert.equal(state.lastHops, 2);
  await node.side.reapply();
  assert.equal(state.lastHops, 2, 'one that is whole stays, with what it has learned');
});

test('a last hop that the kernel cannot have is no problem of the pod', async () => {
  const node = await nodeWith(0);
  const request = node.pod('old', '192.168.2.90');
  const pod = node.podState('old');
  node.lastHopRefused = new SysError('put', 'EOPNOTSUPP');
  await node.side.attach(request);
  assert.equal(pod.lastHops, 0);
  assert.deepEqual(await node.side.problemsOf(node.key('old')), []);
});

test('a look is bounded, goes on where the last one ended, and comes round', async () => {
  const most = PODS_CHECKED_AT_ONCE;
  const node = await nodeWith(most + 10);
  for (const state of node.pods.values()) state.lastHopProblem = CHANGED;
  const first = await node.side.checkAll(most * 2);
  assert.deepEqual([first.looked, first.pods.length], [most, most]);
  assert.deepEqual(names((await node.side.checkAll(20)).pods).slice(9, 12), [`p${most + 9}`, 'p0', 'p1']);
  assert.deepEqual(names((await node.side.checkAll(1)).pods), ['p10']);
  const [one, other] = [node.side.checkAll(), node.side.checkAll()];
  assert.equal(await one, await other, 'who asks meanwhile shares the answer');
});

test('a pod that goes is nobody who lacks something', async () => {
  const node = await nodeWith(2);
  node.pods.delete('/run/netns/p0');
  assert.deepEqual(await node.side.checkAll(), { looked: 1, pods: [] });
  assert.match((await node.side.problemsOf(node.key('p0'))).join(' '), /ENOENT/);
});
