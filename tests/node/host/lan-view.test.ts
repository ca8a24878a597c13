import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ipv4, ipv4 } from '../../../src/base/ipv4.ts';
import { NotAdmitted } from '../../../src/node/host/admission.ts';
import { RTPROT_LEASEHOLD } from '../../../src/node/host/ports.ts';
import { FakeNode, UPLINK } from './fake-node.ts';
import { fakePodSide } from './fake-pod.ts';

/** A node whose daemon hears all that the kernel tells, with one pod on it. */
async function listeningNode(): Promise<FakeNode> {
  const node = new FakeNode();
  node.heard = true;
  await node.side.start();
  await node.side.attach(node.pod('first', '192.168.2.50'));
  // An uplink is told of for each macvlan that comes, with nothing new.
  macvlanCame(node);
  await settled(node);
  return node;
}

function macvlanCame(node: FakeNode): void {
  node.tell({ kind: 'link', gone: false, index: UPLINK, name: 'eth0', up: true, lowerUp: true });
}

async function settled(node: FakeNode): Promise<void> {
  // Looks that the shim's own changes brought.
  await node.time.run(100);
}

function hostRoute(address: Ipv4): { address: Ipv4; prefix: number } {
  return { address, prefix: 32 };
}

test('many pods at once: the node’s routes are read for the first of them', async () => {
  const node = await listeningNode();
  await node.side.attach(node.pod('a', '192.168.2.60'));
  const before = node.routeReads;
  for (let at = 61; at < 111; at++) {
    macvlanCame(node);
    await node.side.attach(node.pod(`p${at}`, `192.168.2.${at}`));
  }
  assert.equal(node.routeReads, before);
});

test('what was read a second ago is read anew while the address is asked for', async () => {
  const node = await listeningNode();
  await node.side.attach(node.pod('a', '192.168.2.60'));
  await node.time.run(1500);
  const before = node.routeReads;
  const request = node.pod('b', '192.168.2.61');
  node.side.begin(request, 3, fakePodSide(request.netns.path, node.podState('b')));
  await settled(node);
  assert.equal(node.routeReads, before + 1);
  await node.side.attach(request);
  assert.equal(node.routeReads, before + 1);
  await node.time.run(2500);
  await node.side.attach(node.pod('c', '192.168.2.62'));
  assert.equal(node.routeReads, before + 2);
});

test('a change that the kernel tells of, or may have told of, is seen by the next pod', async () => {
  const node = await listeningNode();
  const address = ipv4('192.168.2.77');
  const foreign = { dst: hostRoute(address), index: 9, protocol: 4 };
  const refused = (): Promise<void> =>
    assert.rejects(node.side.attach(node.pod('late', address)), NotAdmitted);
  const admitted = async (): Promise<void> => {
    await node.side.attach(node.pod('late', address));
    await node.side.detach(node.key('late'));
  };
  await admitted();
  node.routeTable.push(foreign);
  node.tell({ kind: 'route', gone: false, ...foreign });
  await refused();
  // The kernel takes routes with their link, in silence.
  node.routeTable.splice(node.routeTable.indexOf(foreign), 1);
  node.tell({ kind: 'link', gone: true, index: 9, name: 'x9', up: false, lowerUp: false });
  await admitted();
  const dead = { dst: hostRoute(address), index: 0, protocol: 4 };
  node.routeTable.push(dead);
  node.tell({ kind: 'dead-end', gone: false, index: 0, dst: dead.dst });
  await refused();
  node.routeTable.splice(node.routeTable.indexOf(dead), 1);
  node.side.noticesLost();
  await admitted();
  node.setAddress(address, 9);
  await refused();
  node.dropAddress(address, 9);
  await admitted();
});

test('while nobody listens, each pod is judged by what is read for it', async () => {
  const node = await listeningNode();
  await node.side.attach(node.pod('a', '192.168.2.60'));
  node.heard = false;
  const before = node.routeReads;
  await node.side.attach(node.pod('b', '192.168.2.61'));
  await node.side.attach(node.pod('c', '192.168.2.62'));
  assert.equal(node.routeReads, before + 2);
});

test('a route in our name that has a gateway counts: a pod does not become the router', async () => {
  const node = await listeningNode();
  const gateway = ipv4('192.168.2.78');
  const route = { dst: { address: ipv4('10.8.0.0'), prefix: 16 }, index: UPLINK, gateway };
  node.routeTable.push({ ...route, protocol: RTPROT_LEASEHOLD });
  node.tell({ kind: 'route', gone: false, ...route, protocol: RTPROT_LEASEHOLD });
  await assert.rejects(node.side.attach(node.pod('router', gateway)), NotAdmitted);
});
