import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ipv4, ipv4, ipv4FromNumber, ipv4ToNumber } from '../../src/base/ipv4.ts';
import { instant } from '../../src/base/time.ts';
import { ServerSightings } from '../../src/lease/server-sightings.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';
import { makeOptions } from '../../src/wire/dhcp4/options.ts';
import { attach, attached, FakeWorld, managerOf } from './support/world.ts';
import { dhcp4Message } from '../support/dhcp4-message.ts';

const SERVER = ipv4('192.168.1.1');

function message(type: DhcpMessageType, server: Ipv4 = SERVER): Dhcp4Message {
  return dhcp4Message({
    op: 'reply',
    options: makeOptions({ 'dhcp-message-type': type, 'dhcp-server-identifier': server }),
  });
}

const { DHCPOFFER, DHCPACK, DHCPNAK, DHCPFORCERENEW } = DHCP_MESSAGE_TYPE;

describe('what is remembered of servers', () => {
  test('when each said what last', () => {
    const known = new ServerSightings();
    known.heard('eth0', message(DHCPOFFER), instant(1000));
    known.heard('eth0', message(DHCPACK), instant(1500));
    known.heard('eth0', message(DHCPNAK), instant(4000));
    known.heard('eth0', message(DHCPACK), instant(5000));
    known.heard('eth0', message(DHCPFORCERENEW), instant(6000));
    const servers = [{ server: SERVER, offer: 6000, ack: 2000, nak: 3000 }];
    assert.deepEqual(known.list(instant(7000)), [{ lan: 'eth0', servers, renewalUnanswered: undefined }]);
  });

  test('a renewal without an answer, from the first one on, until a server speaks for itself', () => {
    const known = new ServerSightings();
    const unanswered = (now: number): number | undefined => known.list(instant(now))[0]?.renewalUnanswered;
    known.renewalAsked('eth0', instant(1000));
    known.renewalAsked('eth0', instant(9000));
    assert.equal(unanswered(11_000), 10_000);
    known.heard('eth0', message(DHCPOFFER), instant(11_000));
    assert.equal(unanswered(12_000), 11_000, 'an OFFER is for somebody new');
    known.heard('eth0', message(DHCPACK), instant(12_000));
    assert.equal(unanswered(13_000), undefined);
  });

  test('a flood of servers and of interfaces is bounded; who was heard last stays', () => {
    const known = new ServerSightings();
    for (let i = 0; i < 1000; i++) {
      const server = ipv4FromNumber(ipv4ToNumber(ipv4('10.0.0.0')) + i);
      known.heard('eth0', message(DHCPOFFER, server), instant(i));
    }
    const [lan] = known.list(instant(1000));
    assert.equal(lan?.servers.length, 8);
    assert.equal(lan.servers[0]?.server, '10.0.3.231');
    for (let i = 0; i < 1000; i++) known.renewalAsked(`eth${i}`, instant(i));
    assert.equal(known.list(instant(1000)).length, 64);
  });
});

describe('the manager', () => {
  test('learns from what its pods take, for pods that come later, and not from what they ignore', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'));
    const [lan, ...others] = manager.servers();
    assert.deepEqual(others, []);
    assert.equal(lan?.lan, 'uplink0');
    assert.deepEqual(
      lan.servers.map(({ server }) => server),
      [SERVER],
    );
    assert.ok(lan.servers[0]?.offer !== undefined && lan.servers[0].ack !== undefined);
    assert.equal(lan.servers[0].nak, undefined);
    await manager.close();

    const strict = managerOf(world);
    const refused = await attach(world, strict, world.addPod('b'), {
      client: { servers: [ipv4('192.168.1.250')] },
    });
    assert.equal(refused.ok, false);
    assert.deepEqual(
      strict.servers().flatMap(({ servers }) => servers),
      [],
    );
    await strict.close();
  });

  test('a renewal that nobody answers is told apart from a new client that nobody answers', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'));
    world.server.mood = 'silent';
    await attach(world, manager, world.addPod('b'));
    assert.equal(manager.servers()[0]?.renewalUnanswered, undefined);
    await world.time.run(1_743_750 + 61_000);
    assert.notEqual(manager.servers()[0]?.renewalUnanswered, undefined);
    world.server.mood = 'sane';
    await world.time.run(1_800_000);
    assert.equal(manager.servers()[0]?.renewalUnanswered, undefined);
    await manager.close();
  });
});
