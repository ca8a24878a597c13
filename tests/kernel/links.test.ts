import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ifnameProblem } from '../../src/base/ifname.ts';
import { mac } from '../../src/base/mac.ts';
import { newLinkRequest } from '../../src/wire/netlink/link-requests.ts';
import { asRoot, linkOf, makePair, Sandbox, until } from './support/sandbox.ts';

test('makes a macvlan in another namespace with name, MAC, MTU and mode in one message', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const pod = sandbox.namespace('pod');
  await leftRtnl.links.addMacvlan({
    name: 'eth0',
    masterIndex: leftLink.index,
    netnsFd: pod.fd,
    mac: mac('02:00:00:00:00:07'),
    mtu: 1400,
    mode: 'bridge',
    bcQueueLen: 2000,
    up: true,
  });
  const podRtnl = sandbox.rtnl(pod);
  await until('the carrier is there', async () => (await linkOf(podRtnl, 'eth0')).running);
  const link = await linkOf(podRtnl, 'eth0');
  assert.deepEqual(await podRtnl.links.get(link.index), link);
  const { index, linkNetnsId, ...rest } = link;
  assert.deepEqual(rest, {
    name: 'eth0',
    mac: '02:00:00:00:00:07',
    mtu: 1400,
    up: true,
    running: true,
    lowerUp: true,
    operState: 'up',
    kind: 'macvlan',
    macvlanMode: 'bridge',
    bcQueueLen: 2000,
    masterIndex: leftLink.index,
  });
  const [seen] = sandbox.ip('pod', 'link', 'show', 'eth0');
  assert.equal(seen?.['ifindex'], index);
  assert.equal(seen?.['mtu'], 1400);
  assert.equal(seen?.['address'], '02:00:00:00:00:07');
  assert.equal(seen?.['link_netnsid'], linkNetnsId);
});

test('knows every macvlan mode', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  for (const mode of ['private', 'vepa', 'bridge', 'passthru', 'source'] as const) {
    await leftRtnl.links.addMacvlan({ name: 'm0', masterIndex: leftLink.index, mode, up: false });
    const link = await linkOf(leftRtnl, 'm0');
    assert.equal(link.macvlanMode, mode);
    assert.equal(link.up, false);
    await leftRtnl.links.delete(link.index);
  }
});

test(
  'a link that the kernel refuses is an error with its name, and nothing is left behind',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('links');
    const { leftRtnl, leftLink } = await makePair(sandbox);
    const pod = sandbox.namespace('pod');
    const good = {
      name: 'eth0',
      masterIndex: leftLink.index,
      netnsFd: pod.fd,
      mode: 'bridge',
      up: true,
    } as const;
    const add = (change: object): Promise<void> => leftRtnl.links.addMacvlan({ ...good, ...change });
    await assert.rejects(add({ mtu: 9000 }), { code: 'EINVAL', op: 'RTM_NEWLINK eth0' });
    await assert.rejects(add({ masterIndex: 4711 }), { code: 'ENODEV' });
    await assert.rejects(add({ mac: mac('01:00:00:00:00:01') }), { code: 'EADDRNOTAVAIL' });
    await assert.rejects(add({ netnsFd: 9999 }), { code: 'EBADF' });
    await assert.rejects(leftRtnl.links.set({ index: leftLink.index, name: 'a-name-too-long-for-it' }), {
      code: 'ERANGE',
      detail: 'Attribute failed policy validation',
    });
    const podRtnl = sandbox.rtnl(pod);
    assert.deepEqual(
      (await podRtnl.links.list()).map((link) => link.name),
      ['lo'],
    );
    await add({});
    await assert.rejects(add({}), { code: 'EEXIST' });
  },
);

test('changes state, MTU, MAC and name, and nothing else', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const { rightRtnl, rightLink } = await makePair(sandbox);
  const { index } = rightLink;
  await rightRtnl.links.set({ index, up: false });
  await rightRtnl.links.set({ index, mtu: 1300, mac: mac('02:00:00:00:00:09'), name: 'lan' });
  const link = await linkOf(rightRtnl, 'lan');
  assert.equal(link.up, false);
  assert.equal(link.mtu, 1300);
  assert.equal(link.mac, '02:00:00:00:00:09');
  await rightRtnl.links.set({ index, up: true });
  assert.equal((await linkOf(rightRtnl, 'lan')).mtu, 1300);
  await assert.rejects(rightRtnl.links.set({ index, mtu: 1 }), { code: 'EINVAL', detail: /mtu/ });
});

test('a bridge gets its ports', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const { rightRtnl, rightLink } = await makePair(sandbox);
  await rightRtnl.links.add({ name: 'br0', kind: 'bridge', up: true });
  const bridge = await linkOf(rightRtnl, 'br0');
  await rightRtnl.links.set({ index: rightLink.index, controllerIndex: bridge.index });
  assert.equal((await linkOf(rightRtnl, 'v1')).controllerIndex, bridge.index);
});

test('what is not there: undefined when asked for, ENODEV when deleted', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  assert.equal(await leftRtnl.links.get('nowhere'), undefined);
  assert.equal(await leftRtnl.links.get(4711), undefined);
  await leftRtnl.links.delete(leftLink.index);
  assert.equal(await leftRtnl.links.get(leftLink.index), undefined);
  await assert.rejects(leftRtnl.links.delete(leftLink.index), { code: 'ENODEV' });
});

test('of a name that is allowed the kernel makes just that one, and of no other', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const rtnl = sandbox.rtnl(sandbox.namespace('pod'));
  const names = ['a', 'abcdefghijklmno', '...', 'é', 'a*?', 'abcdefghijklmnop', '..', 'a/b', 'a:1', 'a b'];
  for (const name of [...names, 'à', 'eth%d', 'a%', 'a%%d']) {
    const [refused] = await rtnl.batch([newLinkRequest({ name, kind: 'bridge' })]);
    const made = (await rtnl.links.list()).filter((link) => link.name !== 'lo');
    const isAsAsked = refused === undefined && made.length === 1 && made[0]?.name === name;
    assert.equal(ifnameProblem(name) === undefined, isAsAsked, `${name}: ${made[0]?.name ?? refused?.code}`);
    for (const { index } of made) await rtnl.links.delete(index);
    if (isAsAsked) continue;
    await assert.rejects(rtnl.links.add({ name, kind: 'bridge' }), { code: 'EINVAL' });
    assert.equal((await rtnl.links.list()).length, 1, `nothing is made of ${name}`);
  }
});

test('alternative names, short and long, are found and told', asRoot, async () => {
  await using sandbox = new Sandbox('links');
  const rtnl = sandbox.rtnl(sandbox.namespace('pod'));
  await rtnl.links.add({ name: 'br0', kind: 'bridge' });
  const names = ['short', 'averyveryverylongname0', 'x'.repeat(127)];
  for (const name of names) sandbox.ip('pod', 'link', 'property', 'add', 'dev', 'br0', 'altname', name);
  for (const name of ['br0', ...names]) assert.equal((await rtnl.links.get(name))?.name, 'br0', name);
  const [, listed] = await rtnl.links.list();
  assert.deepEqual(new Set(listed?.altNames), new Set(names));
  assert.equal(await rtnl.links.get('averyveryverylongname1'), undefined);
  assert.equal(await rtnl.links.get('x'.repeat(128)), undefined);
  assert.equal((await rtnl.links.list())[0]?.altNames, undefined);
});
