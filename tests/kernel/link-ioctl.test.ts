import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLink } from '../../src/kernel/link-ioctl.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const LONGEST_NAME = 'abcdefghijklmno';
const READS = 200;

/** Both ways to ask say the same. `lowerUp` is netlink's `running`: the carrier as linkwatch has settled it. */
async function assertAgrees(name: string, netns: NetNs, rtnl: Rtnl): Promise<void> {
  const { index, mac, mtu, up, running } = await linkOf(rtnl, name);
  const expected = { index, name, ...(mac === undefined ? {} : { mac }), mtu, up, lowerUp: running };
  assert.deepEqual(readLink(name, netns), expected);
}

test('a veth: down, up without a carrier, up', asRoot, async () => {
  await using sandbox = new Sandbox('brief');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  await rtnl.links.add({ name: 'v0', kind: 'veth', mtu: 1400, peer: { name: 'v1' } });
  const [near, far] = [await linkOf(rtnl, 'v0'), await linkOf(rtnl, 'v1')];
  await assertAgrees('v0', netns, rtnl);
  assert.equal(readLink('v0', netns)?.mtu, 1400);
  assert.equal(readLink('v0', netns)?.up, false);
  await rtnl.links.set({ index: near.index, up: true });
  assert.deepEqual([readLink('v0', netns)?.up, readLink('v0', netns)?.lowerUp], [true, false]);
  await assertAgrees('v0', netns, rtnl);
  await rtnl.links.set({ index: far.index, up: true });
  await until('the carrier is seen', () => readLink('v0', netns)?.lowerUp === true);
  await assertAgrees('v0', netns, rtnl);
  await rtnl.links.set({ index: far.index, up: false });
  await until('the carrier is seen to be gone', () => readLink('v0', netns)?.lowerUp === false);
});

test('a macvlan, with its own MAC', asRoot, async () => {
  await using sandbox = new Sandbox('brief');
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  const master = leftLink.index;
  await leftRtnl.links.addMacvlan({ name: 'm0', masterIndex: master, mode: 'bridge', up: true });
  await until('the carrier is seen', () => readLink('m0', left)?.lowerUp === true);
  await assertAgrees('m0', left, leftRtnl);
  assert.notEqual(readLink('m0', left)?.mac, leftLink.mac);
});

test('lo has no Ethernet MAC', asRoot, async () => {
  await using sandbox = new Sandbox('brief');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  const down = { index: 1, name: 'lo', mtu: 65_536, up: false, lowerUp: false };
  assert.deepEqual(readLink('lo', netns), down);
  await rtnl.links.set({ index: 1, up: true });
  assert.deepEqual(readLink('lo', netns), { ...down, up: true, lowerUp: true });
});

test('without a namespace it is the own one', () => {
  assert.equal(readLink('lo')?.index, 1);
  assert.equal(readLink('lh-nowhere'), undefined);
});

test('a link is only in its own namespace', asRoot, async () => {
  await using sandbox = new Sandbox('brief');
  const { left, right } = await makePair(sandbox);
  assert.deepEqual([readLink('v0', left)?.name, readLink('v1', left)], ['v0', undefined]);
  assert.deepEqual([readLink('v0', right), readLink('v1', right)?.name], [undefined, 'v1']);
});

test('a name is taken as it is, up to fifteen bytes', asRoot, async () => {
  await using sandbox = new Sandbox('brief');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  const peer = { name: 'v1' };
  await rtnl.links.add({ name: LONGEST_NAME, kind: 'veth', peer });
  await assertAgrees(LONGEST_NAME, netns, rtnl);
  // The ioctls would cut the sixteenth byte off, and what follows a NUL or, for an alias, a colon.
  const others = [`${LONGEST_NAME}p`, 'v1\0', 'v1\0x', 'v1:1', 'v1:', 'é'.repeat(8), '', '..', 'a/b', 'v'];
  for (const name of others) {
    assert.equal(readLink(name, netns), undefined, JSON.stringify(name));
  }
});

test('no descriptor is left, found or not', asRoot, async () => {
  await using sandbox = new Sandbox('brief');
  const netns = sandbox.namespace('a');
  assert.ok(readLink('lo', netns));
  const before = openFds();
  for (let i = 0; i < READS; i++)
    assert.equal(readLink(i % 2 ? 'lo' : 'nowhere', netns)?.index, i % 2 || undefined);
  assert.equal(openFds(), before);
});
