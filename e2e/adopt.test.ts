import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import * as v from 'valibot';
import { ipv4 } from '../src/base/ipv4.ts';
import type { ServerLease } from '../src/lab/lease-files.ts';
import { ping } from '../src/lab/ping.ts';
import type { DhcpServer } from '../src/lab/server.ts';
import { waitFor } from '../src/lab/wait.ts';
import { NEEDS_ROOT } from '../tests/support/home-lan.ts';
import { CONTAINERD_1_6, CONTAINERD_2 } from './support/cri/containerd.ts';
import { copyGoPlugins, GO_SOCKET, GoNode } from './support/cri/go-node.ts';
import { removePods, runPods } from './support/cri/pods.ts';
import { usePodmanSite } from './support/podman/podman-site.ts';
import { program } from './support/cache.ts';

/** Renewed after half of it. */
const LEASE_SECONDS = 30;
const SERVER = { kind: 'kea', leaseSeconds: LEASE_SECONDS } as const;
const RENEWAL_DEADLINE_MS = 2 * LEASE_SECONDS * 1000;

const adoptedSchema = v.array(
  v.object({
    outcome: v.string(),
    address: v.nullish(v.string()),
    state: v.nullish(v.string()),
    why: v.nullish(v.string()),
  }),
);

/** What `leasehold adopt --json` said of each attachment, as "outcome state address", in order of addresses. */
function outcomes(json: string): readonly string[] {
  const rows = v.parse(adoptedSchema, JSON.parse(json));
  return rows
    .map(({ outcome, state, why, address }) => `${outcome} ${state ?? why ?? '-'} ${address ?? '-'}`)
    .sort();
}

async function leasesOf(server: DhcpServer, addresses: readonly string[]): Promise<readonly ServerLease[]> {
  return (await server.leases()).filter(({ ip }) => addresses.includes(ip));
}

/** Each of them has a lease that ends later than the one it had. */
async function waitForRenewal(server: DhcpServer, before: readonly ServerLease[]): Promise<void> {
  await waitFor(
    'all leases to be renewed',
    async () => {
      const now = await server.leases();
      return before.every(({ ip, mac, clientId, expiresAt = 0 }) =>
        now.some(
          (lease) =>
            lease.ip === ip &&
            lease.mac === mac &&
            lease.clientId === clientId &&
            (lease.expiresAt ?? 0) > expiresAt,
        ),
      );
    },
    { deadlineMs: RENEWAL_DEADLINE_MS },
  );
}

describe('podman with the Go plugins changes over', { skip: NEEDS_ROOT }, () => {
  const site = usePodmanSite(
    async ({ machine, podman }) => {
      await copyGoPlugins(machine.path('/usr/lib/cni'));
      await machine.run('mkdir', '-p', '/run/cni');
      await podman.run('network', 'create', '--driver', 'macvlan', '--opt', 'parent=eth0', 'lan');
    },
    { server: SERVER },
  );
  const names = ['one', 'two'];

  test('running containers keep their addresses, are renewed, and are given back by rm', async () => {
    const { machine, podman, lan, laptop } = site();
    const go = await machine.start('go-dhcp', ['/usr/lib/cni/dhcp', 'daemon']);
    await waitFor('the Go daemon to listen', async () => {
      return (await machine.runToEnd(['test', '-S', GO_SOCKET])).status === 0;
    });
    for (const name of names) await podman.serve(name, '--network', 'lan', '--hostname', name);
    const networks = await Promise.all(names.map(async (name) => await podman.networkOf(name, 'lan')));
    const addresses = networks.map(({ address }) => address);
    await site().waitForLeases(addresses);

    await machine.end(go);
    assert.match(
      (await site().install('/usr/lib/cni', '--drop-in', '--no-conflist', '--replace')).stdout,
      /dhcp\.before-leasehold/,
    );
    await site().startDaemon();
    const before = await leasesOf(lan.server, addresses);
    const said = await machine.run('leasehold', 'adopt', '--json');
    assert.deepEqual(outcomes(said), addresses.map((address) => `taken-up bound ${address}/24`).sort());
    assert.deepEqual(await site().daemonAddresses(), [...addresses].sort());

    await waitForRenewal(lan.server, before);
    // Once more, after the one that adoption asked for: by time alone.
    await waitForRenewal(lan.server, await leasesOf(lan.server, addresses));
    assert.deepEqual(
      await Promise.all(names.map(async (name) => await podman.networkOf(name, 'lan'))),
      networks,
    );
    for (const [at, name] of names.entries()) {
      const address = addresses[at];
      assert.ok(address !== undefined);
      assert.ok((await site().ask(laptop, address)).startsWith(`${name} `));
    }

    await podman.run('restart', '--time', '0', 'one');
    const anew = await podman.addressOf('one', 'lan');
    await podman.remove('two');
    await site().waitForLeases([anew]);
    await podman.remove('one');
    await site().waitForLeases([]);
  });

  test('the way back: uninstall puts the Go plugins where they were', async () => {
    const { machine } = site();
    await site().stopDaemon();
    await machine.run('leasehold', 'uninstall');
    for (const name of ['dhcp', 'macvlan']) {
      const [there, gos] = await Promise.all([
        readFile(machine.path(`/usr/lib/cni/${name}`)),
        readFile(program('go-plugins', name)),
      ]);
      assert.ok(there.equals(gos), name);
    }
  });
});

for (const version of [CONTAINERD_2, CONTAINERD_1_6]) {
  test(`${version.name} with the Go plugins changes over`, { skip: NEEDS_ROOT }, async () => {
    await using node = await GoNode.create(version, { server: SERVER });
    const { lan, runtime } = node;
    const pods = await runPods(runtime, ['web-0', 'web-1', 'db-0']);
    const addresses = pods.map(({ ip }) => ip);
    assert.equal((await leasesOf(lan.server, addresses)).length, pods.length);

    await node.stopGo();
    await node.replacePlugins();
    await node.startLeasehold();
    const before = await leasesOf(lan.server, addresses);
    const taken = addresses.map((address) => `taken-up bound ${address}/24`);
    // containerd remembers the loopback of each pod as well.
    const loopbacks = pods.map(() => 'no-dhcp - -');
    assert.deepEqual(outcomes(await node.adopt()), [...loopbacks, ...taken].sort());
    await waitForRenewal(lan.server, before);
    await waitForRenewal(lan.server, await leasesOf(lan.server, addresses));

    for (const pod of pods) {
      assert.equal((await runtime.cri.podSandboxStatus(pod.id)).ip, pod.ip);
      assert.ok(await ping(lan.laptop.namespace, ipv4(pod.ip), { tries: 3 }));
    }
    const again = await node.adopt();
    assert.equal(
      outcomes(again).filter((outcome) => outcome.startsWith('known ')).length,
      pods.length,
      again,
    );

    const [first, ...others] = pods;
    assert.ok(first !== undefined);
    await removePods(runtime, [first]);
    assert.deepEqual(
      (await leasesOf(lan.server, addresses)).map(({ ip }) => ip).sort(),
      others.map(({ ip }) => ip).sort(),
    );
    await removePods(runtime, others);
    assert.deepEqual(await leasesOf(lan.server, addresses), []);
  });
}
