import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { seconds } from '../../src/base/time.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.ts';
import { asRoot, linkOf, makePair, type Pair, Sandbox } from './support/sandbox.ts';

const DEFAULT = cidr('0.0.0.0/0');
const NOWHERE = 4711;
const ROUTER = ipv4('10.9.0.1');
const SERVER = `require('node:net').createServer((socket) => socket.pipe(socket))
  .listen(7000, '${ROUTER}', () => process.stdout.write('ready'));`;
/** Says its own address, then carries its input there and back. */
const CLIENT = `const socket = require('node:net').connect(7000, '${ROUTER}', () => {
  process.stdout.write(socket.localAddress);
  process.stdin.pipe(socket).pipe(process.stdout);
});`;

type Site = Pair & { readonly pod: PodNetwork; readonly index: number };

async function makeSite(sandbox: Sandbox): Promise<Site> {
  const pair = await makePair(sandbox);
  const pod = PodNetwork.open(sandbox.path('left'), pair.rightRtnl);
  return { ...pair, pod, index: pair.leftLink.index };
}

function routes(sandbox: Sandbox): readonly string[] {
  return sandbox
    .ip('left', '-4', 'route', 'show')
    .map(({ dst, gateway, prefsrc, metric }) =>
      [dst, gateway ?? '-', prefsrc ?? '-', ...(metric === undefined ? [] : [metric])].join(' '),
    )
    .toSorted();
}

function addresses(sandbox: Sandbox): readonly string[] {
  return sandbox
    .ip('left', '-4', 'addr', 'show', 'v0')
    .flatMap(({ addr_info: list }) => list as readonly Record<string, unknown>[])
    .map(({ local, prefixlen }) => `${String(local)}/${String(prefixlen)}`)
    .toSorted();
}

function network(address: string, gateway = ROUTER): Parameters<PodNetwork['configure']>[1] {
  return { addresses: [cidr(address)], routes: [{ dst: DEFAULT, gateway }] };
}

describe('a lease that changes', () => {
  test('another address of the same network: the new one and its routes stay', asRoot, async () => {
    await using sandbox = new Sandbox('reconf');
    const { pod, index, left } = await makeSite(sandbox);
    writeSysctl(left, ['ipv4', 'conf', 'all', 'promote_secondaries'], '0');
    writeSysctl(left, ['ipv4', 'conf', 'v0', 'promote_secondaries'], '0');
    await pod.configure(index, network('10.9.0.2/24'));
    await pod.ensureAddress(index, cidr('10.9.0.50/24'));
    await pod.configure(index, { ...network('10.9.0.3/24'), removeAddresses: [cidr('10.9.0.2/24')] });
    assert.deepEqual(addresses(sandbox), ['10.9.0.3/24', '10.9.0.50/24']);
    assert.deepEqual(routes(sandbox), ['10.9.0.0/24 - 10.9.0.50', 'default 10.9.0.1 -']);
    assert.equal(readSysctl(left, ['ipv4', 'conf', 'v0', 'promote_secondaries']), '1');
    pod.close();
  });

  test('an address that is taken away leaves the others of its network', asRoot, async () => {
    await using sandbox = new Sandbox('reconf');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, network('10.9.0.2/24'));
    await pod.ensureAddress(index, cidr('10.9.0.50/24'));
    await pod.removeAddress(index, cidr('10.9.0.2/24'));
    assert.deepEqual(addresses(sandbox), ['10.9.0.50/24']);
    pod.close();
  });

  test('another prefix keeps a connection alive', asRoot, async () => {
    await using sandbox = new Sandbox('reconf');
    const { pod, index, rightRtnl, rightLink } = await makeSite(sandbox);
    await rightRtnl.addresses.add({ index: rightLink.index, cidr: cidr('10.9.0.1/23') });
    await pod.configure(index, network('10.9.0.2/24'));
    const server = runIn(sandbox.path('right'), SERVER);
    const children = [server];
    try {
      assert.equal(await nextOutput(server), 'ready');
      const client = runIn(sandbox.path('left'), CLIENT);
      children.push(client);
      assert.equal(await nextOutput(client), '10.9.0.2');
      assert.equal(await echo(client, 'before'), 'before');
      await pod.configure(index, { ...network('10.9.0.2/23'), removeAddresses: [cidr('10.9.0.2/24')] });
      assert.deepEqual(addresses(sandbox), ['10.9.0.2/23']);
      assert.deepEqual(routes(sandbox), ['10.9.0.0/23 - 10.9.0.2', 'default 10.9.0.1 -']);
      assert.equal(await echo(client, 'after'), 'after');
    } finally {
      const ends = children.map((child) => once(child, 'close'));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(ends);
      pod.close();
    }
  });

  test('old routes go, and just those', asRoot, async () => {
    await using sandbox = new Sandbox('reconf');
    const { pod, index } = await makeSite(sandbox);
    const old = [
      { dst: DEFAULT, gateway: ROUTER },
      { dst: cidr('10.7.0.0/16'), gateway: ipv4('10.9.0.4') },
      { dst: cidr('10.6.0.0/16') },
      // The kernel's own, which goes with the address alone.
      { dst: cidr('10.9.0.0/24') },
    ];
    await pod.configure(index, { addresses: [cidr('10.9.0.2/24')], routes: old });
    // Somebody else's, which the kernel would take for a match of a route without a metric, or without a gateway.
    await pod.addRoute(index, { dst: DEFAULT, gateway: ROUTER, metric: 700 });
    await pod.deleteRoute(index, { dst: cidr('10.6.0.0/16'), scope: 'link' });
    await pod.addRoute(index, { dst: cidr('10.6.0.0/16'), gateway: ipv4('10.9.0.9') });
    const change = {
      ...network('10.9.0.2/24', ipv4('10.9.0.5')),
      removeRoutes: old,
      removeAddresses: [cidr('10.9.0.2/24'), cidr('10.9.0.77/24')],
    };
    for (let twice = 0; twice < 2; twice++) {
      await pod.configure(index, change);
      assert.deepEqual(routes(sandbox), [
        '10.6.0.0/16 10.9.0.9 -',
        '10.9.0.0/24 - 10.9.0.2',
        'default 10.9.0.1 - 700',
        'default 10.9.0.5 -',
      ]);
      // What is wanted is not removed, even if it is named among the old.
      assert.deepEqual(addresses(sandbox), ['10.9.0.2/24']);
    }
    pod.close();
  });

  test('a route that is refused does not keep what has to go, and is told', asRoot, async () => {
    await using sandbox = new Sandbox('reconf');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, network('10.9.0.2/24'));
    const bad = { ...network('10.8.0.2/24', ipv4('224.0.0.1')), removeAddresses: [cidr('10.9.0.2/24')] };
    await assert.rejects(pod.configure(index, bad), { code: 'EINVAL' });
    assert.deepEqual(addresses(sandbox), ['10.8.0.2/24']);
    const nothing = { addresses: [], routes: [], removeAddresses: [cidr('10.9.0.2/24')] };
    await pod.configure(NOWHERE, { ...nothing, removeRoutes: [{ dst: DEFAULT, gateway: ROUTER }] });
    pod.close();
  });
});

test('an MTU beyond the parent’s becomes the parent’s', asRoot, async () => {
  await using sandbox = new Sandbox('reconf');
  const { pod, left, leftRtnl, leftLink } = await makeSite(sandbox);
  await leftRtnl.links.addMacvlan({ name: 'm0', masterIndex: leftLink.index, mode: 'bridge', up: true });
  const { index, mac } = await linkOf(leftRtnl, 'm0');
  const wanted = network('10.9.0.2/24');
  await pod.configure(index, { ...wanted, mtu: 1400 });
  assert.equal(pod.sight(index, undefined)?.mtu, 1400);
  await pod.configure(index, { ...wanted, mtu: 1500 });
  assert.equal(pod.sight(index, undefined)?.mtu, 1500);
  await pod.configure(index, { ...wanted, mtu: 1400 });
  await pod.configure(index, { ...wanted, mtu: 9000, announce: mac });
  assert.deepEqual(
    [pod.sight(index, ipv4('10.9.0.2'))?.mtu, pod.sight(index, ipv4('10.9.0.2'))?.hasAddress],
    [1500, true],
  );
  assert.equal(readSysctl(left, ['ipv4', 'conf', 'm0', 'arp_notify']), '1');
  // Too small is no matter of the parent.
  await assert.rejects(pod.configure(index, { ...wanted, mtu: 1 }), { code: 'EINVAL' });
  pod.close();
});

function runIn(path: string, script: string): ChildProcess {
  const command = ['netns', 'exec', basename(path), process.execPath, '-e', script];
  return spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function nextOutput(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout !== null);
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];
  return bytes.toString();
}

async function echo(child: ChildProcess, text: string): Promise<string> {
  const answer = nextOutput(child);
  child.stdin?.write(text);
  return answer;
}

describe('the address of a lease', () => {
  const LEASED = cidr('10.9.0.3/24');
  const change = { addresses: [LEASED], routes: [], leased: true };

  test('is told apart from those of others, with what is left of it', asRoot, async () => {
    await using sandbox = new Sandbox('leased');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, { addresses: [cidr('10.9.0.50/24')], routes: [], validFor: seconds(900) });
    await pod.ensureAddress(index, cidr('10.9.0.51/24'));
    assert.deepEqual(await pod.leasedAddresses(index), []);
    await pod.configure(index, { ...change, validFor: seconds(600) });
    const [first, ...others] = await pod.leasedAddresses(index);
    assert.deepEqual([first?.address, others], [LEASED, []]);
    const left = first?.validFor ?? 0;
    assert.ok(left > seconds(300) && left <= seconds(600), `${left} ms are never more than there are`);
    await pod.configure(index, { ...change, validFor: undefined });
    assert.deepEqual(await pod.leasedAddresses(index), [{ address: LEASED, validFor: undefined }]);
    pod.close();
  });

  test(
    "that somebody else had put there is the lease's once it is prolonged, and gone when it goes",
    asRoot,
    async () => {
      await using sandbox = new Sandbox('leased');
      const { pod, index } = await makeSite(sandbox);
      await pod.ensureAddress(index, LEASED);
      await pod.configure(index, { ...change, validFor: seconds(600) });
      assert.equal((await pod.leasedAddresses(index)).length, 1);
      await pod.removeAddress(index, LEASED);
      assert.deepEqual(await pod.leasedAddresses(index), []);
      pod.close();
    },
  );
});
