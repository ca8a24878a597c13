import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { IFA_F_NODAD, IFA_F_NOPREFIXROUTE } from '../../src/wire/netlink/address.ts';
import { RT_SCOPE_LINK } from '../../src/wire/netlink/rtnetlink.ts';
import { asRoot, makePair, Sandbox } from './support/sandbox.ts';

test('an IPv4 address goes in and comes out, and iproute2 sees the same', asRoot, async () => {
  await using sandbox = new Sandbox('addr');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const wanted = {
    index: leftLink.index,
    cidr: cidr('10.9.0.2/24'),
    broadcast: ipv4('10.9.0.255'),
    scope: RT_SCOPE_LINK,
    flags: IFA_F_NOPREFIXROUTE,
    validSecs: 600,
    preferredSecs: 300,
  };
  await leftRtnl.addresses.add(wanted);
  const address = (await leftRtnl.addresses.list(leftLink.index)).find((a) => a.cidr.prefix === 24);
  assert.deepEqual(address, wanted);
  const info = sandbox.ip('left', '-4', 'address', 'show', 'v0')[0]?.['addr_info'];
  assert.ok(Array.isArray(info));
  const { local, prefixlen, broadcast, scope, noprefixroute, valid_life_time } = info[0] as Record<
    string,
    unknown
  >;
  assert.deepEqual(
    [local, prefixlen, broadcast, scope, noprefixroute, valid_life_time],
    ['10.9.0.2', 24, '10.9.0.255', 'link', true, 600],
  );
  assert.deepEqual(await leftRtnl.routes.list(4), []);
});

test('an IPv6 address goes in and comes out', asRoot, async () => {
  await using sandbox = new Sandbox('addr');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  const wanted = { index: leftLink.index, cidr: cidr('fd00::7/64'), flags: IFA_F_NODAD };
  await leftRtnl.addresses.add(wanted);
  const address = (await leftRtnl.addresses.list()).find((a) => a.cidr.address === wanted.cidr.address);
  assert.equal(address?.cidr.prefix, 64);
  assert.equal((address?.flags ?? 0) & IFA_F_NODAD, IFA_F_NODAD);
  assert.equal(address?.validSecs, undefined);
});

test(
  'adding twice is EEXIST, replacing renews the lifetime, deleting twice is EADDRNOTAVAIL',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('addr');
    const { leftRtnl, leftLink } = await makePair(sandbox);
    const address = { index: leftLink.index, cidr: cidr('10.9.0.2/24') };
    await leftRtnl.addresses.add({ ...address, validSecs: 100 });
    await assert.rejects(leftRtnl.addresses.add(address), { code: 'EEXIST', op: /10\.9\.0\.2\/24/ });
    await leftRtnl.addresses.replace({ ...address, validSecs: 1000 });
    const v4 = (await leftRtnl.addresses.list()).filter((a) => a.cidr.address === address.cidr.address);
    assert.deepEqual(
      v4.map((a) => a.validSecs),
      [1000],
    );
    await leftRtnl.addresses.delete(address);
    await assert.rejects(leftRtnl.addresses.delete(address), { code: 'EADDRNOTAVAIL' });
  },
);

test('a link that is not there has no addresses and takes none', asRoot, async () => {
  await using sandbox = new Sandbox('addr');
  const rtnl = sandbox.rtnl(sandbox.namespace('a'));
  assert.deepEqual(await rtnl.addresses.list(4711), []);
  await assert.rejects(rtnl.addresses.add({ index: 4711, cidr: cidr('10.9.0.2/24') }), { code: 'ENODEV' });
});
