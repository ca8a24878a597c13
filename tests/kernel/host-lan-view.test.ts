import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { formatCidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { HostSideNetwork } from '../../src/kernel/host-side-network.ts';
import { asRoot, linkOf, Sandbox } from './support/sandbox.ts';

test('one neighbour is asked for, and all routes of every type are seen', asRoot, async () => {
  await using sandbox = new Sandbox('lanview');
  const netns = sandbox.namespace('node');
  const rtnl = sandbox.rtnl(netns);
  const run = (text: string): string =>
    execFileSync('nsenter', [`--net=${sandbox.path('node')}`, 'bash', '--norc', '-ec', text], {
      encoding: 'utf8',
    });
  run(`ip link add eth0 type veth peer name lan; ip link set eth0 up; ip link set lan up
    ip addr add 192.168.5.2/24 dev eth0; ip route add default via 192.168.5.1
    ip route add blackhole 192.168.5.77/32; ip route add 192.168.5.78/32 dev eth0 proto static
    ip neigh add 192.168.5.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent
    ip neigh add 192.168.5.8 lladdr 02:00:00:00:00:08 dev eth0 nud reachable`);
  const kernel = new HostSideNetwork(rtnl, netns);
  const { index } = await linkOf(rtnl, 'eth0');
  assert.equal((await kernel.neighbour(index, ipv4('192.168.5.9')))?.permanent, true);
  assert.equal((await kernel.neighbour(index, ipv4('192.168.5.8')))?.permanent, false);
  assert.equal(await kernel.neighbour(index, ipv4('192.168.5.7')), undefined);
  assert.equal(await kernel.neighbour(4711, ipv4('192.168.5.9')), undefined);
  const routes = (await kernel.allRoutes()).map((route) => [
    formatCidr(route.dst),
    route.index,
    route.gateway,
  ]);
  assert.deepEqual(
    routes.toSorted(([a], [b]) => String(a).localeCompare(String(b))),
    [
      ['0.0.0.0/0', index, ipv4('192.168.5.1')],
      ['192.168.5.0/24', index, undefined],
      ['192.168.5.77/32', 0, undefined],
      ['192.168.5.78/32', index, undefined],
    ],
  );
});
