import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ipv4, ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import type { AttachRequest } from '../../../src/node/host/host-side.ts';
import { FakeNode, NODE, UPLINK } from './fake-node.ts';
import { fakePodSide } from './fake-pod.ts';

const ROUTER = ipv4('192.168.2.1');
const STATIC = ipv4('192.168.2.93');
const OTHER_UPLINK = 5;
const OTHER_NODE = ipv4('10.0.0.10');
const OTHER_ROUTER = ipv4('10.0.0.1');
const RTPROT_STATIC = 4;

const LAN = { index: UPLINK, name: 'eth0' };
const OTHER_LAN = { index: OTHER_UPLINK, name: 'eth1' };

async function nodeOnTwoLans(): Promise<FakeNode> {
  const node = new FakeNode();
  node.addUplink('eth1', OTHER_UPLINK);
  node.setAddress(OTHER_NODE, OTHER_UPLINK);
  const defaultRoute = { dst: { address: ipv4('0.0.0.0'), prefix: 0 }, protocol: RTPROT_STATIC };
  node.routeTable.push({ ...defaultRoute, index: UPLINK, gateway: ROUTER });
  node.routeTable.push({ ...defaultRoute, index: OTHER_UPLINK, gateway: OTHER_ROUTER });
  await node.side.learn();
  return node;
}

function holderOf(
  node: FakeNode,
  address: Ipv4,
  lan: typeof LAN | undefined,
  name = 'new',
): string | undefined {
  return node.side.holderOf(address, { key: node.key(name), lan });
}

test("the node's own address and its router's are held, each on its LAN and on no other", async () => {
  const node = await nodeOnTwoLans();
  assert.equal(holderOf(node, NODE, LAN), 'the node itself');
  assert.match(holderOf(node, ROUTER, LAN) ?? '', /^the gateway of the node's route to 0\.0\.0\.0\/0$/);
  assert.equal(holderOf(node, OTHER_NODE, OTHER_LAN), 'the node itself');
  assert.match(holderOf(node, OTHER_ROUTER, OTHER_LAN) ?? '', /^the gateway/);
  for (const address of [NODE, ROUTER]) assert.equal(holderOf(node, address, OTHER_LAN), undefined);
  for (const address of [OTHER_NODE, OTHER_ROUTER]) assert.equal(holderOf(node, address, LAN), undefined);
  assert.equal(holderOf(node, STATIC, LAN), undefined);
  assert.equal(holderOf(node, NODE, undefined), undefined, 'nobody knows which LAN that is');
});

test('the gateway of a route to one network may be a pod of this node, a VPN perhaps: it is held by nobody', async () => {
  const node = await nodeOnTwoLans();
  const dst = { address: ipv4('10.8.0.0'), prefix: 24 };
  node.routeTable.push({ dst, protocol: RTPROT_STATIC, index: UPLINK, gateway: STATIC });
  await node.side.learn();
  assert.equal(holderOf(node, STATIC, LAN), undefined);
});

test('an address of the node on another interface, in the network of this one, is on this LAN too', async () => {
  const node = await nodeOnTwoLans();
  node.setAddress(STATIC, OTHER_UPLINK);
  await node.side.learn();
  assert.equal(holderOf(node, STATIC, LAN), 'the node itself');
});

function begin(node: FakeNode, request: AttachRequest): void {
  const { path } = request.netns;
  node.side.begin(request, 3, fakePodSide(path, node.podState(request.key.containerId)));
}

test('where the node shall reach the pod, all of its addresses are held', async () => {
  const node = await nodeOnTwoLans();
  begin(node, node.pod('led', '192.168.2.94'));
  assert.equal(holderOf(node, OTHER_NODE, LAN, 'led'), 'the node itself');
  begin(node, node.pod('alone', '192.168.2.94', { hostAccess: false }));
  assert.equal(holderOf(node, OTHER_NODE, LAN, 'alone'), undefined);
});

test('an address that another plugin gave a pod is held by it, while it is there, and not against itself', async () => {
  const node = await nodeOnTwoLans();
  const pod = node.pod('static', STATIC, { addresses: [STATIC], mac: mac('de:00:00:00:00:01') });
  await node.side.attach(pod);
  assert.equal(holderOf(node, STATIC, LAN), 'pod static/lan/eth0 of this node');
  assert.equal(holderOf(node, STATIC, OTHER_LAN), undefined);
  assert.equal(holderOf(node, STATIC, LAN, 'static'), undefined);
  node.pods.delete('/run/netns/static');
  assert.equal(holderOf(node, STATIC, LAN), undefined);
});

test('an address that comes to the node while it runs is held a moment later, and free when it goes', async () => {
  const node = await nodeOnTwoLans();
  node.setAddress(STATIC);
  await node.pass(100);
  assert.equal(holderOf(node, STATIC, LAN), 'the node itself');
  node.dropAddress(STATIC);
  await node.pass(100);
  assert.equal(holderOf(node, STATIC, LAN), undefined);
});
