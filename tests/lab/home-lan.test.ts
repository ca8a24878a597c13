import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { DHCP_CLIENTS, findCommand } from '../../src/lab/dhcp-client.ts';
import { HomeLan } from '../../src/lab/home-lan.ts';
import { isRunning } from '../../src/lab/long-process.ts';
import { ping, reachability } from '../../src/lab/ping.ts';
import { uniquePrefix } from '../../src/lab/names.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';

const options = { skip: NEEDS_ROOT };

async function namespacesOf(prefix: string): Promise<readonly string[]> {
  if (!existsSync('/run/netns')) return [];
  return (await readdir('/run/netns')).filter((name) => name.startsWith(`${prefix}-`));
}

test(
  'node and laptop have addresses from the router, and everybody reaches everybody',
  options,
  async (t) => {
    const resolv = readFileSync('/etc/resolv.conf', 'utf8');
    const lan = await homeLan(t);
    const addresses = [await lan.node.address(), await lan.laptop.address()];
    const leases = await lan.server.leases();
    assert.deepEqual(leases.map(({ ip }) => ip).toSorted(), addresses.toSorted());
    assert.deepEqual(leases.map(({ hostname }) => hostname ?? '').toSorted(), ['laptop', 'node']);
    assert.equal(leases.find(({ hostname }) => hostname === 'node')?.mac, (await lan.node.state())?.mac);
    const stations = [
      { name: 'router', namespace: lan.router, address: lan.routerAddress.address },
      { name: 'laptop', namespace: lan.laptop.namespace, address: await lan.laptop.address() },
    ];
    assert.deepEqual(await reachability(stations), [
      [undefined, true],
      [true, undefined],
    ]);
    assert.equal(readFileSync('/etc/resolv.conf', 'utf8'), resolv);
  },
);

test('disposing removes namespaces, processes and files', options, async () => {
  const lan = await HomeLan.create({ hosts: { laptop: 'dhcp' } });
  const server = lan.server.process;
  assert.equal((await namespacesOf(lan.prefix)).length, 2);
  assert.ok(isRunning(server));
  await lan[Symbol.asyncDispose]();
  assert.deepEqual(await namespacesOf(lan.prefix), []);
  assert.ok(!isRunning(server));
  assert.ok(!existsSync(lan.folder));
});

test('a home that cannot be finished leaves nothing', options, async () => {
  const prefix = uniquePrefix();
  const server = { kind: 'dnsmasq', lines: ['no-such-option'] } as const;
  await assert.rejects(
    HomeLan.create({ prefix, server }),
    /dnsmasq ended \(exit status 1\) before it was ready: dnsmasq: bad option/,
  );
  assert.deepEqual(await namespacesOf(prefix), []);
});

test('two homes side by side do not meet', options, async (t) => {
  const [one, two] = await Promise.all([
    homeLan(t, { hosts: { laptop: 'dhcp' } }),
    homeLan(t, { hosts: {} }),
  ]);
  assert.notEqual(one.prefix, two.prefix);
  assert.equal(await ping(two.router, await one.laptop.address()), false);
});

test('other networks, addresses by hand, no server', options, async (t) => {
  const lan = await homeLan(t, {
    router: '10.9.0.1/16',
    server: { kind: 'none' },
    hosts: { node: { address: cidr('10.9.200.7/16') }, laptop: 'none' },
  });
  assert.deepEqual(lan.pool, { first: '10.9.0.50', last: '10.9.255.253' });
  assert.ok(await ping(lan.node.namespace, lan.routerAddress.address));
  await assert.rejects(lan.laptop.address(), /laptop has no IPv4 address/);
  assert.throws(() => lan.server, /without a DHCP server/);
});

test(
  'Kea gives leases too',
  { skip: NEEDS_ROOT || ((await findCommand('kea-dhcp4')) === undefined && 'no kea-dhcp4') },
  async (t) => {
    const lan = await homeLan(t, { server: { kind: 'kea', leaseSeconds: 300 }, hosts: { laptop: 'dhcp' } });
    assert.deepEqual(
      (await lan.server.leases()).map(({ ip }) => ip),
      [await lan.laptop.address()],
    );
  },
);

for (const client of DHCP_CLIENTS) {
  const missing = (await findCommand(client)) === undefined && `no ${client}`;
  test(
    `${client} gets an address and touches nothing of the machine`,
    { skip: NEEDS_ROOT || missing },
    async (t) => {
      const resolv = readFileSync('/etc/resolv.conf', 'utf8');
      const lan = await homeLan(t, { hosts: { laptop: client } });
      assert.deepEqual(
        (await lan.server.leases()).map(({ ip }) => ip),
        [await lan.laptop.address()],
      );
      assert.match(await lan.laptop.namespace.ip('route'), /default via 192\.168\.2\.1 dev eth0/);
      assert.equal(readFileSync('/etc/resolv.conf', 'utf8'), resolv);
    },
  );
}
