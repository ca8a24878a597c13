import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cidr, formatCidr } from '../../src/base/cidr.ts';
import { IPV4_ANY, IPV4_BROADCAST, ipv4 } from '../../src/base/ipv4.ts';
import { ipv6 } from '../../src/base/ipv6.ts';
import { BROADCAST_MAC, mac } from '../../src/base/mac.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const NOWHERE = 4711;
const CYCLES = 20;
const DEFAULT = cidr('0.0.0.0/0');
const DEFAULT6 = cidr('::/0');

/** A pod with two interfaces that are up, "v0" (its peer in another namespace) and "w0" (its peer beside it). */
type Site = {
  readonly pod: PodNetwork;
  readonly netns: NetNs;
  readonly rtnl: Rtnl;
  readonly first: number;
  readonly second: number;
};

async function makeSite(sandbox: Sandbox): Promise<Site> {
  const { left, leftRtnl, rightRtnl, leftLink } = await makePair(sandbox);
  await leftRtnl.links.add({ name: 'w0', kind: 'veth', up: true, peer: { name: 'w1' } });
  await leftRtnl.links.set({ index: (await linkOf(leftRtnl, 'w1')).index, up: true });
  const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
  const second = (await linkOf(leftRtnl, 'w0')).index;
  return { pod, netns: left, rtnl: leftRtnl, first: leftLink.index, second };
}

function ipv6Network(net: string): Parameters<PodNetwork['configure']>[1] {
  const gateway = ipv6(`${net}::1`);
  return { addresses: [cidr(`${net}::2/64`)], routes: [{ dst: DEFAULT6, gateway }] };
}

/** As "default via 10.9.0.1 dev v0 onlink", in the kernel's order. */
function routes(sandbox: Sandbox, ...selector: readonly string[]): readonly string[] {
  return sandbox.ip('left', ...selector).map(({ dst, gateway, dev, flags }) => {
    const words = [dst, ...(gateway === undefined ? [] : ['via', gateway]), 'dev', dev];
    return [...words, ...(Array.isArray(flags) ? flags : [])].join(' ');
  });
}

function defaultsOf(sandbox: Sandbox): readonly string[] {
  return routes(sandbox, 'route', 'show', 'default');
}

describe('addresses', () => {
  test('an address is set once and removed once, and both may be asked for twice', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first } = await makeSite(sandbox);
    const address = cidr('10.9.0.2/24');
    assert.equal(await pod.ensureAddress(first, address), true);
    assert.equal(await pod.ensureAddress(first, address), false);
    assert.deepEqual((await pod.addresses(first)).map(formatCidr).includes('10.9.0.2/24'), true);
    await pod.removeAddress(first, address);
    await pod.removeAddress(first, address);
    assert.deepEqual(sandbox.ip('left', '-4', 'addr', 'show', 'v0'), []);
    await assert.rejects(pod.ensureAddress(NOWHERE, address), { name: 'SysError', code: 'ENODEV' });
    await pod.removeAddress(NOWHERE, address);
    pod.close();
  });

  test('the broadcast address is the last of the network, where there is one', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first, second, rtnl } = await makeSite(sandbox);
    await pod.ensureAddress(second, cidr('10.8.0.1/32'));
    for (const text of ['10.9.1.2/22', '10.9.8.2/30', '10.9.9.2/31', '128.0.0.1/1']) {
      await pod.ensureAddress(first, cidr(text));
    }
    const all = [...(await rtnl.addresses.list(first)), ...(await rtnl.addresses.list(second))];
    const v4 = all.filter(({ cidr: { address } }) => address.includes('.'));
    assert.deepEqual(v4.map((found) => `${formatCidr(found.cidr)} ${found.broadcast}`).toSorted(), [
      '10.8.0.1/32 undefined',
      '10.9.1.2/22 10.9.3.255',
      '10.9.8.2/30 10.9.8.3',
      '10.9.9.2/31 undefined',
      '128.0.0.1/1 255.255.255.255',
    ]);
    pod.close();
  });
});

describe('configure', () => {
  test('all at once, and the same again changes nothing', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first, netns, rtnl } = await makeSite(sandbox);
    const wanted = {
      mtu: 1400,
      announce: (await linkOf(rtnl, 'v0')).mac,
      addresses: [cidr('10.9.0.2/24')],
      routes: [
        { dst: DEFAULT, gateway: ipv4('10.9.0.1') },
        { dst: cidr('10.7.0.0/16'), gateway: ipv4('10.9.0.3'), metric: 50 },
        { dst: cidr('10.6.0.0/16') },
      ],
    };
    await pod.configure(first, wanted);
    assert.equal((await linkOf(rtnl, 'v0')).mtu, 1400);
    assert.equal(readSysctl(netns, ['ipv4', 'conf', 'v0', 'arp_notify']), '1');
    const before = sandbox.ip('left', 'route', 'show');
    assert.deepEqual(routes(sandbox, 'route', 'show').toSorted(), [
      '10.6.0.0/16 dev v0',
      '10.7.0.0/16 via 10.9.0.3 dev v0',
      '10.9.0.0/24 dev v0',
      'default via 10.9.0.1 dev v0',
    ]);
    await pod.configure(first, wanted);
    assert.deepEqual(sandbox.ip('left', 'route', 'show'), before);
    const seen = await pod.routes(first);
    const ten = seen.find(({ dst }) => formatCidr(dst) === '10.7.0.0/16');
    assert.deepEqual(ten, { dst: cidr('10.7.0.0/16'), gateway: '10.9.0.3', scope: 'global', metric: 50 });
    assert.equal(seen.find(({ dst }) => formatCidr(dst) === '10.6.0.0/16')?.scope, 'link');
    pod.close();
  });

  test('a gateway outside the subnet is on the link', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first } = await makeSite(sandbox);
    await pod.configure(first, {
      addresses: [cidr('10.9.0.2/32')],
      routes: [{ dst: DEFAULT, gateway: ipv4('169.254.1.1') }],
    });
    await pod.configure(first, {
      addresses: [cidr('10.9.1.2/24')],
      routes: [{ dst: cidr('10.7.0.0/16'), gateway: ipv4('10.9.1.1') }],
    });
    assert.deepEqual(routes(sandbox, 'route', 'show').toSorted(), [
      '10.7.0.0/16 via 10.9.1.1 dev v0',
      '10.9.1.0/24 dev v0',
      'default via 169.254.1.1 dev v0 onlink',
    ]);
    pod.close();
  });

  test('another gateway replaces the route of this interface', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first } = await makeSite(sandbox);
    const addresses = [cidr('10.9.0.2/24')];
    await pod.configure(first, { addresses, routes: [{ dst: DEFAULT, gateway: ipv4('10.9.0.1') }] });
    await pod.configure(first, { addresses, routes: [{ dst: DEFAULT, gateway: ipv4('10.9.0.9') }] });
    assert.deepEqual(defaultsOf(sandbox), ['default via 10.9.0.9 dev v0']);
    pod.close();
  });

  test("the second network's default route comes after the first's", asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first, second } = await makeSite(sandbox);
    const one = { addresses: [cidr('10.9.0.2/24')], routes: [{ dst: DEFAULT, gateway: ipv4('10.9.0.1') }] };
    const two = { addresses: [cidr('10.8.0.2/24')], routes: [{ dst: DEFAULT, gateway: ipv4('10.8.0.1') }] };
    const both = ['default via 10.9.0.1 dev v0', 'default via 10.8.0.1 dev w0'];
    await pod.configure(first, one);
    await pod.configure(second, two);
    assert.deepEqual(defaultsOf(sandbox), both);
    await pod.configure(second, two);
    assert.deepEqual(defaultsOf(sandbox), both);
    assert.deepEqual(
      (await pod.defaultRoutes()).map(({ index, gateway }) => [index, gateway]),
      [
        [first, '10.9.0.1'],
        [second, '10.8.0.1'],
      ],
    );
    pod.close();
  });

  test(
    'two IPv6 default routes are one in the kernel, and each interface shows its own',
    asRoot,
    async () => {
      await using sandbox = new Sandbox('pod');
      const { pod, first, second } = await makeSite(sandbox);
      await pod.configure(first, ipv6Network('fd00:1'));
      await pod.configure(second, ipv6Network('fd00:2'));
      const defaultOf = async (index: number): Promise<unknown> =>
        (await pod.routes(index)).filter(({ dst }) => dst.prefix === 0).map(({ gateway }) => gateway);
      const defaults = async (): Promise<unknown> => [await defaultOf(first), await defaultOf(second)];
      assert.deepEqual(await defaults(), [['fd00:1::1'], ['fd00:2::1']]);
      assert.deepEqual(
        (await pod.defaultRoutes()).map(({ index }) => index),
        [first, second],
      );
      await pod.configure(second, ipv6Network('fd00:2'));
      assert.deepEqual(await defaults(), [['fd00:1::1'], ['fd00:2::1']]);
      const route = (await pod.routes(second)).find(({ dst }) => dst.prefix === 0);
      assert.ok(route !== undefined);
      await pod.deleteRoute(second, route);
      await pod.deleteRoute(second, route);
      assert.deepEqual(await defaults(), [['fd00:1::1'], []]);
      pod.close();
    },
  );

  test('an IPv6 address switches IPv6 on, an IPv4 address does not', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first, netns } = await makeSite(sandbox);
    const disabled = (ifname: string): string => readSysctl(netns, ['ipv6', 'conf', ifname, 'disable_ipv6']);
    writeSysctl(netns, ['ipv6', 'conf', 'all', 'disable_ipv6'], '1');
    await pod.configure(first, { addresses: [cidr('10.9.0.2/24')], routes: [] });
    assert.deepEqual([disabled('lo'), disabled('v0')], ['1', '1']);
    const announced = (ifname: string): string => readSysctl(netns, ['ipv6', 'conf', ifname, 'ndisc_notify']);
    assert.equal(announced('v0'), '0');
    await pod.configure(first, { addresses: [cidr('fd00::2/64')], routes: [] });
    assert.deepEqual([disabled('lo'), disabled('v0'), disabled('w0')], ['0', '0', '1']);
    assert.deepEqual([announced('v0'), announced('w0')], ['1', '0']);
    assert.ok((await pod.addresses(first)).map(formatCidr).includes('fd00::2/64'));
    pod.close();
  });

  test('what the kernel refuses is named; nothing asked is nothing done', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, first } = await makeSite(sandbox);
    const addresses = [cidr('10.9.0.2/24')];
    await assert.rejects(pod.configure(NOWHERE, { addresses, routes: [] }), { code: 'ENODEV' });
    await assert.rejects(pod.configure(NOWHERE, { addresses: [cidr('fd00::2/64')], routes: [] }), {
      code: 'ENODEV',
    });
    await assert.rejects(pod.configure(first, { addresses: [], routes: [], mtu: 1 }), { code: 'EINVAL' });
    const foreign = { addresses, routes: [{ dst: cidr('10.7.0.0/16'), gateway: ipv4('224.0.0.1') }] };
    await assert.rejects(pod.configure(first, foreign), { op: 'RTM_NEWROUTE 10.7.0.0/16', code: 'EINVAL' });
    await pod.configure(NOWHERE, { addresses: [], routes: [] });
    pod.close();
  });
});

describe('the namespace', () => {
  test('a path that is none is refused as NetNs says', async () => {
    const host = {} as Rtnl;
    assert.throws(() => PodNetwork.open('/lh-nowhere/net', host), { code: 'ENOENT' });
    assert.throws(() => PodNetwork.open('/dev/null', host), { code: 'ENOTNS' });
  });

  test('links are looked at, sent from, and gone without an error', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, netns, second } = await makeSite(sandbox);
    assert.equal(pod.inode, netns.inode);
    assert.equal(pod.peek('w0')?.index, (await pod.link('w0'))?.index);
    assert.deepEqual([pod.peek('none'), await pod.link('none')], [undefined, undefined]);
    assert.equal((await pod.linkByIndex(second))?.name, 'w0');
    const peer = pod.peek('w1');
    assert.ok(peer);
    await using server = pod.openFrames(peer.index);
    const heard = Promise.withResolvers<string>();
    server.onFrame((frame) => {
      const datagram = parseUdp4Frame(frame, { checksumReady: true });
      if (datagram.ok) heard.resolve(`${datagram.value.src}:${datagram.value.srcPort}`);
    });
    await using client = pod.openFrames(second);
    const ports = { srcPort: 68, dstPort: 68, src: IPV4_ANY, dst: IPV4_BROADCAST };
    const macs = { srcMac: mac('02:00:5e:10:00:01'), dstMac: BROADCAST_MAC };
    assert.equal(client.send(emitUdp4Frame({ ...ports, ...macs, payload: new Uint8Array(1) })), undefined);
    assert.equal(await heard.promise, '0.0.0.0:68');
    await pod.deleteLink(second);
    await pod.deleteLink(second);
    assert.equal(pod.peek('w0'), undefined);
    pod.close();
  });

  test('opened and closed again and again, used or not, it leaves no descriptor', asRoot, async () => {
    await using sandbox = new Sandbox('pod');
    const { pod, rtnl, first } = await makeSite(sandbox);
    pod.close();
    pod.close();
    const before = openFds();
    for (let i = 0; i < CYCLES; i++) {
      const again = PodNetwork.open(sandbox.path('left'), rtnl);
      if (i % 2 === 0) await again.addresses(first);
      // What is under way when it is closed ends all the same.
      const underWay = i % 4 === 0 ? again.link('v0') : undefined;
      again.close();
      await underWay;
    }
    await until('no descriptor is left', () => openFds() <= before);
  });
});
