import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Cidr } from '../../src/base/cidr.ts';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import { HostSideNetwork } from '../../src/kernel/host-side-network.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import {
  type HostChange,
  type HostKernel,
  type HostLink,
  KNOWN_WAY_MARK,
} from '../../src/node/host/ports.ts';
import { asRoot, makePair, openFds, Sandbox } from './support/sandbox.ts';

const SHIM_MAC = mac('02:00:00:00:00:51');
const POD_MAC = mac('02:00:00:00:00:61');
const [NODE, POD, OTHER] = [ipv4('10.9.0.2'), ipv4('10.9.0.77'), ipv4('10.9.0.78')];
const ALIAS = 'leasehold: shim of v0';

/** A node with the uplink v0 and its address, as the host side sees it. */
type Node = {
  readonly kernel: HostKernel;
  readonly netns: NetNs;
  readonly rtnl: Rtnl;
  readonly uplink: number;
  /** iproute2 inside, for what others do. */
  readonly ip: (...args: readonly string[]) => void;
};

function net(address: Ipv4, prefix: number): Cidr<Ipv4> {
  return { address, prefix };
}

async function makeNode(sandbox: Sandbox): Promise<Node> {
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  await leftRtnl.addresses.add({ index: leftLink.index, cidr: net(NODE, 24) });
  const ip = (...args: readonly string[]): void => {
    execFileSync('nsenter', [`--net=${sandbox.path('left')}`, 'ip', ...args]);
  };
  const kernel = new HostSideNetwork(leftRtnl, left);
  return { kernel, netns: left, rtnl: leftRtnl, uplink: leftLink.index, ip };
}

async function makeShim({ kernel, uplink }: Node, shimMac: Mac = SHIM_MAC, name = 'lh0'): Promise<HostLink> {
  await kernel.createShim({ name, masterIndex: uplink, mac: shimMac, mtu: 1400, alias: ALIAS });
  return await linkNamed(kernel, name);
}

async function linkNamed(kernel: HostKernel, name: string): Promise<HostLink> {
  const link = (await kernel.links()).find((each) => each.name === name);
  assert.ok(link !== undefined, `there is a link ${name}`);
  return link;
}

/** The errors' codes, '' for what is so now. */
async function apply(kernel: HostKernel, ...changes: readonly HostChange[]): Promise<readonly string[]> {
  return (await kernel.apply(changes)).map((error) => error?.code ?? '');
}

test('a shim is born down, with its alias and without IPv6, and is up when it is told', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel, uplink } = node;
  const shim = await makeShim(node);
  const { index } = shim;
  assert.deepEqual(shim, {
    index,
    name: 'lh0',
    mac: SHIM_MAC,
    mtu: 1400,
    up: false,
    lowerUp: false,
    kind: 'macvlan',
    macvlanMode: 'bridge',
    masterIndex: uplink,
    alias: ALIAS,
  });
  const [seen] = sandbox.ip('left', 'link', 'show', 'lh0');
  assert.equal(seen?.['ifalias'], ALIAS);
  assert.equal(kernel.readSysctl({ family: 'ipv6', ifname: 'lh0', key: 'disable_ipv6' }), '1');
  assert.deepEqual(await apply(kernel, { kind: 'set-link', index, up: true }), ['']);
  assert.equal((await linkNamed(kernel, 'lh0')).up, true);
  assert.deepEqual(sandbox.ip('left', '-6', 'addr', 'show', 'dev', 'lh0'), []);
  const peeked = kernel.peek('lh0');
  assert.deepEqual([peeked?.index, peeked?.mac, peeked?.mtu, peeked?.up], [index, SHIM_MAC, 1400, true]);
});

test('a shim that cannot be made is an error, and nothing is left of it', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel, uplink } = node;
  await makeShim(node);
  const spec = { name: 'lh1', masterIndex: uplink, mac: POD_MAC, mtu: 1400, alias: ALIAS };
  await assert.rejects(kernel.createShim({ ...spec, name: 'lh0' }), {
    code: 'EEXIST',
    op: 'RTM_NEWLINK lh0',
  });
  await assert.rejects(kernel.createShim({ ...spec, masterIndex: 4711 }), { code: 'ENODEV' });
  await assert.rejects(kernel.createShim({ ...spec, mtu: 9000 }), { code: 'EINVAL' });
  // IFALIASZ: made, but the alias is refused, so it goes again.
  await assert.rejects(kernel.createShim({ ...spec, alias: 'x'.repeat(256) }), { code: 'ERANGE' });
  assert.equal(kernel.peek('lh1'), undefined);
  // What has the name keeps its alias.
  assert.equal((await linkNamed(kernel, 'lh0')).alias, ALIAS);
});

test('a shim that is deleted twice is gone, no error', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { index } = await makeShim(node);
  await node.kernel.deleteLink(index);
  assert.equal(node.kernel.peek('lh0'), undefined);
  await node.kernel.deleteLink(index);
});

test('every change is made, in order, and made again it is no error', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel, rtnl } = node;
  const { index } = await makeShim(node);
  const changes: readonly HostChange[] = [
    { kind: 'set-link', index, up: true, mtu: 1300, mac: POD_MAC, alias: 'another' },
    { kind: 'add-address', index, address: NODE },
    { kind: 'put-route', index, to: POD, source: NODE },
    { kind: 'put-route', index, to: OTHER, source: undefined },
    { kind: 'put-neighbour', index, address: POD, mac: SHIM_MAC },
  ];
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await apply(kernel, ...changes), ['', '', '', '', '']);
    const { up, mtu, mac: now, alias } = await linkNamed(kernel, 'lh0');
    assert.deepEqual([up, mtu, now, alias], [true, 1300, POD_MAC, 'another']);
    assert.deepEqual(
      (await kernel.addresses()).filter((address) => address.index === index),
      [{ index, cidr: net(NODE, 32), scope: 0, secondary: false }],
    );
    assert.deepEqual(await kernel.routes(index), [
      { dst: net(POD, 32), index, gateway: undefined, source: NODE, protocol: 76 },
      { dst: net(OTHER, 32), index, gateway: undefined, source: undefined, protocol: 76 },
    ]);
    assert.deepEqual(await kernel.neighbours(index), [
      { index, address: POD, mac: SHIM_MAC, permanent: true },
    ]);
  }
  // IFA_F_NOPREFIXROUTE, RT_SCOPE_LINK.
  const [address] = (await rtnl.addresses.list(index)).map(({ flags }) => flags & 0x200);
  assert.equal(address, 0x200);
  const scopes = (await rtnl.routes.list(4))
    .filter((route) => route.index === index)
    .map(({ scope }) => scope);
  assert.deepEqual(scopes, [253, 253]);

  const removals: readonly HostChange[] = [
    { kind: 'remove-neighbour', index, address: POD },
    { kind: 'remove-route', index, to: POD },
    { kind: 'remove-route', index, to: OTHER },
    { kind: 'remove-address', index, cidr: net(NODE, 32) },
    { kind: 'set-link', index, alias: '' },
  ];
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await apply(kernel, ...removals), ['', '', '', '', '']);
    assert.deepEqual(await kernel.routes(index), []);
    assert.deepEqual(await kernel.neighbours(index), []);
    assert.equal(
      (await kernel.addresses()).some((each) => each.index === index),
      false,
    );
    assert.equal((await linkNamed(kernel, 'lh0')).alias, undefined);
  }
});

test('what fails is told one by one, and the rest is made', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel } = node;
  const { index } = await makeShim(node);
  assert.deepEqual(
    await apply(
      kernel,
      // It is down: no route leads there yet.
      { kind: 'put-route', index, to: POD, source: undefined },
      { kind: 'set-link', index, up: true },
      // Nobody's address.
      { kind: 'put-route', index, to: POD, source: OTHER },
      { kind: 'set-link', index, mtu: 9000 },
      { kind: 'set-link', index, mac: mac('01:00:00:00:00:01') },
      { kind: 'put-neighbour', index: 4711, address: POD, mac: POD_MAC },
      { kind: 'add-address', index: 4711, address: NODE },
      { kind: 'add-address', index, address: NODE },
    ),
    ['ENETDOWN', '', 'EINVAL', 'EINVAL', 'EADDRNOTAVAIL', 'ENODEV', 'ENODEV', ''],
  );
  assert.deepEqual(await kernel.apply([]), []);
  // Of a link that is gone nothing is there to be removed.
  await kernel.deleteLink(index);
  assert.deepEqual(
    await apply(
      kernel,
      { kind: 'remove-route', index, to: POD },
      { kind: 'remove-address', index, cidr: net(NODE, 32) },
      { kind: 'remove-neighbour', index, address: POD },
    ),
    ['', '', ''],
  );
});

test('a route of ours takes the place of a stranger’s, also where it lies behind it', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel, uplink, ip } = node;
  const { index } = await makeShim(node);
  await apply(kernel, { kind: 'set-link', index, up: true });
  const put: HostChange = { kind: 'put-route', index, to: POD, source: NODE };
  ip('route', 'add', `${POD}/32`, 'dev', 'v0', 'proto', 'static');
  assert.deepEqual(await apply(kernel, put), ['']);
  assert.equal(
    (await kernel.routes(uplink)).some((route) => route.dst.address === POD),
    false,
  );
  // Before ours: the kernel keeps both, and takes the first.
  ip('route', 'prepend', `${POD}/32`, 'dev', 'v0', 'proto', 'static');
  assert.equal((await kernel.routes(uplink)).filter((route) => route.dst.address === POD).length, 1);
  assert.deepEqual(await apply(kernel, put), ['']);
  assert.equal(
    (await kernel.routes(uplink)).some((route) => route.dst.address === POD),
    false,
  );
  assert.equal((await kernel.routes(index)).length, 1);
  // One with another metric is not in the way, and stays.
  ip('route', 'add', `${POD}/32`, 'dev', 'v0', 'metric', '50');
  assert.deepEqual(await apply(kernel, put, { kind: 'remove-route', index, to: POD }), ['', '']);
  assert.equal((await kernel.routes(uplink)).filter((route) => route.dst.address === POD).length, 1);
  assert.deepEqual(await kernel.routes(index), []);
});

test('a route to be removed is ours: a stranger’s on the shim stays', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel, ip } = node;
  const { index } = await makeShim(node);
  await apply(kernel, { kind: 'set-link', index, up: true });
  ip('route', 'add', `${POD}/32`, 'dev', 'lh0', 'proto', 'static');
  assert.deepEqual(await apply(kernel, { kind: 'remove-route', index, to: POD }), ['']);
  assert.equal((await kernel.routes(index)).length, 1);
});

test('an address with an end, a learned neighbour: ours for good', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel, rtnl, ip } = node;
  const { index } = await makeShim(node);
  await apply(kernel, { kind: 'set-link', index, up: true });
  ip('addr', 'add', `${NODE}/32`, 'dev', 'lh0', 'valid_lft', '600', 'preferred_lft', '600');
  ip('neigh', 'replace', POD, 'lladdr', '02:00:00:00:00:99', 'dev', 'lh0', 'nud', 'stale');
  await apply(
    kernel,
    { kind: 'add-address', index, address: NODE },
    { kind: 'put-neighbour', index, address: POD, mac: POD_MAC },
  );
  const [address] = await rtnl.addresses.list(index);
  assert.deepEqual([address?.validSecs, address?.preferredSecs], [undefined, undefined]);
  assert.deepEqual(await kernel.neighbours(index), [{ index, address: POD, mac: POD_MAC, permanent: true }]);
});

test(
  'the node as it is: secondary addresses, gateways, next hops, other links’ masters',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('side');
    const node = await makeNode(sandbox);
    const { kernel, uplink, ip } = node;
    ip('addr', 'add', '10.9.0.5/24', 'dev', 'v0');
    ip('addr', 'add', 'fd00::5/64', 'dev', 'v0', 'nodad');
    ip('route', 'add', 'default', 'via', '10.9.0.1', 'src', NODE, 'proto', 'dhcp', 'metric', '100');
    const hops = ['nexthop', 'via', '10.9.0.3', 'dev', 'v0', 'nexthop', 'dev', 'lo'];
    ip('link', 'set', 'lo', 'up');
    ip('route', 'add', '10.7.0.0/24', ...hops);
    ip('route', 'add', 'blackhole', '10.6.0.0/24');
    ip('route', 'add', '10.5.0.0/24', 'dev', 'v0', 'table', '100');
    const addresses = (await kernel.addresses()).filter((each) => each.index === uplink);
    assert.deepEqual(addresses, [
      { index: uplink, cidr: net(NODE, 24), scope: 0, secondary: false },
      { index: uplink, cidr: net(ipv4('10.9.0.5'), 24), scope: 0, secondary: true },
    ]);
    assert.deepEqual(await kernel.routes(uplink), [
      { dst: net(ipv4('0.0.0.0'), 0), index: uplink, gateway: '10.9.0.1', source: NODE, protocol: 16 },
      { dst: net(ipv4('10.7.0.0'), 24), index: uplink, gateway: '10.9.0.3', source: undefined, protocol: 3 },
      { dst: net(ipv4('10.9.0.0'), 24), index: uplink, gateway: undefined, source: NODE, protocol: 2 },
    ]);
    // IFLA_LINK of a veth is its other end, in another namespace here.
    assert.equal((await linkNamed(kernel, 'v0')).masterIndex, undefined);
    assert.deepEqual(await kernel.routes(4711), []);
    assert.deepEqual(await kernel.neighbours(4711), []);
    assert.equal(kernel.peek('none'), undefined);
  },
);

test('hundreds of pods in one call', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel } = node;
  const { index } = await makeShim(node);
  await apply(kernel, { kind: 'set-link', index, up: true });
  const pods = Array.from({ length: 500 }, (_, at) =>
    ipv4(`10.${9 + Math.floor(at / 250)}.0.${(at % 250) + 3}`),
  );
  const changes = pods.flatMap((to): readonly HostChange[] => [
    { kind: 'put-route', index, to, source: NODE },
    { kind: 'put-neighbour', index, address: to, mac: POD_MAC },
  ]);
  assert.deepEqual(new Set(await apply(kernel, ...changes)), new Set(['']));
  assert.equal((await kernel.routes(index)).length, pods.length);
  assert.equal((await kernel.neighbours(index)).length, pods.length);
});

test('sysctls of an interface: read, written, and none where there is no such thing', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const { kernel } = await makeNode(sandbox);
  const filter = { family: 'ipv4', ifname: 'v0', key: 'arp_filter' } as const;
  assert.equal(kernel.readSysctl(filter), '0');
  kernel.writeSysctl(filter, '1');
  assert.equal(kernel.readSysctl(filter), '1');
  for (const missing of [
    { ...filter, ifname: 'none' },
    { ...filter, key: 'no_such_key' },
  ]) {
    assert.equal(kernel.readSysctl(missing), undefined);
    kernel.writeSysctl(missing, '1');
  }
  assert.throws(() => kernel.writeSysctl(filter, 'many'), { name: 'SysError', code: 'EINVAL' });
  assert.throws(() => kernel.readSysctl({ ...filter, ifname: '../all' }), { code: 'EINVAL' });
});

test('it leaves no descriptor', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const { kernel } = await makeNode(sandbox);
  await kernel.links();
  const before = openFds();
  for (let time = 0; time < 20; time++) {
    kernel.peek('v0');
    kernel.readSysctl({ family: 'ipv4', ifname: 'v0', key: 'arp_filter' });
    await kernel.links();
  }
  assert.equal(openFds(), before);
});

test('a rule prohibits a network to what comes in by the shim, also while that is away', asRoot, async () => {
  await using sandbox = new Sandbox('side');
  const node = await makeNode(sandbox);
  const { kernel } = node;
  node.ip('rule', 'add', 'iif', 'lh0', 'to', '10.96.0.0/12', 'priority', '105', 'protocol', '4', 'prohibit');
  node.ip('rule', 'add', 'to', '10.97.0.0/16', 'priority', '105', 'prohibit');
  const does = 'prohibit';
  const theirs = { iif: 'lh0', to: net(ipv4('10.96.0.0'), 12), priority: 105, protocol: 4, does };
  assert.deepEqual(await kernel.rules(), [theirs]);
  const name = { iif: 'lh0', to: net(ipv4('10.43.0.0'), 16), priority: 105, does } as const;
  const put: HostChange = { kind: 'put-rule', ...name };
  const way = { ...name, priority: 104, does: 'known-way' } as const;
  assert.deepEqual(await apply(kernel, { kind: 'put-rule', ...way }), ['']);
  assert.deepEqual(await kernel.rules(), [{ ...way, protocol: 76 }, theirs]);
  assert.deepEqual(await apply(kernel, { kind: 'remove-rule', ...way }), ['']);
  const pods = { to: net(ipv4('192.168.2.0'), 24), priority: 103, does: 'host-routes' } as const;
  assert.deepEqual(await apply(kernel, { kind: 'put-rule', ...pods }), ['']);
  assert.deepEqual(await kernel.rules(), [{ ...pods, protocol: 76 }, theirs]);
  assert.deepEqual(await apply(kernel, { kind: 'remove-rule', ...pods }), ['']);
  const marked = { mark: KNOWN_WAY_MARK, to: name.to, priority: 105, does } as const;
  assert.deepEqual(await apply(kernel, { kind: 'put-rule', ...marked }), ['']);
  node.ip('rule', 'add', 'fwmark', '0x4/0xf', 'to', '10.98.0.0/16', 'priority', '105', 'prohibit');
  assert.deepEqual(await kernel.rules(), [theirs, { ...marked, protocol: 76 }]);
  assert.deepEqual(await apply(kernel, { kind: 'remove-rule', ...marked }), ['']);
  assert.deepEqual(await apply(kernel, put, put), ['', '']);
  assert.deepEqual(await kernel.rules(), [theirs, { ...name, protocol: 76 }]);
  const shim = await makeShim(node);
  assert.deepEqual(await apply(kernel, { kind: 'set-link', index: shim.index, up: true }), ['']);
  const [asked] = sandbox.ip('left', 'rule', 'show', 'to', '10.43.0.0/16');
  assert.deepEqual([asked?.['iif'], asked?.['iif_detached']], ['lh0', undefined]);
  // Somebody else's, which is like ours but for its protocol, is not taken for it.
  const remove: HostChange = { kind: 'remove-rule', ...name };
  const notOurs: HostChange = {
    kind: 'remove-rule',
    iif: 'lh0',
    to: theirs.to,
    priority: 105,
    does,
  };
  assert.deepEqual(await apply(kernel, remove, remove, notOurs), ['', '', '']);
  assert.deepEqual(await kernel.rules(), [theirs]);
});
