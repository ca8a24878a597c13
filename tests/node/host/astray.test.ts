import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { FakeNode, UPLINK } from './fake-node.ts';

test('a pod that the node looked for on the uplink before it came is not waited for there any more', async () => {
  const node = new FakeNode();
  const addresses = Array.from({ length: 40 }, (_, at) => ipv4(`192.168.2.${60 + at}`));
  for (const address of [...addresses, ipv4('192.168.2.200')]) {
    node.neighbourTable.push({ index: UPLINK, address, permanent: false });
  }
  let readings = 0;
  const neighbours = node.neighbours.bind(node);
  node.neighbours = (index) => {
    if (index === UPLINK) readings += 1;
    return neighbours(index);
  };
  await Promise.all(addresses.map((address) => node.side.attach(node.pod(address, address))));
  await node.pass(100);
  const left = node.neighbourTable.filter(({ index }) => index === UPLINK).map(({ address }) => address);
  assert.deepEqual(left, ['192.168.2.200']);
  // The first alone, and those that come meanwhile together.
  assert.equal(readings, 1);
});
