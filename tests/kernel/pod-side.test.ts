import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Cidr } from '../../src/base/cidr.ts';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { openPodSide } from '../../src/kernel/pod-side.ts';
import type { Rtnl } from '../../src/kernel/rtnl.ts';
import type { PodSidePort } from '../../src/node/host/ports.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const SHIM_MAC = mac('02:00:00:00:00:51');
const OTHER_MAC = mac('02:00:00:00:00:52');
const NEXT_HOP = '169.254.1.1';

type Pod = {
  readonly side: PodSidePort;
  readonly netns: NetNs;
  readonly rtnl: Rtnl;
  readonly index: number;
  /** iproute2 inside, for what others do. */
  readonly ip: (...args: readonly string[]) => void;
};

function net(address: string, prefix: number): Cidr<Ipv4> {
  return { address: ipv4(address), prefix };
}

const SERVICES = net('10.43.0.0', 16);
const MORE = net('10.44.0.0', 16);

/** The pod is "left", with the interface v0 and the address 10.9.0.77/24. */
async function makePod(sandbox: Sandbox): Promise<Pod> {
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  const path = sandbox.path('left');
  await leftRtnl.addresses.add({ index: leftLink.index, cidr: net('10.9.0.77', 24) });
  const ip = (...args: readonly string[]): void => {
    execFileSync('nsenter', [`--net=${path}`, 'ip', ...args]);
  };
  return { side: openPodSide(path), netns: left, rtnl: leftRtnl, index: leftLink.index, ip };
}

/** All routes but the kernel's, as iproute2 has them. */
function routes(sandbox: Sandbox): readonly string[] {
  return sandbox
    .ip('left', 'route', 'show')
    .filter((route) => route['protocol'] !== 'kernel')
    .map(({ dst, gateway, dev, protocol, flags }) =>
      [dst, gateway ?? '-', dev, protocol, flags].map(String).join(' '),
    );
}

function neighbours(sandbox: Sandbox): readonly string[] {
  return sandbox
    .ip('left', 'neigh', 'show', 'dev', 'v0')
    .map(({ dst, lladdr, state }) => [dst, lladdr ?? '-', state].map(String).join(' '));
}

test('service networks are routed by a neighbour that is never asked for', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, netns, index } = await makePod(sandbox);
  assert.equal(side.inode, netns.inode);
  assert.equal(side.peek('v0')?.index, index);
  assert.equal(side.peek('none'), undefined);
  for (let time = 0; time < 2; time++) {
    await side.setServices(index, [SERVICES, net('10.44.3.9', 16)], SHIM_MAC);
    assert.deepEqual(routes(sandbox), [
      `10.43.0.0/16 ${NEXT_HOP} v0 76 onlink`,
      `10.44.0.0/16 ${NEXT_HOP} v0 76 onlink`,
    ]);
    assert.deepEqual(neighbours(sandbox), [`${NEXT_HOP} ${SHIM_MAC} PERMANENT`]);
  }
  side.close();
});

test('other networks, another shim: what was goes, and none leaves nothing', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, index } = await makePod(sandbox);
  await side.setServices(index, [SERVICES], SHIM_MAC);
  await side.setServices(index, [MORE, net('10.45.0.1', 32)], OTHER_MAC);
  assert.deepEqual(routes(sandbox), [
    `10.44.0.0/16 ${NEXT_HOP} v0 76 onlink`,
    `10.45.0.1 ${NEXT_HOP} v0 76 onlink`,
  ]);
  assert.deepEqual(neighbours(sandbox), [`${NEXT_HOP} ${OTHER_MAC} PERMANENT`]);
  for (let time = 0; time < 2; time++) {
    await side.setServices(index, [], OTHER_MAC);
    assert.deepEqual([routes(sandbox), neighbours(sandbox)], [[], []]);
  }
  side.close();
});

test('routes of others stay, and those of another interface', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, rtnl, index, ip } = await makePod(sandbox);
  await rtnl.links.add({ name: 'w0', kind: 'veth', up: true, peer: { name: 'w1' } });
  const second = (await linkOf(rtnl, 'w0')).index;
  ip('route', 'add', 'default', 'via', '10.9.0.1');
  ip('route', 'add', '10.50.0.0/16', 'via', '10.9.0.1', 'proto', 'static');
  ip('route', 'add', '10.51.0.0/16', 'dev', 'v0', 'proto', '76', 'metric', '7');
  await side.setServices(second, [MORE], SHIM_MAC);
  await side.setServices(index, [SERVICES], SHIM_MAC);
  const [lan, fixed] = ['default 10.9.0.1 v0 boot ', '10.50.0.0/16 10.9.0.1 v0 static '];
  const others = [lan, `10.44.0.0/16 ${NEXT_HOP} w0 76 onlink,linkdown`, fixed];
  assert.deepEqual([...routes(sandbox)].sort(), [...others, `10.43.0.0/16 ${NEXT_HOP} v0 76 onlink`].sort());
  await side.setServices(index, [], SHIM_MAC);
  assert.deepEqual([...routes(sandbox)].sort(), [...others].sort());
  side.close();
});

test('what somebody changed is put back', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, index, ip } = await makePod(sandbox);
  await side.setServices(index, [SERVICES], SHIM_MAC);
  ip('route', 'replace', '10.43.0.0/16', 'via', '10.9.0.1');
  ip('neigh', 'replace', NEXT_HOP, 'lladdr', OTHER_MAC, 'dev', 'v0', 'nud', 'stale');
  await side.setServices(index, [SERVICES], SHIM_MAC);
  const whole = [[`10.43.0.0/16 ${NEXT_HOP} v0 76 onlink`], [`${NEXT_HOP} ${SHIM_MAC} PERMANENT`]];
  assert.deepEqual([routes(sandbox), neighbours(sandbox)], whole);
  // One that was put before ours.
  ip('route', 'prepend', '10.43.0.0/16', 'via', '10.9.0.1');
  await side.setServices(index, [SERVICES], SHIM_MAC);
  assert.deepEqual([routes(sandbox), neighbours(sandbox)], whole);
  ip('link', 'set', 'v0', 'down');
  ip('link', 'set', 'v0', 'up');
  assert.deepEqual([routes(sandbox), neighbours(sandbox)], [[], []]);
  await side.setServices(index, [SERVICES], SHIM_MAC);
  assert.deepEqual([routes(sandbox), neighbours(sandbox)].flat().length, 2);
  side.close();
});

test('the last hop is a table of the interface, there and gone', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, index } = await makePod(sandbox);
  const tables = (): string =>
    execFileSync('nsenter', [`--net=${sandbox.path('left')}`, 'nft', 'list', 'tables'], { encoding: 'utf8' });
  for (let time = 0; time < 2; time++) {
    await side.setLastHop(index, 'v0');
    assert.match(tables(), /^table netdev \S+\n$/);
  }
  for (let time = 0; time < 2; time++) {
    await side.removeLastHop('v0');
    assert.equal(tables(), '');
  }
  side.close();
});

test('what cannot be is an error', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, index, ip } = await makePod(sandbox);
  await assert.rejects(side.setServices(4711, [SERVICES], SHIM_MAC), { name: 'SysError', code: 'ENODEV' });
  // To be rid of it where there is no such interface is no error.
  await side.setServices(4711, [], SHIM_MAC);
  ip('link', 'set', 'v0', 'down');
  await assert.rejects(side.setServices(index, [SERVICES, MORE], SHIM_MAC), { code: 'ENETDOWN' });
  side.close();
  assert.throws(() => openPodSide(sandbox.path('none')), { code: 'ENOENT' });
  assert.throws(() => openPodSide('/proc/self/ns/mnt'), { code: 'ENOTNS' });
});

test('it leaves no descriptor', asRoot, async () => {
  await using sandbox = new Sandbox('podside');
  const { side, index } = await makePod(sandbox);
  side.close();
  const before = openFds();
  for (let time = 0; time < 5; time++) {
    const again = openPodSide(sandbox.path('left'));
    await again.setServices(index, [SERVICES], SHIM_MAC);
    again.close();
  }
  await until('all are closed', () => openFds() === before);
});
