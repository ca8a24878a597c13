import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkNames } from '../../../src/node/host/link-names.ts';
import type { HostLink } from '../../../src/node/host/ports.ts';
import { FakeNode } from './fake-node.ts';

/** A node and its names; `asked` are those that the kernel was asked about since the last time. */
function namesOf(node: FakeNode): { readonly names: LinkNames; readonly asked: () => readonly string[] } {
  const log: string[] = [];
  const kernel = Object.assign(Object.create(node) as FakeNode, {
    peek: (name: string): HostLink | undefined => {
      log.push(name);
      return node.peek(name);
    },
  });
  const names = new LinkNames({ kernel, hearNow: () => node.heard });
  return { names, asked: () => log.splice(0) };
}

const LINK = { kind: 'link', up: true, lowerUp: true } as const;

test('the kernel is asked once for a name, and again when it tells of a change of it', () => {
  const node = new FakeNode();
  node.heard = true;
  node.addUplink('eth1', 7);
  const { names, asked } = namesOf(node);
  const index = (): number | undefined => names.find('eth1')?.index;
  assert.equal(index(), 7);
  assert.equal(index(), 7);
  // A macvlan came on it; another interface came and went.
  names.notice({ ...LINK, gone: false, index: 7, name: 'eth1' });
  names.notice({ ...LINK, gone: true, index: 9, name: 'veth9' });
  assert.equal(index(), 7);
  assert.deepEqual(asked(), ['eth1']);
  node.rename(7, 'lan0');
  names.notice({ ...LINK, gone: false, index: 7, name: 'lan0' });
  assert.equal(index(), undefined);
  node.addUplink('eth1', 8);
  assert.equal(index(), 8);
  names.notice({ ...LINK, gone: true, index: 8, name: 'eth1' });
  asked();
  index();
  index();
  names.lost();
  index();
  assert.deepEqual(asked(), ['eth1', 'eth1']);
});

test('while nobody listens, and of a name that is none, the kernel is asked each time', () => {
  const node = new FakeNode();
  const { names, asked } = namesOf(node);
  names.find('eth0');
  names.find('eth0');
  node.heard = true;
  names.find('none');
  names.find('none');
  assert.deepEqual(asked(), ['eth0', 'eth0', 'none', 'none']);
});
