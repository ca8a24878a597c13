import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SysError } from '../../src/base/sys-error.ts';
import { err, ok } from '../../src/base/result.ts';
import type { PluginServices } from '../../src/cni/context.ts';
import { dhcpPlugin } from '../../src/cni/plugins/dhcp.ts';
import { assertUplink, namingThatOfPods } from '../../src/cni/plugins/uplink-status.ts';
import { toErrorObject } from '../../src/cni/spec/errors.ts';
import type { UplinkSource, UplinkState } from '../../src/node/ports.ts';
import { attach, FakeWorld, managerOf } from '../lease/support/world.ts';

type Status = ReturnType<typeof dhcpPlugin>['status'];

/** `dhcp` with this node's leases and what its store says. */
function statusOf(leases: PluginServices['leases'], problem?: SysError): () => Promise<void> {
  const store = { writable: () => Promise.resolve(problem) };
  const plugin = dhcpPlugin({ leases, store } as unknown as PluginServices);
  return () => plugin.status({} as Parameters<Status>[0]);
}

/** What a person is told to do. */
const detailsOf = (uplink: Parameters<typeof assertUplink>[0]): unknown => {
  try {
    assertUplink(uplink, { asksTheLan: true });
    return undefined;
  } catch (error) {
    return toErrorObject(error).details;
  }
};

const source = (links: readonly UplinkState[]): UplinkSource => ({
  link: (name) => Promise.resolve(links.find((one) => one.name === name)),
  linkByIndex: () => Promise.resolve(undefined),
  links: () => Promise.resolve(links),
  defaultRoutes: () => Promise.resolve([]),
});

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

  test('each is said with what to do, for the node that is not Ready shows no more than that', () => {
    assert.match(String(detailsOf(missing)), /^ip link and ip route show/);
    assert.match(String(detailsOf(down)), /at each boot/);
    assert.match(String(detailsOf(pulled)), /^check the cable/);
  });

  test('without a default route, the uplink of the pods that run is what is named', async () => {
    const auto = err({ kind: 'missing', text: 'no interface has a default route' } as const);
    const pods = [{ uplink: 'eth0' }, { uplink: 'eth0' }, { uplink: 'eth1' }];
    const eth1 = { ...eth0, name: 'eth1' };
    const said = async (...links: readonly UplinkState[]): Promise<string | undefined> => {
      const outcome = await namingThatOfPods(auto, source(links), pods);
      return outcome.ok ? undefined : outcome.error.text;
    };
    assert.equal(await said(eth0, eth1), auto.error.text);
    assert.equal(
      await said({ ...eth0, up: false }, eth1),
      'pods run on eth0, which is down: ip link set eth0 up; and no interface has a default route',
    );
    assert.equal(
      await said({ ...eth0, lowerUp: false }),
      'pods run on eth0, which has no carrier; on eth1, which is gone; and no interface has a default route',
    );
    // A network that names it has said it already.
    assert.equal(await namingThatOfPods(missing, source([]), [{ uplink: 'eth0' }]), missing);
    assert.equal(await namingThatOfPods(down, source([]), pods), down);
  });
});
