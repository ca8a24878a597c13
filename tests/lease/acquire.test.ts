import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { readOption } from '../../src/wire/dhcp4/options.ts';
import { DHCP_MESSAGE_TYPE } from '../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';
import {
  assertNothingHeld,
  attach,
  attached,
  FakeWorld,
  keyOf,
  managerOf,
  requestFor,
  SERVER_MAC,
  stored,
  UPLINK,
} from './support/world.ts';

const FIRST = ipv4('192.168.1.100');

function isType(message: Dhcp4Message, wanted: number): boolean {
  const type = readOption(message.options, 'dhcp-message-type');
  return type.kind === 'value' && type.value === wanted;
}

describe('acquire', () => {
  test('a lease, stored before anybody is told of it', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const lease = await attached(world, manager, pod);
    assert.deepEqual(lease.address, { address: FIRST, prefix: 16 });
    assert.deepEqual(world.journal, ['DISCOVER', 'REQUEST', 'put']);
    const [record] = stored(world);
    assert.deepEqual(record?.key, keyOf(pod));
    assert.ok(record?.state.kind === 'bound');
    assert.deepEqual(record.state.lease.address, lease.address);
    assert.equal(pod.sockets.size, 0, 'a lease that waits holds no socket');
    assert.equal(pod.openHandles, 0);
  });

  test('the same attachment again gives the same lease, without a word on the wire', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const first = await attached(world, manager, pod);
    assert.deepEqual(await attached(world, manager, pod), first);
    assert.deepEqual(world.journal, ['DISCOVER', 'REQUEST', 'put']);
  });

  test('the same key with another interface: the old lease is given back first', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod);
    pod.link.index = 99;
    pod.addresses = [];
    await attached(world, manager, pod);
    assert.equal(manager.size, 1);
    assert.equal(manager.get(keyOf(pod))?.record.link.index, 99);
  });

  test('without a tap the answers are broadcast and heard by the pod’s own socket', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const lease = await attached(world, manager, pod, { uplinkIndex: undefined });
    assert.equal(lease.address.address, FIRST);
    assert.equal(world.taps.size, 0);
    assert.equal(manager.get(keyOf(pod))?.record.config.broadcast, 'always');
  });

  test('while the uplink’s tap hears nothing, the pod’s own interface does', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    world.gone.add(UPLINK);
    const lease = await attached(world, manager, pod);
    assert.equal(lease.address.address, FIRST);
    assert.deepEqual(world.journal.slice(0, 2), ['DISCOVER', 'REQUEST']);
    assert.equal(world.fromPods.length, 2);
  });

  test('what is heard twice, by tap and socket, is no fault in the diagnosis', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.server.mood = 'offers-only';
    const lease = await attach(world, manager, world.addPod('a'), { client: { broadcast: 'always' } });
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(lease.error.outcome, 'unfinished');
  });
});

describe('an acquisition that fails leaves nothing behind', () => {
  test('silence: at the deadline, with a diagnosis', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.server.mood = 'silent';
    const from = world.time.now();
    const lease = await attach(world, manager, world.addPod('a'));
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(lease.error.outcome, 'silent');
    assert.equal(lease.error.text, 'sent 8 DISCOVERs in 1 min; nothing came back');
    assert.equal(world.time.now() - from, 60_000);
    assertNothingHeld(world, manager);
    assert.equal(world.time.pending, 0, 'no timer is left');
  });

  test('a server that refuses', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.server.mood = 'refusing';
    const lease = await attach(world, manager, world.addPod('a'));
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(lease.error.outcome, 'refused');
    assert.match(lease.error.text, /refused by \d+ NAKs of 192\.168\.1\.1 \("not yours"\)/);
    assertNothingHeld(world, manager);
  });

  test('a server that commits and whose ACKs are lost: what it holds is given back', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    world.server.mood = 'ack-lost';
    const lease = await attach(world, manager, pod);
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    await world.time.run(10);
    assert.deepEqual(world.server.released, [FIRST]);
    assert.deepEqual(pod.history, [], 'the pod never had it');
    assertNothingHeld(world, manager);
  });

  test('an ACK that is not accepted: given back at once, where it came from, and sought again ever later', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.server.ackOptions = { 'dhcp-lease-time': 0 };
    const lease = await attach(world, manager, world.addPod('a'));
    assert.ok(!lease.ok && lease.error.kind === 'no-lease');
    assert.equal(lease.error.outcome, 'unusable');
    assert.match(
      lease.error.text,
      / and 7 RELEASEs in 1 min; .*gave back 192\.168\.1\.100 of 192\.168\.1\.1;/,
    );
    assert.deepEqual([...new Set(world.server.released)], [FIRST]);
    // At once, after 1, 2, 4, 8, 16 and 32 s.
    assert.equal(world.server.released.length, 7);
    const ways = world.sentTo.filter((text) => text.startsWith('RELEASE'));
    assert.deepEqual([...new Set(ways)], [`RELEASE to ${SERVER_MAC}`]);
    const said = world.warnings.filter((text) => text.endsWith('is not used: the lease is given back'));
    assert.equal(said.length, 7);
    assert.equal(world.counts.get('lease-not-accepted:zero-lease-time'), 7);
    assertNothingHeld(world, manager);
  });

  test('the store fails: released, and said so', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.storeError = new SysError('write', 'ENOSPC');
    const lease = await attach(world, manager, world.addPod('a'));
    assert.ok(!lease.ok && lease.error.kind === 'not-stored');
    assert.equal(lease.error.error.code, 'ENOSPC');
    await world.time.run(10);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
  });

  test('a fault of the store that is no SysError is thrown on, and nothing is held either', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    world.store.put = () => Promise.reject(new Error('a bug'));
    const request = requestFor(world, pod);
    await assert.rejects(world.time.until(manager.acquire(request, new AbortController().signal)), /a bug/);
    request.pod.close();
    await world.time.run(10);
    assertNothingHeld(world, manager);
  });

  test('the uplink is gone', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const lease = await attach(world, manager, world.addPod('a'), { uplinkIndex: 77 });
    assert.ok(!lease.ok && lease.error.kind === 'send-failed');
    assert.equal(lease.error.error.code, 'ENODEV');
    assertNothingHeld(world, manager);
  });

  test('the namespace goes away meanwhile: no need to wait for the deadline', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.server.mood = 'silent';
    const pod = world.addPod('a');
    const request = requestFor(world, pod);
    world.pods.delete(pod.path);
    const from = world.time.now();
    const lease = await world.time.until(manager.acquire(request, new AbortController().signal));
    assert.ok(!lease.ok && lease.error.kind === 'send-failed');
    assert.ok(world.time.now() - from < 1000);
  });

  const phases: readonly (readonly [string, (message: Dhcp4Message) => boolean])[] = [
    ['before the OFFER', (message) => isType(message, DHCP_MESSAGE_TYPE.DHCPDISCOVER)],
    ['when the OFFER is on its way', (message) => isType(message, DHCP_MESSAGE_TYPE.DHCPOFFER)],
    ['after the REQUEST', (message) => isType(message, DHCP_MESSAGE_TYPE.DHCPREQUEST)],
    ['when the ACK is on its way', (message) => isType(message, DHCP_MESSAGE_TYPE.DHCPACK)],
  ];
  for (const [name, when] of phases) {
    test(`cancelled ${name}`, async () => {
      const world = new FakeWorld();
      const manager = managerOf(world);
      const abort = new AbortController();
      world.loses = (_direction, message) => {
        if (when(message)) abort.abort();
        return false;
      };
      const lease = await attach(world, manager, world.addPod('a'), {}, abort.signal);
      assert.deepEqual(lease, { ok: false, error: { kind: 'cancelled' } });
      await world.time.run(5000);
      assertNothingHeld(world, manager);
    });
  }

  test('cancelled before it began: not a word is sent', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const lease = await attach(world, manager, world.addPod('a'), {}, AbortSignal.abort());
    assert.deepEqual(lease, { ok: false, error: { kind: 'cancelled' } });
    assert.deepEqual(world.journal, ['remove']);
    assertNothingHeld(world, manager);
  });

  test('cancelled while the lease is being stored', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const abort = new AbortController();
    const put = world.store.put.bind(world.store);
    world.store.put = async (record) => {
      await put(record);
      abort.abort();
    };
    const lease = await attach(world, manager, world.addPod('a'), {}, abort.signal);
    assert.deepEqual(lease, { ok: false, error: { kind: 'cancelled' } });
    await world.time.run(10);
    assert.deepEqual(world.server.released, [FIRST]);
    assertNothingHeld(world, manager);
  });
});

describe('the carrier', () => {
  test('nothing is sent before it is there', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    pod.link.lowerUp = false;
    const plugged = world.time.now() + 3000;
    world.time.at(plugged as ReturnType<typeof world.time.now>, () => {
      assert.deepEqual(world.journal, []);
      pod.link.lowerUp = true;
    });
    await attached(world, manager, pod);
    assert.ok(world.time.now() >= plugged);
  });

  test('after a while it is not waited for any more', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    pod.link.lowerUp = false;
    assert.deepEqual(await attach(world, manager, pod), { ok: false, error: { kind: 'no-carrier' } });
    assert.deepEqual(world.journal, []);
    assertNothingHeld(world, manager);
  });

  test('a cancellation is heard while it is waited for', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    pod.link.lowerUp = false;
    const abort = new AbortController();
    world.time.at((world.time.now() + 100) as ReturnType<typeof world.time.now>, () => abort.abort());
    const lease = await attach(world, manager, pod, {}, abort.signal);
    assert.deepEqual(lease, { ok: false, error: { kind: 'cancelled' } });
  });
});
