import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HomeLan } from '../../src/lab/home-lan.ts';
import { isRunning } from '../../src/lab/long-process.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { startRelay } from '../../src/lab/relay.ts';
import type { RealServer } from '../../src/lab/server-start.ts';
import { addSecondServer } from '../../src/lab/second-server.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';

const SERVERS: readonly RealServer[] = [
  { kind: 'dnsmasq' },
  { kind: 'kea' },
  { kind: 'isc' },
  { kind: 'udhcpd' },
];
const LEASE_SECONDS = 600;
/** Clocks of a second and a slow machine. */
const TOLERANCE_SECONDS = 30;
const options = { skip: NEEDS_ROOT };

async function heldBy(lan: HomeLan): Promise<readonly string[]> {
  return (await lan.server.leases()).map(({ ip }) => ip);
}

describe('each server', options, () => {
  for (const kind of SERVERS) {
    test(`${kind.kind}: leases, a stop, a kill, and another pool`, async (t) => {
      const server = { ...kind, leaseSeconds: LEASE_SECONDS };
      const lan = await homeLan(t, { server, hosts: { laptop: 'udhcpc' } });
      const [lease, ...others] = await lan.server.leases();
      assert.deepEqual(others, []);
      assert.equal(lease?.ip, await lan.laptop.address());
      assert.equal(lease.mac, (await lan.laptop.state())?.mac);
      assert.equal(lease.hostname, 'laptop');
      // udhcpd knows clients by their MAC address only.
      const clientId = kind.kind === 'udhcpd' ? undefined : `01:${lease.mac}`;
      assert.equal(lease.clientId, clientId);
      const left = (lease.expiresAt ?? 0) - Date.now() / 1000;
      assert.ok(left <= LEASE_SECONDS + 1 && left > LEASE_SECONDS - TOLERANCE_SECONDS, String(left));

      const first = lan.server;
      await first.stop();
      assert.ok(!isRunning(first.process));
      await lan.startServer(server);
      assert.deepEqual(await heldBy(lan), [lease.ip]);

      await lan.server.kill();
      const pool = { first: ipv4('192.168.2.20'), last: ipv4('192.168.2.29') };
      await lan.startNewServer(server, pool);
      assert.deepEqual(await heldBy(lan), []);
      const late = await lan.addHost('late', 'udhcpc');
      assert.deepEqual(await heldBy(lan), [await late.address()]);
      assert.match(await late.address(), /^192\.168\.2\.2\d$/);
    });
  }

  test('a second one beside the router serves when the first is gone', async (t) => {
    const lan = await homeLan(t, { hosts: {} });
    await lan.server.kill();
    const pool = { first: ipv4('192.168.2.30'), last: ipv4('192.168.2.39') };
    const second = await addSecondServer(lan, {
      address: '192.168.2.3/24',
      pool,
      server: { kind: 'kea' },
    });
    const late = await lan.addHost('late', 'udhcpc');
    assert.deepEqual(
      (await second.server.leases()).map(({ ip }) => ip),
      [await late.address()],
    );
    assert.match(await late.namespace.ip('route'), /default via 192\.168\.2\.3 /);
  });

  test('a server behind a relay', async (t) => {
    const lan = await homeLan(t, { server: { kind: 'none' }, hosts: {} });
    // Without a cable the bridge has no carrier, and the relay nobody to hear.
    await lan.addHost('quiet', 'none');
    const { server } = await startRelay(lan, { kind: 'kea' });
    const late = await lan.addHost('late', 'udhcpc');
    assert.deepEqual(
      (await server.leases()).map(({ ip }) => ip),
      [await late.address()],
    );
  });
});
