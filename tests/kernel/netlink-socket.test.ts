import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { Rtnl } from '../../src/kernel/rtnl.ts';
import { addAddressRequest } from '../../src/wire/netlink/address.ts';
import { getLinkRequest, setLinkRequest } from '../../src/wire/netlink/link-requests.ts';
import { addRouteRequest } from '../../src/wire/netlink/route-requests.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox } from './support/sandbox.ts';

function numbered(i: number): ReturnType<typeof cidr> {
  return cidr(`10.${100 + (i >> 8)}.${i & 255}.0/24`);
}

test('a batch has one outcome per message, in order, and goes on after a failure', asRoot, async () => {
  await using sandbox = new Sandbox('batch');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const { index } = leftLink;
  const outcomes = await leftRtnl.batch([
    addAddressRequest({ index, cidr: cidr('10.9.0.2/24') }),
    addRouteRequest({ dst: cidr('10.7.0.0/24'), gateway: ipv4('10.8.0.1'), index }),
    addAddressRequest({ index, cidr: cidr('10.9.0.2/24') }),
    addRouteRequest({ dst: cidr('0.0.0.0/0'), gateway: ipv4('10.9.0.1'), index }),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => outcome?.message),
    [
      undefined,
      'RTM_NEWROUTE 10.7.0.0/24: ENETUNREACH (Nexthop has invalid gateway)',
      `RTM_NEWADDR 10.9.0.2/24 #${index}: EEXIST (ipv4: Address already assigned)`,
      undefined,
    ],
  );
  assert.equal((await leftRtnl.routes.list(4)).length, 2);
  assert.deepEqual(await leftRtnl.batch([]), []);
});

test('a table of hundreds of routes is read whole, after a batch that made them', asRoot, async () => {
  await using sandbox = new Sandbox('dump');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const wanted = Array.from({ length: 1300 }, (_, i) => numbered(i));
  const outcomes = await leftRtnl.batch(
    wanted.map((dst) => addRouteRequest({ dst, index: leftLink.index, metric: 7 })),
  );
  assert.equal(outcomes.length, wanted.length);
  assert.ok(outcomes.every((outcome) => outcome === undefined));
  const lists = await Promise.all([leftRtnl.routes.list(4), leftRtnl.routes.list(4)]);
  for (const routes of lists) {
    assert.deepEqual(
      new Set(routes.map((route) => route.dst.address)),
      new Set(wanted.map((w) => w.address)),
    );
  }
});

test('requests at once on one socket get their own answers', asRoot, async () => {
  await using sandbox = new Sandbox('parallel');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const names = Array.from({ length: 40 }, (_, i) => `m${i}`);
  await Promise.all(
    names.map((name) =>
      leftRtnl.links.addMacvlan({ name, masterIndex: leftLink.index, mode: 'bridge', up: false }),
    ),
  );
  const mixed = await Promise.all([
    ...names.map((name) => leftRtnl.links.get(name)),
    leftRtnl.links.get('nowhere'),
    ...names.map((name) => leftRtnl.links.get(name)),
  ]);
  assert.deepEqual(
    mixed.map((link) => link?.name),
    [...names, undefined, ...names],
  );
  const results = await Promise.allSettled([
    ...mixed.slice(0, names.length).map((link) => leftRtnl.links.delete(link?.index ?? 0)),
    leftRtnl.links.delete(4711),
    leftRtnl.links.list(),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    [...names.map(() => 'fulfilled'), 'rejected', 'fulfilled'],
  );
  assert.deepEqual((await leftRtnl.links.list()).map((link) => link.name).toSorted(), ['lo', 'v0']);
});

test('closing waits for what is under way and refuses what comes later', asRoot, async () => {
  await using sandbox = new Sandbox('close');
  const { left, leftLink } = await makePair(sandbox);
  const before = openFds();
  const rtnl = Rtnl.open(left);
  // Side by side on threads: which one is first is the kernel's business, so not the link that goes.
  const early = [rtnl.links.get('lo'), rtnl.links.list(), rtnl.links.delete(leftLink.index)] as const;
  const closed = rtnl.close();
  await assert.rejects(rtnl.links.get('v0'), { code: 'EBADF', detail: 'the netlink socket is closed' });
  const [link, list] = await Promise.all(early);
  assert.equal(link?.name, 'lo');
  assert.ok(list.length >= 1);
  await closed;
  await rtnl.close();
  assert.equal(openFds(), before);
});

test('a message that the kernel does not know is an error with the kernel’s words', asRoot, async () => {
  await using sandbox = new Sandbox('nonsense');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const unknown = { ...getLinkRequest('v0'), type: 4711, op: 'nonsense' };
  const cut = { ...setLinkRequest({ index: leftLink.index }), payload: new Uint8Array(3), op: 'cut' };
  const outcomes = await leftRtnl.batch([unknown, cut]);
  assert.deepEqual(
    outcomes.map((outcome) => outcome?.code),
    ['EOPNOTSUPP', 'EINVAL'],
  );
  assert.equal((await linkOf(leftRtnl, 'v0')).index, leftLink.index);
});
