import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { SERVER } from './support/server.ts';
import {
  assertNothingHeld,
  attached,
  FakeWorld,
  keyOf,
  managerOf,
  SERVER_MAC,
  stored,
  UPLINK,
} from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const MOVED = ipv4('192.168.1.200');
/** T1 of an hour's lease at random 0.5: 1800 s less a thirty-second. */
const T1_MS = 1_743_750;
const T2_MS = 3_051_562;

async function withLease() {
  const world = new FakeWorld();
  const manager = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, manager, pod);
  world.journal.length = 0;
  pod.history.length = 0;
  return { world, manager, pod, key: keyOf(pod) };
}

describe('renewal', () => {
  test('at T1, from the address; the longer lease is stored and the pod is left alone', async () => {
    const { world, manager, pod, key } = await withLease();
    const before = manager.get(key)?.lease?.times?.expiresAt ?? 0;
    await world.time.run(T1_MS - 100);
    assert.deepEqual(world.journal, [], 'silence before T1');
    await world.time.run(200);
    assert.deepEqual(world.journal, ['REQUEST', 'put']);
    assert.equal(world.sentFrom.at(-1), `REQUEST from ${FIRST}`);
    assert.deepEqual(pod.history, []);
    const [record] = stored(world);
    assert.ok(record?.state.kind === 'bound');
    assert.ok((record.state.lease.times?.expiresAt ?? 0) > before);
    assert.equal(pod.sockets.size, 0);
  });

  test('a changed address is stored and applied, the old one goes', async () => {
    const { world, manager, pod, key } = await withLease();
    world.server.rebind(MOVED);
    await world.time.run(T1_MS + 100);
    // The new one first: what goes on beside the address is not cut.
    assert.deepEqual(pod.history, [`+${MOVED}/16`, `-${FIRST}/16`]);
    assert.equal(manager.get(key)?.lease?.address.address, MOVED);
    const [record] = stored(world);
    assert.ok(record?.state.kind === 'bound');
    assert.equal(record.state.lease.address.address, MOVED);
  });

  test('a changed router is applied, the address stays', async () => {
    const { world, pod } = await withLease();
    world.server.options = { routers: [ipv4('192.168.1.254')] };
    await world.time.run(T1_MS + 100);
    assert.deepEqual(pod.history, []);
    assert.deepEqual(
      pod.routes.map(({ gateway }) => gateway),
      ['192.168.1.254'],
    );
  });

  for (const [mtu, applied] of [
    [1400, ['mtu 1400']],
    [9000, []],
  ] as const) {
    test(`a changed MTU of ${mtu} is ${applied.length > 0 ? '' : 'not '}applied`, async () => {
      const { world, pod } = await withLease();
      world.server.options = { 'interface-mtu': mtu };
      await world.time.run(T1_MS + 100);
      assert.deepEqual(pod.history, applied);
    });
  }

  test('a store that fails costs neither the lease nor the daemon', async () => {
    const { world, manager, key } = await withLease();
    world.storeError = new SysError('write', 'ENOSPC');
    await world.time.run(T1_MS + 100);
    assert.ok(manager.get(key)?.lease !== undefined);
    assert.deepEqual(world.warnings, ['could not store the lease']);
    world.storeError = undefined;
    await world.time.run(T1_MS + 100);
    assert.equal(stored(world).length, 1);
  });

  test('a fault while sending does not end the daemon, and the next try goes through', async () => {
    const { world, manager, key } = await withLease();
    const openPod = world.openPod.bind(world);
    world.openPod = () => {
      throw new TypeError('a bug');
    };
    await world.time.run(T1_MS + 100);
    assert.deepEqual(world.warnings, ['could not carry out "send"']);
    world.openPod = openPod;
    await world.time.run(T2_MS - T1_MS);
    assert.equal(manager.get(key)?.record.state.kind, 'bound');
    assert.ok(world.journal.includes('put'));
  });
});

describe('a lease that is lost', () => {
  test('NAK: the address goes before anything is sent, and another is sought and applied', async () => {
    const { world, manager, pod, key } = await withLease();
    world.server.forgetAll();
    await world.time.run(T1_MS + 100);
    assert.deepEqual(pod.history, [`-${FIRST}/16`, `+${FIRST}/16`]);
    assert.equal(world.sentFrom.filter((line) => line === 'DISCOVER from 0.0.0.0').length, 2);
    assert.ok(manager.get(key)?.lease !== undefined);
    assert.equal(world.counts.get('nak'), 1);
    assert.equal(pod.sockets.size, 0);
  });

  test('expiry: the address goes at the very end, whatever the server does', async () => {
    const { world, manager, pod, key } = await withLease();
    const end = manager.get(key)?.lease?.times?.expiresAt ?? 0;
    world.server.mood = 'silent';
    await world.time.run(end - world.time.now() - 1);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [FIRST],
    );
    await world.time.run(2);
    assert.deepEqual(pod.addresses, []);
    assert.equal(manager.get(key)?.lease, undefined);
    assert.deepEqual(
      stored(world).map(({ state }) => state.kind),
      ['init'],
      'and a restart knows it',
    );
    world.server.mood = 'sane';
    await world.time.run(70_000);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [FIRST],
    );
    assert.deepEqual(
      stored(world).map(({ state }) => state.kind),
      ['bound'],
    );
  });

  test('expiry, and then another address: both are said, and the old one is used no more (RFC 2131 4.4.5)', async () => {
    const { world, manager, pod, key } = await withLease();
    const end = manager.get(key)?.lease?.times?.expiresAt ?? 0;
    world.server.mood = 'silent';
    await world.time.run(end - world.time.now() + 2);
    const said = (): readonly string[] => world.warnings.filter((text) => !text.startsWith('no DHCP server'));
    assert.deepEqual(said(), ['the lease is lost: its address leaves the pod']);
    world.server.rebind(MOVED);
    world.server.mood = 'sane';
    await world.time.run(70_000);
    assert.deepEqual(pod.history, [`-${FIRST}/16`, `+${MOVED}/16`]);
    assert.deepEqual(said().slice(1), ['a running pod gets another address']);
  });

  test('the namespace is gone: nothing is touched, nothing breaks', async () => {
    const { world, manager, pod, key } = await withLease();
    world.pods.delete(pod.path);
    await world.time.run(4_000_000);
    assert.equal(manager.get(key)?.lease, undefined);
    assert.equal(await world.time.until(manager.release(key)), true);
    assert.equal(manager.size, 0);
  });
});

describe('release', () => {
  test('from the address, which goes afterwards; the record goes last', async () => {
    const { world, manager, pod, key } = await withLease();
    assert.equal(await world.time.until(manager.release(key)), true);
    assert.deepEqual(world.journal, ['RELEASE', 'remove']);
    assert.equal(world.sentFrom.at(-1), `RELEASE from ${FIRST}`);
    assert.deepEqual(pod.history, [`-${FIRST}/16`]);
    await world.time.run(100);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
    assert.equal(world.time.pending, 0, 'no timer is left');
    assert.equal(await manager.release(key), false, 'a second time there is nothing');
  });

  test('an address that is missing does not hinder', async () => {
    const { world, manager, pod, key } = await withLease();
    pod.addresses = [];
    await world.time.until(manager.release(key));
    assert.deepEqual(pod.history, []);
    await world.time.run(100);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
  });

  test('a server that does not answer ARP holds it up for a third of a second', async () => {
    const { world, manager, pod, key } = await withLease();
    world.hosts.clear();
    const from = world.time.now();
    await world.time.until(manager.release(key));
    const took = world.time.now() - from;
    assert.ok(took >= 300 && took < 350, `${took} ms`);
    assert.equal(manager.size, 0);
    assert.equal(pod.addresses.length, 0);
    assert.deepEqual([manager.owed, world.server.released], [1, []]);
    world.hosts.set(SERVER, SERVER_MAC);
    await world.time.run(60_000);
    assert.deepEqual([manager.owed, world.server.released], [0, [FIRST]], 'the host has said it then');
  });

  test('the namespace is gone: the DEL does not wait, the host releases', async () => {
    const { world, manager, pod, key } = await withLease();
    world.pods.delete(pod.path);
    const from = world.time.now();
    assert.equal(await world.time.until(manager.release(key)), true);
    assert.equal(world.time.now(), from, 'no network was waited for');
    assert.deepEqual([manager.size, manager.owed], [0, 1]);
    assert.deepEqual(
      stored(world).map(({ owner }) => owner),
      ['gone'],
    );
    await world.time.run(5000);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
  });

  test('where it is not known how the LAN is reached: said, and forgotten', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { lan: undefined, uplinkIndex: undefined });
    world.pods.delete(pod.path);
    assert.equal(await world.time.until(manager.release(keyOf(pod))), true);
    assert.equal(world.counts.get('release-lost'), 1);
    assert.deepEqual([manager.size, manager.owed, world.files.size], [0, 0, 0]);
  });

  test('another namespace under the same path is not touched', async () => {
    const { world, manager, pod, key } = await withLease();
    world.pods.delete(pod.path);
    const other = world.addPod('a', 50);
    other.link.index = pod.link.index;
    await world.time.until(manager.release(key));
    assert.deepEqual(other.history, []);
    assert.equal(other.openHandles, 0);
    assert.equal(manager.size, 0);
  });

  test('the link is gone: the host releases', async () => {
    const { world, manager, pod, key } = await withLease();
    pod.linkGone = true;
    pod.addresses = [];
    assert.equal(await world.time.until(manager.release(key)), true);
    await world.time.run(5000);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
  });

  test('the cable is out: the DEL does not wait, the RELEASE goes out when it is back', async () => {
    const { world, manager, pod, key } = await withLease();
    world.uplink.lowerUp = false;
    pod.link.lowerUp = false;
    assert.equal(await world.time.until(manager.release(key, true)), true);
    pod.linkGone = true;
    pod.addresses = [];
    await world.time.run(60_000);
    assert.deepEqual([manager.size, manager.owed, world.server.released], [0, 1, []]);
    world.uplink.lowerUp = true;
    manager.linkChanged({ index: UPLINK, name: 'uplink0', up: true, lowerUp: true, removed: false });
    await world.time.run(1000);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
  });

  test('while a new lease is being applied: it waits, and nothing of it comes back', async () => {
    const { world, manager, pod, key } = await withLease();
    world.server.rebind(MOVED);
    const put = world.store.put.bind(world.store);
    const stuck = Promise.withResolvers<void>();
    world.store.put = async (record) => {
      await stuck.promise;
      await put(record);
    };
    await world.time.run(T1_MS + 100);
    const released = manager.release(key);
    await world.time.run(10);
    stuck.resolve();
    await world.time.until(released);
    await world.time.run(1000);
    assert.deepEqual(pod.addresses, []);
    assertNothingHeld(world, manager);
  });

  test('while a renewal is under way: the late ACK changes nothing', async () => {
    const { world, manager, key } = await withLease();
    const renewAt = manager.get(key)?.lease?.times?.renewAt ?? 0;
    await world.time.run(renewAt - world.time.now() + 1);
    assert.equal(manager.get(key)?.record.state.kind, 'renewing');
    await world.time.until(manager.release(key));
    await world.time.run(100);
    assertNothingHeld(world, manager);
  });
});

describe('close', () => {
  test('everything is left as it is: pod, server, disk; no timer, no socket', async () => {
    const { world, manager, pod } = await withLease();
    await manager.close();
    assert.deepEqual(world.journal, []);
    assert.deepEqual([pod.addresses.length, world.files.size, world.server.held.length], [1, 1, 1]);
    assert.deepEqual([world.time.pending, pod.sockets.size, world.taps.size], [0, 0, 0]);
    await world.time.run(4_000_000);
    assert.deepEqual(world.journal, []);
  });

  test('what is being written is finished first', async () => {
    const { world, manager } = await withLease();
    const put = world.store.put.bind(world.store);
    const stuck = Promise.withResolvers<void>();
    world.store.put = async (record) => {
      await stuck.promise;
      await put(record);
    };
    await world.time.run(T1_MS + 100);
    const closed = manager.close();
    stuck.resolve();
    await closed;
    assert.ok(world.journal.includes('put'));
  });
});
