import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { attach, attached, FakeWorld, keyOf, managerOf } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const SQUATTER = mac('02:00:5e:00:00:99');

/** The server does not know that somebody took an address of its pool. */
function withSquatter(): FakeWorld {
  const world = new FakeWorld();
  world.hosts.set(FIRST, SQUATTER);
  world.server.avoidDeclined = true;
  return world;
}

describe('conflict detection', () => {
  test('off: the pod gets the address that somebody uses', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const lease = await attached(world, manager, world.addPod('a'));
    await world.time.run(60_000);
    assert.equal(lease.address.address, FIRST);
    assert.equal(world.counts.get('address-conflict'), undefined);
    await manager.close();
  });

  test('before: the ADD waits, declines, and gives another address after ten seconds', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const from = world.time.now();
    const pod = world.addPod('a');
    const lease = await attached(world, manager, pod, { conflictCheck: 'before' });
    assert.notEqual(lease.address.address, FIRST);
    assert.ok(world.time.now() - from >= 10_000, 'RFC 2131 3.1 step 5');
    assert.ok(world.journal.includes('DECLINE'));
    assert.ok(!pod.history.some((line) => line.includes(`+${FIRST}/`)), 'the address was never used');
    await manager.close();
  });

  test('before, nobody has it: the ADD takes 300 ms longer', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const from = world.time.now();
    const lease = await attached(world, manager, world.addPod('a'), { conflictCheck: 'before' });
    assert.equal(lease.address.address, FIRST);
    const took = world.time.now() - from;
    assert.ok(took >= 300 && took < 400, `${took} ms`);
    await manager.close();
  });

  test('background: the ADD answers at once, then the address is changed in the running pod', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const from = world.time.now();
    const pod = world.addPod('a');
    const lease = await attached(world, manager, pod, { conflictCheck: 'background' });
    assert.equal(lease.address.address, FIRST);
    assert.ok(world.time.now() - from < 100);
    await world.time.run(30_000);
    const now = manager.get(keyOf(pod))?.lease?.address.address;
    assert.ok(now !== undefined && now !== FIRST);
    assert.deepEqual(
      pod.addresses.map(({ address }) => address),
      [now],
    );
    assert.equal(world.counts.get('address-conflict'), 1);
    await manager.close();
  });

  test('it is looked for once: no probe in a day of renewals (RFC 5227 2.1)', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), { conflictCheck: 'background' });
    await world.time.run(24 * 3_600_000);
    const probes = world.questions.filter(
      ({ senderIp, targetIp }) => senderIp === IPV4_ANY && targetIp === FIRST,
    );
    assert.equal(probes.length, 3);
    assert.ok(world.journal.filter((line) => line === 'REQUEST').length > 10, 'and was renewed');
    await manager.close();
  });

  test('in use: defended once, given up to who insists', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod, { conflictCheck: 'background' });
    await world.time.run(30_000);
    const claim = {
      op: 'request',
      senderMac: SQUATTER,
      senderIp: FIRST,
      targetMac: mac('00:00:00:00:00:00'),
      targetIp: FIRST,
    } as const;
    world.hearArp(claim);
    await world.time.run(1000);
    assert.equal(manager.get(keyOf(pod))?.lease?.address.address, FIRST, 'RFC 5227 2.4 (b): once');
    world.hearArp(claim);
    await world.time.run(100);
    assert.equal(manager.get(keyOf(pod))?.lease, undefined);
    assert.deepEqual(pod.addresses, []);
    await manager.close();
  });

  for (const [how, resetError, counted] of [
    ['', undefined, 'connections-reset'],
    [
      ', and where the kernel cannot do that it goes all the same',
      new SysError('SOCK_DESTROY', 'EOPNOTSUPP'),
      'connections-not-reset',
    ],
  ] as const)
    test(`its connections are reset before the address leaves the pod (RFC 5227 2.4)${how}`, async () => {
      const world = withSquatter();
      const manager = managerOf(world);
      const pod = world.addPod('a');
      pod.resetError = resetError;
      await attached(world, manager, pod, { conflictCheck: 'background' });
      pod.history.length = 0;
      await world.time.run(1000);
      assert.deepEqual(pod.history, [`reset ${FIRST}`, `-${FIRST}/16`]);
      assert.equal(world.counts.get(counted), 1);
      assert.equal(world.journal.filter((what) => what === 'DECLINE').length, 1);
      await manager.close();
    });

  test('a lease that ends, and an address that was not used yet, reset nothing', async () => {
    const world = withSquatter();
    const manager = managerOf(world);
    const [ending, waiting] = [world.addPod('a'), world.addPod('b')];
    await attached(world, manager, waiting, { conflictCheck: 'before' });
    await attached(world, manager, ending, { conflictCheck: 'off' });
    world.server.mood = 'silent';
    await world.time.run(3_700_000);
    const { history } = ending;
    assert.ok(history.at(-1)?.startsWith('-'), history.join(' '));
    for (const pod of [ending, waiting])
      assert.ok(!pod.history.some((what) => what.startsWith('reset')), pod.history.join(' '));
    await manager.close();
  });

  test('an ADD that is given up while it looks leaves nothing', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const gone = new AbortController();
    world.time.at(world.time.now(), () => undefined);
    const pod = world.addPod('a');
    const open = world.openPod.bind(world);
    let abort = true;
    world.openPod = (path) => {
      // The check opens the pod once more, after the ACK.
      if (world.journal.includes('REQUEST') && abort) {
        abort = false;
        gone.abort();
      }
      return open(path);
    };
    const lease = await attach(world, manager, pod, { conflictCheck: 'before' }, gone.signal);
    assert.equal(lease.ok, false);
    await world.time.run(1000);
    assert.deepEqual([manager.size, pod.arpPorts.size, pod.sockets.size], [0, 0, 0]);
    assert.deepEqual(world.server.held, []);
    await manager.close();
  });
});
