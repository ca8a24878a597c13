import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test, type TestContext } from 'node:test';
import { type Cidr, cidr } from '../../src/base/cidr.ts';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { NODE_DUMP_LIMIT, POD_DUMP_LIMIT } from '../../src/kernel/netlink-dump.ts';
import { NetlinkSocket } from '../../src/kernel/netlink-socket.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { RTPROT_LEASEHOLD } from '../../src/kernel/own-routes.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { openPodSide } from '../../src/kernel/pod-side.ts';
import { Rtnl } from '../../src/kernel/rtnl.ts';
import { listRoutesRequest } from '../../src/wire/netlink/route-requests.ts';
import { RT_TABLE_MAIN, RTN_UNICAST } from '../../src/wire/netlink/route.ts';
import { asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const SHIM_MAC = mac('02:00:00:00:00:51');
const SERVICES: Cidr<Ipv4> = { address: ipv4('10.43.0.0'), prefix: 16 };
const ROUTES = 20_000;
const ADDRESSES = 5000;
const NEIGHBOURS = 5000;
const TOO_MANY = { name: 'SysError', code: 'E2BIG' };

type Pod = {
  readonly path: string;
  readonly netns: NetNs;
  readonly rtnl: Rtnl;
  readonly host: Rtnl;
  readonly index: number;
  readonly run: (input: string, ...command: readonly string[]) => string;
};

/** The pod is "left", with the interface v0. Whoever runs in it may do there what `run` does. */
async function makePod(sandbox: Sandbox): Promise<Pod> {
  const { left, leftRtnl, rightRtnl, leftLink } = await makePair(sandbox);
  const path = sandbox.path('left');
  const { index } = leftLink;
  await leftRtnl.addresses.add({ index, cidr: cidr('10.9.0.77/24') });
  const run = (input: string, ...command: readonly string[]): string =>
    execFileSync('nsenter', [`--net=${path}`, ...command], { input, encoding: 'utf8' });
  return { path, netns: left, rtnl: leftRtnl, host: rightRtnl, index, run };
}

/** The i-th of many: 11.0.0.0, 11.0.0.1 and so on. */
function manyth(i: number): string {
  return `11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
}

function batchOf(count: number, line: (address: string) => string): string {
  return Array.from({ length: count }, (_, i) => line(manyth(i))).join('\n');
}

/** Runs `work`, and prints how long the loop stood still at most. */
async function watched<T>(t: TestContext, what: string, work: () => Promise<T>): Promise<T> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const done = await work();
  delay.disable();
  t.diagnostic(`${what}: the loop's longest gap ${(delay.max / 1e6).toFixed(1)} ms`);
  return done;
}

test('a pod with 20,000 routes: its service routes are set and checked all the same', asRoot, async (t) => {
  await using sandbox = new Sandbox('hostile');
  const pod = await makePod(sandbox);
  pod.run(
    batchOf(ROUTES, (address) => `route add ${address}/32 dev v0`),
    'ip',
    '-batch',
    '-',
  );
  const side = openPodSide(pod.path);
  await watched(t, 'setServices', () => side.setServices(pod.index, [SERVICES], SHIM_MAC));
  const show = (): string => pod.run('', 'ip', 'route', 'show', 'proto', `${RTPROT_LEASEHOLD}`);
  assert.match(show(), /^10\.43\.0\.0\/16 via 169\.254\.1\.1 dev v0 onlink\s*$/);
  const look = () => side.serviceProblems(pod.index, [SERVICES], SHIM_MAC);
  assert.deepEqual(await watched(t, 'serviceProblems', look), []);
  pod.run('', 'ip', 'route', 'del', '10.43.0.0/16');
  assert.deepEqual(await look(), ['no route to 10.43.0.0/16 by 169.254.1.1']);
  await side.setServices(pod.index, [SERVICES], SHIM_MAC);
  await side.setServices(pod.index, [], SHIM_MAC);
  assert.equal(show(), '');
  side.close();
});

test(
  'nor do thousands of routes in our name keep the way to the services from being set',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('hostile');
    const pod = await makePod(sandbox);
    pod.run(
      batchOf(ROUTES, (address) => `route add ${address}/32 dev v0 proto ${RTPROT_LEASEHOLD}`),
      'ip',
      '-batch',
      '-',
    );
    const side = openPodSide(pod.path);
    await side.setServices(pod.index, [SERVICES], SHIM_MAC);
    assert.match(pod.run('', 'ip', 'route', 'get', '10.43.0.1'), /via 169\.254\.1\.1 dev v0/);
    await assert.rejects(side.serviceProblems(pod.index, [SERVICES], SHIM_MAC), TOO_MANY);
    side.close();
  },
);

test('the kernel filters: of 20,000 routes only those asked for are told', asRoot, async (t) => {
  await using sandbox = new Sandbox('hostile');
  const pod = await makePod(sandbox);
  pod.run(
    batchOf(ROUTES, (address) => `route add ${address}/32 dev v0`),
    'ip',
    '-batch',
    '-',
  );
  pod.run('', 'ip', 'route', 'add', '10.43.0.0/16', 'dev', 'v0', 'proto', `${RTPROT_LEASEHOLD}`);
  pod.run('', 'ip', 'route', 'add', 'blackhole', '10.44.0.0/16', 'proto', `${RTPROT_LEASEHOLD}`);
  await using socket = NetlinkSocket.open(pod.netns, NODE_DUMP_LIMIT);
  const told = async (filter: object): Promise<number> =>
    (await socket.dump(listRoutesRequest(4, RT_TABLE_MAIN, filter))).length;
  assert.equal(await told({ protocol: RTPROT_LEASEHOLD }), 2);
  assert.equal(await told({ protocol: RTPROT_LEASEHOLD, type: RTN_UNICAST, index: pod.index }), 1);
  // Those, that of the address's network, and the first of ours.
  assert.equal(await told({ index: pod.index }), ROUTES + 2);
  const whole = () => pod.rtnl.routes.list(4);
  assert.equal((await watched(t, 'a whole list, as of a node', whole)).length, ROUTES + 3);
  assert.deepEqual(await pod.rtnl.routes.list(4, RT_TABLE_MAIN, { index: 4711 }), []);
});

test(
  'what is too much is E2BIG, is left at once, and does no harm to the next question',
  asRoot,
  async (t) => {
    await using sandbox = new Sandbox('hostile');
    const pod = await makePod(sandbox);
    pod.run(
      batchOf(ROUTES, (address) => `route add ${address}/32 dev v0`),
      'ip',
      '-batch',
      '-',
    );
    const fds = openFds();
    {
      await using rtnl = Rtnl.open(pod.netns, POD_DUMP_LIMIT);
      const both = [
        rtnl.routes.list(4),
        rtnl.links.list(),
        rtnl.routes.list(4),
        rtnl.addresses.list(pod.index),
      ];
      const [first, links, second, addresses] = await watched(t, 'four lists', () =>
        Promise.allSettled(both),
      );
      for (const refused of [first, second]) {
        assert.equal(refused?.status, 'rejected');
        assert.throws(() => {
          throw refused.reason;
        }, TOO_MANY);
      }
      assert.equal(links?.status === 'fulfilled' && links.value.length, 2);
      assert.equal(addresses?.status, 'fulfilled');
    }
    assert.equal(openFds(), fds);
  },
);

test('closed while a dump that is too much is under way: what waits is refused', asRoot, async () => {
  await using sandbox = new Sandbox('hostile');
  const pod = await makePod(sandbox);
  pod.run(
    batchOf(ROUTES, (address) => `route add ${address}/32 dev v0`),
    'ip',
    '-batch',
    '-',
  );
  const fds = openFds();
  const network = PodNetwork.open(pod.path, pod.host);
  const asked = [network.routes(pod.index), network.links()];
  network.close();
  const codes = (await Promise.allSettled(asked)).map((one) => one.status === 'rejected' && one.reason.code);
  assert.deepEqual(codes, ['E2BIG', 'EBADF']);
  await until('all is closed', () => openFds() === fds);
});

test('a lease changes in a pod with 20,000 routes, and CHECK says what is too much', asRoot, async (t) => {
  await using sandbox = new Sandbox('hostile');
  const pod = await makePod(sandbox);
  pod.run(
    batchOf(ROUTES, (address) => `route add ${address}/32 dev v0`),
    'ip',
    '-batch',
    '-',
  );
  const network = PodNetwork.open(pod.path, pod.host);
  const old = {
    addresses: [cidr('10.9.0.77/24')],
    routes: [{ dst: cidr('0.0.0.0/0'), gateway: ipv4('10.9.0.1') }],
  };
  const next = {
    addresses: [cidr('10.9.0.78/24')],
    routes: [{ dst: cidr('0.0.0.0/0'), gateway: ipv4('10.9.0.2') }],
  };
  await network.configure(pod.index, old);
  await watched(t, 'configure', () =>
    network.configure(pod.index, { ...next, removeAddresses: old.addresses, removeRoutes: old.routes }),
  );
  assert.equal(pod.run('', 'ip', 'route', 'show', 'default'), 'default via 10.9.0.2 dev v0 \n');
  assert.deepEqual(
    await network
      .addresses(pod.index)
      .then((all) => all.map(({ address }) => String(address)).filter((a) => a.startsWith('10.'))),
    ['10.9.0.78'],
  );
  await assert.rejects(network.routes(pod.index), TOO_MANY);
  network.close();
});

test(
  'thousands of addresses and neighbours of a pod are too much too; ours is found among them',
  asRoot,
  async (t) => {
    await using sandbox = new Sandbox('hostile');
    const pod = await makePod(sandbox);
    pod.run(
      [
        batchOf(ADDRESSES, (address) => `addr add ${address}/32 dev v0 noprefixroute`),
        batchOf(
          NEIGHBOURS,
          (address) => `neigh add ${address} lladdr 02:00:00:00:00:01 dev v0 nud permanent`,
        ),
      ].join('\n'),
      'ip',
      '-batch',
      '-',
    );
    await using rtnl = Rtnl.open(pod.netns, POD_DUMP_LIMIT);
    await watched(t, 'addresses', () => assert.rejects(rtnl.addresses.list(pod.index), TOO_MANY));
    await watched(t, 'neighbours', () => assert.rejects(rtnl.neighbours.list(4, pod.index), TOO_MANY));
    const side = openPodSide(pod.path);
    await side.setServices(pod.index, [SERVICES], SHIM_MAC);
    assert.deepEqual(await side.serviceProblems(pod.index, [SERVICES], SHIM_MAC), []);
    assert.equal(
      (await rtnl.neighbours.get({ index: pod.index, address: ipv4('169.254.1.1') }))?.mac,
      SHIM_MAC,
    );
    side.close();
  },
);
