import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Cidr } from '../../src/base/cidr.ts';
import { ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { GUARD_NETWORKS_MAX, HostGuard, readGuardCounters, type GuardSpec } from '../../src/kernel/guard.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { asRoot, linkOf, Sandbox, until } from './support/sandbox.ts';

const SERVICE = '10.43.0.1';

function net(text: string): Cidr<Ipv4> {
  const [address = '', prefix] = text.split('/');
  return { address: ipv4(address), prefix: Number(prefix) };
}

const SPEC: GuardSpec = { networks: [net('10.43.0.0/16')], uplinks: ['eth0'], shims: ['lh0'] };

const NOTHING = { refuse: 0n, forward: 0n, output: 0n, egress: 0n, confine: 0n };

type Node = { readonly netns: NetNs; readonly run: (...command: string[]) => string };

/** A node with an uplink to nowhere, a default route and a shim. */
async function makeNode(sandbox: Sandbox): Promise<Node> {
  const netns = sandbox.namespace('node');
  const run = (...command: string[]): string =>
    execFileSync('nsenter', [`--net=${sandbox.path('node')}`, ...command], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const rtnl = sandbox.rtnl(netns);
  await rtnl.links.add({ name: 'eth0', kind: 'veth', up: true, peer: { name: 'lan' } });
  await rtnl.links.set({ index: (await linkOf(rtnl, 'lan')).index, up: true });
  run('ip', 'link', 'add', 'lh0', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
  run('ip', 'link', 'set', 'lh0', 'up');
  // An ICMP error to the node itself comes by it.
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'addr', 'add', '192.168.5.2/24', 'dev', 'eth0');
  run('ip', 'route', 'add', 'default', 'via', '192.168.5.1', 'dev', 'eth0');
  run('ip', 'neigh', 'add', '192.168.5.1', 'lladdr', '02:00:00:00:00:01', 'dev', 'eth0', 'nud', 'permanent');
  return { netns, run };
}

function connects(node: Node, address: string): string {
  try {
    return node.run(
      'bash',
      '--norc',
      '-c',
      `exec 2>&1; timeout 4 bash --norc -c 'echo > /dev/tcp/${address}/443'`,
    );
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
}

test('what the node sends to a service network by the uplink is refused and counted', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  assert.equal(await guard.isIntact(), false);
  assert.deepEqual(await readGuardCounters(node.netns), NOTHING);
  await guard.put(SPEC);
  assert.equal(guard.egress, 'guarded');
  assert.equal(await guard.isIntact(), true);
  assert.match(connects(node, SERVICE), /Connection refused/);
  assert.ok((await guard.counters()).output > 0n);
  assert.deepEqual(await readGuardCounters(node.netns), await guard.counters());
  const before = await guard.counters();
  assert.doesNotMatch(connects(node, '192.168.5.2'), /No route/);
  assert.deepEqual(await guard.counters(), before);
});

test('what is forwarded is refused, and a pod past the routes is stopped at the uplink', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  sandbox.namespace('pod');
  const inPod = (...command: string[]): string =>
    execFileSync('nsenter', [`--net=${sandbox.path('pod')}`, ...command], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const podName = sandbox.path('pod').replace('/run/netns/', '');
  node.run(
    'ip',
    'link',
    'add',
    'link',
    'eth0',
    'name',
    'pod0',
    'netns',
    podName,
    'type',
    'macvlan',
    'mode',
    'bridge',
  );
  node.run('ip', 'link', 'add', 'side', 'type', 'veth', 'peer', 'name', 'side0', 'netns', podName);
  node.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  node.run('bash', '--norc', '-c', 'ip link set side up; ip addr add 10.1.1.1/24 dev side');
  inPod(
    'bash',
    '--norc',
    '-c',
    'ip link set pod0 up; ip link set side0 up; ip addr add 10.1.1.2/24 dev side0; ip addr add 192.168.5.9/24 dev pod0',
  );
  await using guard = new HostGuard(node.netns);
  await guard.put(SPEC);
  inPod('ip', 'route', 'add', '10.43.0.0/16', 'via', '10.1.1.1');
  const probe = `exec 2>&1; timeout 2 bash --norc -c 'echo > /dev/tcp/${SERVICE}/443' || true`;
  assert.match(inPod('bash', '--norc', '-c', probe), /Connection refused/);
  assert.ok((await guard.counters()).forward > 0n);
  assert.equal((await guard.counters()).egress, 0n);
  inPod(
    'bash',
    '--norc',
    '-c',
    `ip route flush 10.43.0.0/16; ip route add default via 192.168.5.1 dev pod0; ip neigh add 192.168.5.1 lladdr 02:00:00:00:00:01 dev pod0 nud permanent`,
  );
  inPod('bash', '--norc', '-c', `echo x > /dev/udp/${SERVICE}/53`);
  await until('it is stopped', async () => (await guard.counters()).egress === 1n);
});

test('an ICMP redirect leaves by no shim', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  await guard.put({ ...SPEC, networks: [] });
  const listing = node.run('nft', 'list', 'chain', 'inet', 'leasehold', 'output');
  assert.match(listing, /icmp type redirect oifname @shims counter packets 0 bytes 0 drop/);
  assert.match(node.run('nft', 'list', 'set', 'inet', 'leasehold', 'shims'), /elements = \{ "lh0" \}/);
});

test('the tables as nft lists them; put again replaces all, and nobody else is touched', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  node.run('nft', 'add table inet other; add chain inet other c');
  await guard.put({ ...SPEC, networks: [net('10.43.0.0/16'), net('10.43.128.0/17'), net('255.0.0.0/8')] });
  const first = node.run('nft', 'list', 'ruleset');
  assert.match(first, /elements = \{ 10\.43\.0\.0\/16, 255\.0\.0\.0\/8 \}/);
  assert.match(
    first,
    /ip daddr @networks oifname @uplinks counter packets 0 bytes 0 reject( with icmp (type )?port-unreachable)?\n/,
  );
  assert.match(first, /type filter hook egress device[s]? (= \{ )?"?eth0"?/);
  assert.equal(await guard.isIntact(), true);
  await guard.put({ ...SPEC, networks: [net('10.96.0.0/12')] });
  const second = node.run('nft', 'list', 'ruleset');
  assert.doesNotMatch(second, /10\.43/);
  assert.equal(await guard.isIntact(), true);
  await guard.remove();
  await guard.remove();
  assert.doesNotMatch(node.run('nft', 'list', 'ruleset'), /leasehold/);
  assert.match(node.run('nft', 'list', 'ruleset'), /table inet other/);
  assert.equal(await guard.isIntact(), false);
});

const CHANGES: readonly string[] = [
  'flush ruleset',
  'delete table inet leasehold',
  'delete table netdev leasehold',
  'flush chain inet leasehold forward',
  'add rule inet leasehold output accept',
  'insert rule inet leasehold forward accept',
  'add chain inet leasehold extra',
  'add element inet leasehold networks { 10.99.0.0/16 }',
  'delete element inet leasehold uplinks { "eth0" }',
  'flush set netdev leasehold networks',
  'add set inet leasehold more { type ipv4_addr; }',
];

test('every change by another is seen, and put mends it', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  for (const change of CHANGES) {
    await guard.put(SPEC);
    assert.equal(await guard.isIntact(), true, `before ${change}`);
    node.run('nft', change);
    assert.equal(await guard.isIntact(), false, change);
  }
});

test('an uplink that goes and comes is no longer, and then again, guarded', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  await guard.put(SPEC);
  node.run('ip', 'link', 'del', 'eth0');
  assert.equal(await guard.isIntact(), false);
  await guard.put(SPEC);
  assert.equal(guard.egress, 'no-uplink');
  assert.equal(await guard.isIntact(), true);
  node.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'lan');
  assert.equal(await guard.isIntact(), false);
  await guard.put(SPEC);
  assert.equal(guard.egress, 'guarded');
});

test('an uplink that vanishes while the tables are put leaves the others guarded', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  // A look sees eth1, the transaction comes when it is gone. Linux 6.16 and later take names of devices that are not there.
  let looks = 0;
  await using guard = new HostGuard(node.netns, (name) => name === 'eth0' || looks++ === 0);
  await guard.put({ ...SPEC, uplinks: ['eth0', 'eth1'] });
  assert.equal(guard.egress, 'guarded');
  assert.match(node.run('nft', 'list', 'chain', 'netdev', 'leasehold', 'egress'), /eth0/);
  await guard.put({ ...SPEC, uplinks: ['eth0', 'eth1'] });
  assert.equal(await guard.isIntact(), true);
});

test('removed are those that are there, and only they are told', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const node = await makeNode(sandbox);
  await using guard = new HostGuard(node.netns);
  assert.deepEqual(await guard.remove(), []);
  await guard.put(SPEC);
  node.run('nft', 'delete table ip leasehold; add table ip6 leasehold');
  await using another = new HostGuard(node.netns);
  const [inet, netdev] = ['inet leasehold', 'netdev leasehold'];
  assert.deepEqual(await another.remove(), [
    { table: inet, error: undefined },
    { table: netdev, error: undefined },
  ]);
  assert.match(node.run('nft', 'list', 'tables'), /table ip6 leasehold/, 'of a family that is not ours');
});

test('too many networks and names that are none are refused', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  await using guard = new HostGuard(sandbox.namespace('node'));
  const networks = Array.from({ length: GUARD_NETWORKS_MAX + 1 }, (_, i) =>
    net(`10.${i >> 8}.${i & 255}.0/24`),
  );
  await assert.rejects(guard.put({ ...SPEC, networks }), { name: 'SysError', code: 'E2BIG' });
  await assert.rejects(guard.put({ ...SPEC, uplinks: ['a'.repeat(16)] }), { code: 'EINVAL' });
  const apart = Array.from({ length: GUARD_NETWORKS_MAX }, (_, i) =>
    net(`10.${i >> 7}.${(i & 127) * 2}.0/24`),
  );
  await guard.put({ ...SPEC, networks: apart });
  assert.equal(await guard.isIntact(), true);
});
