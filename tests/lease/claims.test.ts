import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import { attach, attached, FakeWorld, keyOf, managerOf, requestFor, stored } from './support/world.ts';

// Addresses that are spoken for on this node are not taken, wherever they come from.

const FIRST = ipv4('192.168.1.100');
const SECOND = ipv4('192.168.1.101');
const TURNED_DOWN = 'a DHCP server gives a pod an address that this node uses: it is not taken';
/** T1 of the server's leases of an hour. */
const TO_RENEWAL_MS = 1_900_000;

function addressesOf(pod: PodModel): readonly string[] {
  return pod.addresses.map(({ address }) => address);
}

function idOf(world: FakeWorld, pod: PodModel): string {
  return requestFor(world, pod).client.clientId ?? '';
}

function times(world: FakeWorld, what: string): number {
  return world.journal.filter((one) => one === what).length;
}

function turnedDown(world: FakeWorld): readonly object[] {
  return world.warned.filter(({ message }) => message === TURNED_DOWN).map(({ fields }) => fields);
}

describe('an address of the node that a server offers', () => {
  test('is not asked for: the server is told when it insists, and another one is taken', async () => {
    const world = new FakeWorld();
    world.onNode.set(FIRST, 'the node itself');
    world.server.avoidDeclined = true;
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const lease = await attached(world, manager, pod);
    assert.equal(lease.address.address, SECOND);
    assert.deepEqual(world.journal, ['DISCOVER', 'DISCOVER', 'DECLINE', 'DISCOVER', 'REQUEST', 'put']);
    assert.deepEqual(turnedDown(world), [
      { lease: 'a/lan/eth0', address: FIRST, server: SERVER, holder: 'the node itself' },
    ]);
    await manager.close();
  });

  test('again and again: the error says which one, of which server, and who has it', async () => {
    const world = new FakeWorld();
    world.onNode.set(FIRST, 'the node itself');
    const manager = managerOf(world);
    const lease = await attach(world, manager, world.addPod('a'));
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(lease.error.outcome, 'unusable');
    assert.match(
      lease.error.text,
      /did not take 192\.168\.1\.100 of 192\.168\.1\.1 \(\d times\): the node itself has it/,
    );
    assert.deepEqual([times(world, 'REQUEST'), times(world, 'RELEASE'), world.server.held], [0, 0, []]);
    await manager.close();
  });

  test('and that this client had before is not wished for', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { remember: true });
    await world.time.until(manager.release(keyOf(pod)));
    world.onNode.set(FIRST, 'the node itself');
    world.server.avoidDeclined = true;
    const wishes: unknown[] = [];
    world.loses = (direction, message) => {
      if (direction === 'up') wishes.push(message.options.get(50));
      return false;
    };
    const from = world.journal.length;
    await attached(world, manager, pod, { remember: true });
    assert.equal(world.journal[from], 'DISCOVER');
    assert.equal(wishes[0], undefined);
    await manager.close();
  });

  test('is not asked for by INIT-REBOOT either, nor taken where it is the only one that would do', async () => {
    const world = new FakeWorld();
    world.onNode.set(FIRST, 'the node itself');
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const lease = await attach(world, manager, pod, { client: { requestedAddress: FIRST } });
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(times(world, 'REQUEST'), 0);
    await manager.close();
  });

  test('in an ACK without an OFFER (rapid commit) is declined and never used', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    // It becomes the node's between the OFFER and the ACK.
    world.loses = (direction) => {
      if (direction === 'up' && world.journal.at(-1) === 'REQUEST')
        world.onNode.set(FIRST, 'the node itself');
      return false;
    };
    world.server.avoidDeclined = true;
    const lease = await attached(world, manager, pod);
    assert.equal(lease.address.address, SECOND);
    assert.deepEqual(world.journal.slice(0, 4), ['DISCOVER', 'REQUEST', 'DECLINE', 'DISCOVER']);
    await manager.close();
  });
});

/** A pod that has its own address, and a server (or the pod itself) that says it now has its sibling's. */
async function withSibling(): Promise<{
  world: FakeWorld;
  manager: ReturnType<typeof managerOf>;
  victim: PodModel;
  pod: PodModel;
}> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  const [victim, pod] = [world.addPod('victim'), world.addPod('pod')];
  await attached(world, manager, victim);
  await attached(world, manager, pod);
  return { world, manager, victim, pod };
}

describe('an address of another pod of this node', () => {
  test('in the ACK of a renewal is declined: both keep what they have, and both are named', async () => {
    const { world, manager, victim, pod } = await withSibling();
    world.server.rebind(FIRST, idOf(world, pod));
    await world.time.run(TO_RENEWAL_MS);
    assert.ok(times(world, 'DECLINE') > 0);
    assert.deepEqual([addressesOf(victim), addressesOf(pod)], [[FIRST], [SECOND]]);
    assert.equal(manager.get(keyOf(victim))?.record.state.kind, 'bound');
    assert.equal(manager.get(keyOf(pod))?.lease?.address.address, SECOND);
    assert.ok(!pod.history.some((line) => line.includes(FIRST)), 'it never had it');
    assert.deepEqual(turnedDown(world)[0], {
      lease: 'pod/lan/eth0',
      address: FIRST,
      server: SERVER,
      holder: 'pod victim/lan/eth0 of this node',
    });
    await manager.close();
  });

  test('in a storm of such ACKs: one DECLINE for each REQUEST', async () => {
    const { world, manager, pod } = await withSibling();
    let drawn = 0;
    world.random = () => (++drawn * 0.618) % 1;
    world.server.rebind(FIRST, idOf(world, pod));
    const before = times(world, 'REQUEST');
    world.loses = (direction, message) => {
      if (direction === 'down') for (let copies = 0; copies < 50; copies++) world.deliver(message);
      return false;
    };
    await world.time.run(TO_RENEWAL_MS);
    const asked = times(world, 'REQUEST') - before;
    assert.ok(times(world, 'DECLINE') <= asked, `${times(world, 'DECLINE')} of ${asked}`);
    assert.equal(manager.get(keyOf(pod))?.lease?.address.address, SECOND);
    await manager.close();
  });

  test('in a record of an earlier run is not taken up: the pod gets another one', async () => {
    const { world, manager, victim, pod } = await withSibling();
    await manager.close();
    // As an earlier version would have left it.
    const [first, second] = stored(world);
    assert.ok(first?.state.kind === 'bound' && second?.state.kind === 'bound');
    pod.addresses = [first.state.lease.address];
    const after = managerOf(world);
    await after.resume(first);
    await after.resume({ ...second, state: first.state });
    after.watch();
    await world.time.run(30_000);
    assert.deepEqual(addressesOf(victim), [FIRST]);
    assert.deepEqual(addressesOf(pod), [SECOND]);
    assert.equal(after.get(keyOf(victim))?.lease?.address.address, FIRST);
    assert.ok(turnedDown(world).length > 0);
    await after.close();
  });

  test('is free when that pod went without a DEL, before anybody noticed', async () => {
    const { world, manager, victim } = await withSibling();
    world.server.rebind(FIRST, 'nobody');
    const client = { clientId: idOf(world, victim) };
    world.pods.delete(victim.path);
    const next = world.addPod('next', 9);
    const lease = await attached(world, manager, next, { client });
    assert.equal(lease.address.address, FIRST);
    await world.time.run(60_000);
    assert.deepEqual(world.server.released, [], 'the pod that is gone does not take it along');
    await manager.close();
  });
});
