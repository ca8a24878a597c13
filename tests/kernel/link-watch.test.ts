import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeFd, sendto } from '../../src/kernel/ffi.ts';
import { type LinkNotice, watchLinks } from '../../src/kernel/link-watch.ts';
import { netlinkAddress, openNetlink, receive } from '../../src/kernel/netlink-fd.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { setLinkRequest } from '../../src/wire/netlink/link-requests.ts';
import { encodeRequest } from '../../src/wire/netlink/message.ts';
import { asRoot, linkOf, openFds, Sandbox, until } from './support/sandbox.ts';

/** More than a megabyte of notices: the receive buffer holds no more. */
const FLOOD = 3000;
const MTU = 1400;
const KERNEL = netlinkAddress(0);

type Watch = {
  readonly notices: LinkNotice[];
  lost: number;
  readonly [Symbol.dispose]: () => void;
  readonly last: (name: string) => LinkNotice | undefined;
};

function watch(netns: NetNs): Watch {
  const notices: LinkNotice[] = [];
  const { close } = netns.run(() =>
    watchLinks(
      (notice) => notices.push(notice),
      () => {
        seen.lost++;
      },
    ),
  );
  const last = (name: string): LinkNotice | undefined => notices.findLast((notice) => notice.name === name);
  const seen: Watch = { notices, lost: 0, [Symbol.dispose]: close, last };
  return seen;
}

/** Changes the MTU of lo again and again, without a turn of the loop. */
function flood(netns: NetNs, times: number): void {
  const fd = netns.run(openNetlink);
  for (let i = 0; i < times; i++) {
    const bytes = encodeRequest(setLinkRequest({ index: 1, mtu: MTU + (i % 2) }), i);
    assert.equal(sendto(fd, bytes, bytes.length, 0, KERNEL, KERNEL.length), bytes.length);
    receive(fd);
  }
  closeFd(fd);
}

test('a link that comes, changes, is renamed and goes', asRoot, async () => {
  await using sandbox = new Sandbox('watch');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  using seen = watch(netns);
  await rtnl.links.add({ name: 'v0', kind: 'veth', peer: { name: 'v1' } });
  const [v0, v1] = [await linkOf(rtnl, 'v0'), await linkOf(rtnl, 'v1')];
  await until('it came', () => seen.last('v0') !== undefined);
  const { mac, mtu } = v0;
  const down = { index: v0.index, name: 'v0', up: false, lowerUp: false, removed: false, mac, mtu };
  assert.deepEqual(seen.last('v0'), down);
  await rtnl.links.set({ index: v0.index, up: true });
  await until('it is up', () => seen.last('v0')?.up === true);
  await rtnl.links.set({ index: v1.index, up: true });
  await until('it has a carrier', () => seen.last('v0')?.lowerUp === true);
  await rtnl.links.set({ index: v1.index, up: false });
  await until('the carrier is out', () => seen.last('v0')?.lowerUp === false);
  assert.equal(seen.last('v0')?.up, true);
  await rtnl.links.set({ index: v1.index, name: 'w1' });
  await until('it has another name', () => seen.last('w1')?.index === v1.index);
  await rtnl.links.delete(v0.index);
  await until('it went', () => seen.last('v0')?.removed === true);
  assert.equal(seen.lost, 0);
});

test('a link that moves to another namespace is removed, and none of there is told', asRoot, async () => {
  await using sandbox = new Sandbox('watch');
  const [near, far] = [sandbox.namespace('near'), sandbox.namespace('far')];
  const rtnl = sandbox.rtnl(near);
  await rtnl.links.add({ name: 'v0', kind: 'veth', peer: { name: 'v1' } });
  using seen = watch(near);
  await rtnl.links.set({ index: (await linkOf(rtnl, 'v1')).index, netnsFd: far.fd });
  await until('it left', () => seen.last('v1')?.removed === true);
  const farRtnl = sandbox.rtnl(far);
  await farRtnl.links.set({ index: (await linkOf(farRtnl, 'v1')).index, name: 'x1', up: true });
  await rtnl.links.set({ index: (await linkOf(rtnl, 'v0')).index, up: true });
  await until('the other is up', () => seen.last('v0')?.up === true);
  assert.equal(seen.last('x1'), undefined);
});

test('a port that leaves its bridge is not removed', asRoot, async () => {
  await using sandbox = new Sandbox('watch');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  await rtnl.links.add({ name: 'br0', kind: 'bridge', up: true });
  await rtnl.links.add({ name: 'v0', kind: 'veth', up: true, peer: { name: 'v1' } });
  const { index } = await linkOf(rtnl, 'v0');
  using seen = watch(netns);
  await rtnl.links.set({ index, controllerIndex: (await linkOf(rtnl, 'br0')).index });
  await rtnl.links.set({ index, controllerIndex: 0 });
  await rtnl.links.set({ index, name: 'end' });
  await until('all is told', () => seen.last('end') !== undefined);
  assert.ok(seen.notices.length > 2);
  assert.equal(
    seen.notices.some(({ removed }) => removed),
    false,
  );
});

test('an overflow is told, and what comes after it is heard again', asRoot, async () => {
  await using sandbox = new Sandbox('watch');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  await rtnl.links.add({ name: 'v0', kind: 'veth', peer: { name: 'v1' } });
  const { index } = await linkOf(rtnl, 'v0');
  using seen = watch(netns);
  // On the loop, so that the watch cannot read meanwhile.
  flood(netns, FLOOD);
  await until('the loss is told', () => seen.lost > 0);
  const before = seen.notices.length;
  await rtnl.links.set({ index, name: 'again' });
  await until('the next is heard', () => seen.last('again')?.index === index);
  assert.ok(before < FLOOD);
});

test('closed in a call it calls no more, and it leaves no descriptor', asRoot, async () => {
  await using sandbox = new Sandbox('watch');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  using other = watch(netns);
  const before = openFds();
  let calls = 0;
  const { close } = netns.run(() =>
    watchLinks(
      () => {
        calls++;
        close();
        close();
      },
      () => undefined,
    ),
  );
  await rtnl.links.add({ name: 'v0', kind: 'veth', peer: { name: 'v1' } });
  await until(
    'it is told',
    () => calls > 0 && other.last('v0') !== undefined && other.last('v1') !== undefined,
  );
  assert.equal(calls, 1);
  assert.equal(openFds(), before);
});
