import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import type { HostFrames } from '../../src/lease/ports.ts';
import { type ArpPacket, parseArpFrame } from '../../src/wire/arp.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';
import { DhcpServer, SERVER } from './support/server.ts';
import {
  attach,
  attached,
  FakeWorld,
  managerOf,
  type Overrides,
  requestFor,
  SERVER_MAC,
} from './support/world.ts';

const ROGUE_MAC = mac('02:00:5e:66:66:66');
const ROGUE_ADDRESS = ipv4('192.168.1.66');
const RELAY = ipv4('192.168.1.254');
const RELAY_MAC = mac('02:00:5e:00:00:fd');
const listed: Overrides = { client: { servers: [SERVER], relays: [RELAY] } };
const FORGED = 'message-ignored:forged-source';
const UNCONFIRMED = 'message-ignored:unconfirmed-source';

/** Looks at the ARP that the host sends before it goes out. */
function onArpFromHost(world: FakeWorld, look: (packet: ArpPacket) => void): void {
  const inner = world.frames;
  const frames: HostFrames = {
    send: (index, frame) => {
      const packet = parseArpFrame(frame);
      if (packet.ok) look(packet.value);
      return inner.send(index, frame);
    },
    link: (name) => inner.link(name),
  };
  Object.assign(world, { frames });
}

/**
 * A LAN with a rogue: it answers each question before the server can, with an address of its own choice, and forges
 * option 54, the source of the IP packet, and whatever else `how` says.
 */
function setUp(how: { mac?: Mac; address?: Ipv4; beside?: boolean } = {}) {
  const world = new FakeWorld();
  const rogue = new DhcpServer(() => world.time.now());
  const asked: Ipv4[] = [];
  onArpFromHost(world, ({ targetIp }) => asked.push(targetIp));
  const forge = (question: Dhcp4Message): Dhcp4Message[] => {
    rogue.rebind(ROGUE_ADDRESS);
    const answer = rogue.answer(question);
    rogue.rebind(ROGUE_ADDRESS);
    const isNak = answer?.yiaddr === IPV4_ANY;
    return answer === undefined ? [] : [isNak ? answer : { ...answer, yiaddr: ROGUE_ADDRESS }];
  };
  world.loses = (direction, message) => {
    const answers = direction === 'up' ? forge(message) : [];
    for (const answer of answers) world.deliver(answer, { mac: ROGUE_MAC, ...how });
    return false;
  };
  const count = (event: string): number => world.counts.get(event) ?? 0;
  return { world, rogue, asked, count, forge, manager: managerOf(world) };
}

describe('a rogue that forges the allowed server', () => {
  test('is not taken: ARP names the machine that has the address, and the rogue is named once', async () => {
    const { world, manager, count } = setUp();
    const lease = await attached(world, manager, world.addPod('a'), listed);
    assert.notEqual(lease.address.address, ROGUE_ADDRESS);
    assert.equal(count(FORGED), 2, 'an OFFER and an ACK');
    await attached(world, manager, world.addPod('b'), listed);
    assert.equal(world.warnings.filter((text) => text.includes('does not come from it')).length, 1);
    await manager.close();
  });

  test('is taken where no server is listed: nobody can tell then, and nobody is asked', async () => {
    const { world, manager, asked } = setUp();
    const lease = await attached(world, manager, world.addPod('a'));
    assert.equal(lease.address.address, ROGUE_ADDRESS);
    assert.deepEqual(asked, []);
    await manager.close();
  });

  test('is not taken while the server is away, and the error says where it spoke from', async () => {
    const { world, manager, count } = setUp();
    world.server.mood = 'silent';
    world.hosts.delete(SERVER);
    const got = await attach(world, manager, world.addPod('a'), listed);
    assert.match(
      JSON.stringify(got),
      new RegExp(`nobody on the LAN answers ARP for it \\(${SERVER} from ${ROGUE_MAC}\\)`),
    );
    assert.ok(count(UNCONFIRMED) > 0);
    await manager.close();
  });

  test('is not taken from an address that is not allowed, and ARP is not asked for that', async () => {
    const { world, manager, asked, count } = setUp({ address: ROGUE_ADDRESS });
    const lease = await attached(world, manager, world.addPod('a'), listed);
    assert.notEqual(lease.address.address, ROGUE_ADDRESS);
    assert.equal(count('message-ignored:source-not-allowed'), 2);
    assert.ok(asked.length > 0 && asked.every((address) => address === SERVER));
    await manager.close();
  });

  test('does not keep the server out by answering ARP as well', async () => {
    const { world, manager, count } = setUp();
    world.loses = () => false;
    const pod = world.addPod('a');
    onArpFromHost(world, ({ senderMac: targetMac, senderIp: targetIp, targetIp: senderIp }) => {
      world.hearArp({ op: 'reply', senderMac: ROGUE_MAC, senderIp, targetMac, targetIp });
    });
    await attached(world, manager, pod, listed);
    assert.equal(count('server-address-shared'), 1);
    await manager.close();
  });

  test('is not taken when the pod’s own socket hears it as well: a broadcast, in the second try', async () => {
    const { world, manager, count } = setUp();
    const { loses } = world;
    let heard = 0;
    // The server's first answer is lost; the rogue's are heard by tap and socket.
    world.loses = (direction, message) =>
      loses(direction, message) || (direction === 'down' && heard++ === 0);
    const always = { client: { ...listed.client, broadcast: 'always' as const } };
    const lease = await attached(world, manager, world.addPod('a'), always);
    assert.notEqual(lease.address.address, ROGUE_ADDRESS);
    assert.equal(count(FORGED), 3, 'two OFFERs and an ACK, each once');
    await manager.close();
  });

  test('does not take an address away, nor change it, in RENEWING and REBINDING', async () => {
    const { world, rogue, manager, count } = setUp();
    const lease = await attached(world, manager, world.addPod('a'), listed);
    rogue.mood = 'refusing';
    await world.time.run(1_800_000);
    assert.equal(count('lease-extended'), 1);
    world.server.mood = 'silent';
    await world.time.run(3_200_000);
    assert.equal(count('nak') + count('lease-withdrawn') + count('lease-changed'), 0);
    const client = manager.get({ containerId: 'a', network: 'lan', ifname: 'eth0' });
    assert.equal(client?.lease?.address.address, lease.address.address);
    assert.ok(count(FORGED) > 4);
    await manager.close();
  });

  test('is bounded when it floods with a new MAC each time: what waits, and how often ARP is asked', async () => {
    const { world, manager, asked, count, forge } = setUp();
    world.loses = (direction, message) => {
      for (const answer of direction === 'up' ? forge(message) : []) {
        for (let n = 0; n < 1000; n++) {
          const end = n.toString(16).padStart(4, '0');
          world.deliver(answer, { mac: mac(`02:66:00:00:${end.slice(0, 2)}:${end.slice(2)}`) });
        }
      }
      return false;
    };
    await attached(world, manager, world.addPod('a'), listed);
    assert.equal(count('message-dropped:too-many-to-vet'), 1000 - 16);
    assert.ok(asked.length <= 3);
    await manager.close();
  });
});

describe('an allowed answer', () => {
  test('is taken when ARP is answered late, or in the third round only', async () => {
    const { world, manager } = setUp();
    world.loses = () => false;
    world.hosts.delete(SERVER);
    const got = attached(world, manager, world.addPod('a'), listed);
    let rounds = 0;
    onArpFromHost(world, () => {
      if (++rounds === 3) world.hosts.set(SERVER, SERVER_MAC);
    });
    await got;
    assert.equal(rounds, 3);
    await manager.close();
  });

  test('comes from a relay that is listed, by the MAC that ARP gives for the relay', async () => {
    const { world, manager, count } = setUp();
    world.hosts.set(RELAY, RELAY_MAC);
    world.loses = (direction, message) => {
      if (direction === 'down') world.deliver(message, { address: RELAY, mac: RELAY_MAC });
      return direction === 'down';
    };
    await attached(world, manager, world.addPod('a'), listed);
    const got = await attach(world, manager, world.addPod('b'), { client: { servers: [SERVER] } });
    assert.equal(got.ok, false);
    assert.ok(count('message-ignored:source-not-allowed') > 0);
    await manager.close();
  });

  test('is not taken from a pod beside it, which ARP of the uplink does not reach, and the error says so', async () => {
    const { world, manager, count } = setUp();
    world.hosts.delete(SERVER);
    world.podMacs.add(SERVER_MAC);
    world.loses = (direction, message) => {
      if (direction === 'down') world.deliver(message, { beside: true });
      return direction === 'down';
    };
    const always = { client: { ...listed.client, broadcast: 'always' as const } };
    const got = await attach(world, manager, world.addPod('a'), always);
    assert.match(
      JSON.stringify(got),
      new RegExp(`nobody on the LAN answers ARP for it \\(${SERVER} from ${SERVER_MAC}\\)`),
    );
    assert.ok(count(UNCONFIRMED) > 0);
    await manager.close();
  });

  test('waits for nothing where there is no tap, and nothing waits when the ADD is given up', async () => {
    const { world, manager, asked } = setUp();
    world.loses = () => false;
    const always = {
      ...listed,
      uplinkIndex: undefined,
      client: { ...listed.client, broadcast: 'always' as const },
    };
    await attached(world, manager, world.addPod('a'), always);
    assert.deepEqual(asked, []);
    world.hosts.delete(SERVER);
    const abort = new AbortController();
    const request = requestFor(world, world.addPod('b'), listed);
    const got = manager.acquire(request, abort.signal);
    await world.time.run(50);
    assert.equal(asked.length, 1);
    abort.abort();
    assert.equal((await got).ok, false);
    request.pod.close();
    await world.time.run(1000);
    assert.equal(asked.length, 1);
    await manager.close();
  });
});
