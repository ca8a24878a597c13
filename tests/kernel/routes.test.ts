import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ipv6 } from '../../src/base/ipv6.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import { IFA_F_NODAD } from '../../src/wire/netlink/address.ts';
import {
  RTN_BLACKHOLE,
  RTN_UNICAST,
  RTPROT_BOOT,
  RTPROT_DHCP,
  RTPROT_KERNEL,
  type NewRoute,
  type Route,
} from '../../src/wire/netlink/route.ts';
import { RT_SCOPE_LINK, RT_SCOPE_UNIVERSE } from '../../src/wire/netlink/rtnetlink.ts';
import { asRoot, makePair, Sandbox } from './support/sandbox.ts';

const BIG_TABLE = 100_000;

async function withAddresses(sandbox: Sandbox): Promise<{ rtnl: Rtnl; index: number }> {
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const { index } = leftLink;
  await leftRtnl.addresses.add({ index, cidr: cidr('10.9.0.2/24') });
  await leftRtnl.addresses.add({ index, cidr: cidr('fd00::2/64'), flags: IFA_F_NODAD });
  return { rtnl: leftRtnl, index };
}

async function added(rtnl: Rtnl, route: NewRoute, family: 4 | 6): Promise<Route | undefined> {
  await rtnl.routes.add(route);
  return (await rtnl.routes.list(family, route.table)).find((r) => r.protocol !== RTPROT_KERNEL);
}

test('a default route with all that it may have comes out as it went in', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const wanted = {
    dst: cidr('0.0.0.0/0'),
    gateway: ipv4('10.9.0.1'),
    index,
    metric: 100,
    prefsrc: ipv4('10.9.0.2'),
    protocol: RTPROT_DHCP,
    mtu: 1400,
    advmss: 1360,
  };
  assert.deepEqual(await added(rtnl, wanted, 4), {
    ...wanted,
    family: 4,
    table: 254,
    scope: RT_SCOPE_UNIVERSE,
    type: RTN_UNICAST,
    onlink: false,
  });
  const [seen] = sandbox.ip('left', 'route', 'show', 'default');
  assert.equal(seen?.['gateway'], '10.9.0.1');
  assert.equal(seen?.['protocol'], 'dhcp');
  assert.equal(seen?.['metric'], 100);
});

test('a gateway that no address reaches needs onlink', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const route = { dst: cidr('10.43.0.0/16'), gateway: ipv4('169.254.1.1'), index };
  await assert.rejects(rtnl.routes.add(route), {
    code: 'ENETUNREACH',
    detail: 'Nexthop has invalid gateway',
  });
  assert.equal((await added(rtnl, { ...route, onlink: true }, 4))?.onlink, true);
});

test('without a gateway the scope is the link, and host bits are cleared', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const route = await added(rtnl, { dst: cidr('10.7.0.9/24'), index }, 4);
  assert.deepEqual(route?.dst, cidr('10.7.0.0/24'));
  assert.equal(route?.scope, RT_SCOPE_LINK);
  assert.equal(route?.gateway, undefined);
});

test('tables over 255 and types without a link', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const dst = cidr('10.7.0.0/24');
  const far = await added(rtnl, { dst, gateway: ipv4('10.9.0.1'), index, table: BIG_TABLE }, 4);
  assert.equal(far?.table, BIG_TABLE);
  const hole = await added(rtnl, { dst, type: RTN_BLACKHOLE, table: 200 }, 4);
  assert.equal(hole?.type, RTN_BLACKHOLE);
  assert.equal(hole?.index, undefined);
  assert.deepEqual(await rtnl.routes.list(4, 4711), []);
  assert.equal((await rtnl.routes.list(4)).length, 1);
});

test('IPv6 routes', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const wanted = { dst: cidr('::/0'), gateway: ipv6('fd00::1'), index, metric: 50 };
  assert.deepEqual(await added(rtnl, wanted, 6), {
    ...wanted,
    family: 6,
    table: 254,
    scope: RT_SCOPE_UNIVERSE,
    protocol: RTPROT_BOOT,
    type: RTN_UNICAST,
    onlink: false,
  });
  await rtnl.routes.delete({ dst: wanted.dst, index });
  assert.equal(
    (await rtnl.routes.list(6)).find((route) => route.dst.prefix === 0),
    undefined,
  );
});

test('an IPv4 route by an IPv6 router', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const route = await added(rtnl, { dst: cidr('10.7.0.0/24'), gateway: ipv6('fd00::1'), index }, 4);
  assert.equal(route?.gateway, 'fd00::1');
});

test('the ways of a multipath route are read', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const ways = [
    'nexthop',
    'via',
    '10.9.0.3',
    'weight',
    '2',
    'nexthop',
    'via',
    '10.9.0.4',
    'dev',
    'v0',
    'onlink',
  ];
  const namespace = sandbox.path('left');
  execFileSync('nsenter', [`--net=${namespace}`, 'ip', 'route', 'add', '10.7.0.0/24', ...ways]);
  const route = (await rtnl.routes.list(4)).find((r) => r.nexthops !== undefined);
  assert.deepEqual(route?.nexthops, [
    { index, gateway: '10.9.0.3', weight: 2, onlink: false },
    { index, gateway: '10.9.0.4', weight: 1, onlink: true },
  ]);
  assert.equal(route?.index, undefined);
});

test('adding twice is EEXIST, replacing changes the gateway, deleting twice is ESRCH', asRoot, async () => {
  await using sandbox = new Sandbox('route');
  const { rtnl, index } = await withAddresses(sandbox);
  const route = { dst: cidr('0.0.0.0/0'), gateway: ipv4('10.9.0.1'), index };
  await rtnl.routes.add(route);
  await assert.rejects(rtnl.routes.add(route), { code: 'EEXIST' });
  await rtnl.routes.replace({ ...route, gateway: ipv4('10.9.0.5') });
  const defaults = (await rtnl.routes.list(4)).filter((r) => r.dst.prefix === 0);
  assert.deepEqual(
    defaults.map((r) => r.gateway),
    ['10.9.0.5'],
  );
  await assert.rejects(rtnl.routes.delete(route), { code: 'ESRCH' });
  await rtnl.routes.delete({ dst: route.dst });
  await assert.rejects(rtnl.routes.delete({ dst: route.dst }), { code: 'ESRCH' });
});
