import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { readSight } from '../../src/kernel/link-sight.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox } from './support/sandbox.ts';

const NOWHERE = 4711;
const READS = 100;
const [ONE, TWO, OTHER] = [ipv4('10.9.0.2'), ipv4('10.9.0.3'), ipv4('10.9.0.4')];

test('an interface by index: its name now, and any of its addresses', asRoot, async () => {
  await using sandbox = new Sandbox('sight');
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  const { index, mac } = leftLink;
  await leftRtnl.addresses.add({ index, cidr: cidr('10.9.0.2/24') });
  await leftRtnl.addresses.add({ index, cidr: cidr('10.9.0.3/24') });
  const has = (address: typeof ONE): boolean | undefined => readSight(index, address, left)?.hasAddress;
  assert.deepEqual([has(ONE), has(TWO), has(OTHER), has(ipv4('0.0.0.0'))], [true, true, false, false]);
  await leftRtnl.links.set({ index, name: 'renamed' });
  assert.deepEqual(readSight(index, undefined, left), {
    index,
    name: 'renamed',
    mac,
    mtu: 1500,
    up: true,
    lowerUp: true,
    hasAddress: false,
  });
  // Switched off it keeps its addresses, although the kernel takes them for local no more.
  await leftRtnl.links.set({ index, up: false });
  assert.deepEqual([readSight(index, TWO, left)?.up, has(TWO)], [false, true]);
  await leftRtnl.addresses.delete({ index, cidr: cidr('10.9.0.3/24') });
  assert.equal(has(TWO), false);
  await leftRtnl.links.delete(index);
  assert.equal(readSight(index, ONE, left), undefined);
});

test('an address of another interface is not this one’s, unless both have it', asRoot, async () => {
  await using sandbox = new Sandbox('sight');
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  await leftRtnl.links.add({ name: 'w0', kind: 'veth', up: true, peer: { name: 'w1' } });
  const second = (await linkOf(leftRtnl, 'w0')).index;
  const has = (index: number, address: typeof ONE): boolean | undefined =>
    readSight(index, address, left)?.hasAddress;
  await leftRtnl.addresses.add({ index: leftLink.index, cidr: cidr('10.9.0.2/24') });
  assert.deepEqual([has(leftLink.index, ONE), has(second, ONE), has(1, ONE)], [true, false, false]);
  await leftRtnl.addresses.add({ index: second, cidr: cidr('10.9.0.3/24') });
  await leftRtnl.addresses.add({ index: second, cidr: cidr('10.9.0.2/24') });
  assert.deepEqual([has(leftLink.index, ONE), has(second, ONE), has(1, ONE)], [true, true, false]);
  assert.deepEqual([has(leftLink.index, TWO), has(second, TWO)], [false, true]);
});

test('none is there: undefined, and no descriptor is left', asRoot, async () => {
  await using sandbox = new Sandbox('sight');
  const netns = sandbox.namespace('a');
  assert.equal(readSight(1, ONE, netns)?.name, 'lo');
  const before = openFds();
  for (let i = 0; i < READS; i++) {
    for (const index of [NOWHERE, 0, -1]) assert.equal(readSight(index, ONE, netns), undefined);
  }
  assert.equal(openFds(), before);
  assert.equal(readSight(1, undefined, undefined)?.name, 'lo');
});
