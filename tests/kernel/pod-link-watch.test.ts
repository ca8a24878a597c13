import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PodLinkNotice, watchPodLinks } from '../../src/kernel/pod-link-watch.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

type Watch = {
  readonly notices: PodLinkNotice[];
  lost: number;
  readonly [Symbol.dispose]: () => void;
};

function watch(netns: NetNs, mostPerSecond?: number): Watch {
  const notices: PodLinkNotice[] = [];
  const { close } = watchPodLinks(
    {
      onChange: (notice) => notices.push(notice),
      onLost: () => {
        seen.lost++;
      },
    },
    { netns, ...(mostPerSecond === undefined ? {} : { mostPerSecond }) },
  );
  const seen: Watch = { notices, lost: 0, [Symbol.dispose]: close };
  return seen;
}

test('links of a namespace that was given an id: down, up, gone; of others nothing', asRoot, async () => {
  await using sandbox = new Sandbox('podlink');
  const { left, right, leftRtnl, rightRtnl, rightLink } = await makePair(sandbox);
  const stranger = sandbox.namespace('stranger');
  const strangerRtnl = sandbox.rtnl(stranger);
  // A peer in another namespace has given that one an id already; a second time is no error.
  await leftRtnl.nameNamespace(right);
  await leftRtnl.nameNamespace(right);
  const { index, mac } = rightLink;
  using seen = watch(left);
  const last = (): PodLinkNotice | undefined => seen.notices.findLast((notice) => notice.mac === mac);
  await strangerRtnl.links.set({ index: 1, up: true });
  await rightRtnl.links.set({ index, up: false });
  await until('it is down', () => last()?.up === false);
  assert.deepEqual(last(), { index, mac, up: false, removed: false });
  await rightRtnl.links.set({ index, up: true });
  await until('it is up', () => last()?.up === true);
  await rightRtnl.links.delete(index);
  await until('it is gone', () => last()?.removed === true);
  const zero = '00:00:00:00:00:00';
  assert.ok(!seen.notices.some((notice) => notice.mac === zero), 'lo of a namespace without an id');
  await leftRtnl.nameNamespace(stranger);
  await strangerRtnl.links.set({ index: 1, up: false });
  await until('the stranger is known now', () => seen.notices.some((notice) => notice.mac === zero));
  assert.equal(seen.lost, 0);
});

test('a pod that changes its link all the time is heard so often, and then not', asRoot, async () => {
  await using sandbox = new Sandbox('podlink');
  const netns = sandbox.namespace('a');
  const rtnl = sandbox.rtnl(netns);
  const before = openFds();
  {
    using seen = watch(netns, 20);
    for (let i = 0; i < 100; i++) await rtnl.links.set({ index: 1, mtu: 1400 + (i % 2) });
    await until('it counts as lost', () => seen.lost > 0);
    const heard = seen.notices.length;
    assert.ok(heard >= 20 && heard < 100, `${heard} notices`);
    await rtnl.links.set({ index: 1, mtu: 1300 });
    await until('it hears again', () => seen.notices.length > heard);
  }
  assert.deepEqual(openFds(), before);
  assert.equal((await linkOf(rtnl, 'lo')).mtu, 1300);
});
