import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SysError } from '../../src/base/sys-error.ts';
import { err, ok } from '../../src/base/result.ts';
import type { PluginServices } from '../../src/cni/context.ts';
import { dhcpPlugin } from '../../src/cni/plugins/dhcp.ts';
import { assertUplink } from '../../src/cni/plugins/uplink-status.ts';
import type { UplinkState } from '../../src/node/ports.ts';
import { attach, FakeWorld, managerOf } from '../lease/support/world.ts';

type Status = ReturnType<typeof dhcpPlugin>['status'];

/** `dhcp` with this node's leases and what its store says. */
function statusOf(leases: PluginServices['leases'], problem?: SysError): () => Promise<void> {
  const store = { writable: () => Promise.resolve(problem) };
  const plugin = dhcpPlugin({ leases, store } as unknown as PluginServices);
  return () => plugin.status({} as Parameters<Status>[0]);
}

describe('STATUS: what takes a node out of service, with the pods that run on it', () => {
  test('not a server that is silent, to new pods or to all', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attach(world, manager, world.addPod('a'));
    world.server.mood = 'silent';
    assert.equal((await attach(world, manager, world.addPod('b'))).ok, false);
    assert.equal(world.counts.get('server-silent'), 1);
    await statusOf(manager)();
    await manager.close();
  });

  test('a store that cannot be written: pods that run go on', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await assert.rejects(statusOf(manager, new SysError('open', 'EROFS'))(), { code: 50, message: /EROFS/ });
    await manager.close();
  });

  const eth0: UplinkState = { index: 2, name: 'eth0', mtu: 1500, up: true, lowerUp: true };
  const down = err({ kind: 'down', text: 'master "eth0" is down', link: { ...eth0, up: false } } as const);
  const missing = err({ kind: 'missing', text: 'master "eth0" does not exist' } as const);
  const pulled = ok({ ...eth0, lowerUp: false });

  test('an uplink that is gone, for everybody; one that is down, for who asks the LAN for addresses', () => {
    for (const asksTheLan of [true, false]) {
      assertUplink(ok(eth0), { asksTheLan });
      assert.throws(() => assertUplink(missing, { asksTheLan }), { code: 51, message: /does not exist/ });
    }
    assert.throws(() => assertUplink(down, { asksTheLan: true }), { code: 51, message: /is down/ });
    assert.throws(() => assertUplink(pulled, { asksTheLan: true }), { code: 51, message: /carrier/ });
    assertUplink(down, { asksTheLan: false });
    assertUplink(pulled, { asksTheLan: false });
  });
});
