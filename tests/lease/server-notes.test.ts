import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { cidr } from '../../src/base/cidr.ts';
import { isIpv4 } from '../../src/base/ip.ts';
import { attach, attached, FakeWorld, keyOf, managerOf } from './support/world.ts';

const GOOD = ipv4('192.168.1.250');

describe('servers', () => {
  test('one that is not on the list is not taken, is counted, and named once', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const got = await attach(world, manager, pod, { client: { servers: [GOOD] } });
    assert.equal(got.ok, false);
    assert.match(JSON.stringify(got), /192\.168\.1\.1\b/, 'the diagnosis names it');
    assert.ok((world.counts.get('message-ignored:server-not-allowed') ?? 0) > 1);
    assert.ok((world.counts.get('server-not-allowed:192.168.1.1') ?? 0) > 1);
    const named = world.warnings.filter((text) => text.includes('not in "servers"'));
    assert.equal(named.length, 1);
    await manager.close();
  });

  test('silence is said, once in a while, and not where a server answers in time', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod);
    await world.time.run(60_000);
    const said = (): number => world.warnings.filter((text) => text.startsWith('no DHCP server has')).length;
    assert.equal(said(), 0);
    world.server.mood = 'silent';
    await attach(world, manager, world.addPod('b'));
    assert.equal(said(), 1);
    await attach(world, manager, world.addPod('c'));
    assert.equal(said(), 1);
    await world.time.run(600_000);
    await attach(world, manager, world.addPod('d'));
    assert.equal(said(), 2);
    assert.equal(world.counts.get('server-silent'), 2);
    assert.ok(manager.get(keyOf(pod)));
    await manager.close();
  });

  test('a server that does not answer renewals is said to be silent', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'));
    world.server.mood = 'silent';
    await world.time.run(1_743_750 + 61_000);
    assert.equal(world.counts.get('server-silent'), 1);
    await manager.close();
  });

  test('one that offers and never confirms is named when its offer is given up, once in a while', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const said = (): number =>
      world.warnings.filter((text) => text.startsWith('a DHCP server offers an address and answers no'))
        .length;
    world.server.mood = 'offers-only';
    for (const name of ['a', 'b']) {
      const got = await attach(world, manager, world.addPod(name));
      assert.equal(got.ok, false);
      assert.equal(said(), 1);
    }
    assert.ok((world.counts.get('request-unanswered') ?? 0) > 2);
    await world.time.run(600_000);
    await attach(world, manager, world.addPod('c'));
    assert.equal(said(), 2);
    await manager.close();
  });

  test('what of its options was not taken is named, once for each lease that brings it', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    const remarked = (): number =>
      world.warnings.filter((text) => text === 'options of the lease were not taken as they are').length;
    world.server.options = { 'domain-name-servers': [ipv4('0.0.0.0'), ipv4('192.168.1.1')] };
    await attached(world, manager, world.addPod('a'));
    assert.equal(remarked(), 1);
    await world.time.run(2_000_000);
    assert.ok((world.counts.get('lease-extended') ?? 0) > 0);
    assert.equal(remarked(), 1);
    world.server.options = { 'domain-name-servers': [ipv4('192.168.1.1')] };
    await attached(world, manager, world.addPod('b'));
    assert.equal(remarked(), 1);
    await manager.close();
  });

  test('routes into a protected network are left out, counted and named', async () => {
    const world = new FakeWorld();
    const services = cidr('10.43.0.0/16');
    assert.ok(isIpv4(services.address));
    world.protect = [{ address: services.address, prefix: services.prefix }];
    world.server.options = {
      'rfc3442-classless-static-routes': [
        { destination: { address: ipv4('10.43.7.0'), prefix: 24 }, router: ipv4('192.168.1.9') },
        { destination: { address: ipv4('10.7.0.0'), prefix: 16 }, router: ipv4('192.168.1.9') },
      ],
    };
    const manager = managerOf(world);
    const pod = world.addPod('a');
    await attached(world, manager, pod);
    assert.deepEqual(
      pod.routes.map(({ dst }) => dst.address),
      ['10.7.0.0'],
    );
    assert.equal(world.counts.get('route-refused'), 1);
    assert.ok(world.warnings.includes('routes of the lease were not taken'));
    await manager.close();
  });
});
