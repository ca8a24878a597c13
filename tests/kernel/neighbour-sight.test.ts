import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { readNeighbour } from '../../src/kernel/neighbour-sight.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox } from './support/sandbox.ts';

const HOP = ipv4('10.9.0.1');
const HOP_TEXT = '02:00:5e:00:00:01';
const ELSEWHERE = '02:00:5e:00:00:02';

test('where the kernel takes an address to be, in whatever state that knowledge is', asRoot, async () => {
  await using sandbox = new Sandbox('neigh');
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  await leftRtnl.links.add({ name: 'w0', kind: 'veth', up: true, peer: { name: 'w1' } });
  const second = (await linkOf(leftRtnl, 'w0')).index;
  const look = (index = leftLink.index): string | undefined => readNeighbour(left, index, HOP);
  const neigh = (state: string, address = HOP_TEXT, device = 'v0'): void => {
    sandbox.ip('left', 'neigh', 'replace', HOP, 'lladdr', address, 'dev', device, 'nud', state);
  };
  assert.equal(look(), undefined);
  for (const state of ['reachable', 'stale', 'delay', 'permanent']) {
    neigh(state);
    assert.equal(look(), mac(HOP_TEXT), state);
  }
  // The same address behind another interface is another machine.
  neigh('stale', ELSEWHERE, 'w0');
  assert.deepEqual([look(), look(second)], [HOP_TEXT, ELSEWHERE]);
  sandbox.ip('left', 'neigh', 'del', HOP, 'dev', 'v0');
  assert.deepEqual([look(), look(second)], [undefined, ELSEWHERE]);
  // An address that begins alike.
  assert.equal(readNeighbour(left, second, ipv4('10.9.0.11')), undefined);
  await leftRtnl.links.set({ index: second, name: 'renamed' });
  assert.equal(look(second), ELSEWHERE);
  await leftRtnl.links.delete(second);
  assert.equal(look(second), undefined);
});

test('an address that nobody answers for is known to be nowhere; no descriptor is left', asRoot, async () => {
  await using sandbox = new Sandbox('neigh');
  const { left, leftLink } = await makePair(sandbox);
  sandbox.ip('left', 'neigh', 'add', HOP, 'dev', 'v0', 'nud', 'incomplete');
  const before = openFds();
  for (let i = 0; i < 100; i++) assert.equal(readNeighbour(left, leftLink.index, HOP), undefined);
  assert.deepEqual(openFds(), before);
});
