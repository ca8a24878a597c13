import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_V4 } from '../../src/base/cidr.ts';
import { ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';
import { parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import { attach, attached, FakeWorld, managerOf, SERVER_MAC, stored } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const FREE = ipv4('192.168.1.199');
const NESTED = mac('02:00:5e:66:00:01');
const PI_HOLE = mac('02:00:5e:66:00:02');
/** In the network of FIRST where that is a /26. */
const ROUTER = ipv4('192.168.1.65');
const IDLE_ROUTER = ipv4('192.168.1.66');
const ROUTES = [
  { destination: DEFAULT_V4, router: IDLE_ROUTER },
  { destination: { address: ipv4('192.168.1.0'), prefix: 26 }, router: ROUTER },
] as const;
const SHIM = mac('02:00:5e:66:00:04');
const MOVED = mac('02:00:5e:66:00:03');
const BURST_MS = 5500;
/** The pause after a first message is 250 ms: one of it is short of two. */
const TWO_TRIES_MS = 400;
/** Longer than a cable may be out without another network being thought of. */
const AWAY_MS = 11_000;
/** Twenty a second, and twenty more that were saved up. */
const MOST_BESIDE = 20 * 6.5;
/** T1 and T2 of a lease of an hour, with the spread of a client and some tries after it. */
const BEFORE_T1_MS = 1500 * 1000;
const PAST_T1_MS = 2000 * 1000;
const PAST_SECOND_TRY_MS = 2800 * 1000;
const PAST_T2_MS = 3300 * 1000;

type Scene = { readonly world: FakeWorld; readonly manager: LeaseManager; readonly pod: PodModel };

/** A pod that runs, and a server that says nothing any more. */
async function scene(): Promise<Scene> {
  const world = new FakeWorld();
  const manager = managerOf(world);
  const pod = world.addPod('a');
  await attached(world, manager, pod);
  return { world, manager, pod };
}

type Liar = { readonly mac: Mac; readonly broadcast: boolean; readonly beside: boolean };

/** From now on the server hears nothing, and another answers every REQUEST with an ACK for a free address. */
function answerAs({ world }: Pick<Scene, 'world'>, { broadcast, ...from }: Liar): void {
  world.loses = (direction, message) => {
    if (direction === 'down') return false;
    world.server.rebind(FREE);
    const answer: Dhcp4Message | undefined = world.server.answer(message);
    if (answer !== undefined) queueMicrotask(() => world.deliver({ ...answer, broadcast }, from));
    return true;
  };
}

function addressOf({ pod }: Scene): readonly Ipv4[] {
  return pod.addresses.map(({ address }) => address as Ipv4);
}

/** The DHCP frames that left by the uplink itself, as "to whom from which address". */
function framesOf({ world }: Scene): readonly string[] {
  const seen: string[] = [];
  const send = world.frames.send.bind(world.frames);
  world.frames.send = (index, frame) => {
    const datagram = parseUdp4Frame(frame, { checksumReady: true });
    if (datagram.ok) seen.push(`${datagram.value.dstMac} from ${datagram.value.src}`);
    return send(index, frame);
  };
  return seen;
}

describe('who answers a running pod', () => {
  const cases = [
    ['the pod itself, by its own interface', { mac: undefined, broadcast: false, beside: true }, false],
    ['the pod itself, by a broadcast', { mac: undefined, broadcast: true, beside: true }, false],
    ['a macvlan that the pod made beside its own', { mac: NESTED, broadcast: true, beside: true }, false],
    ['another pod with a lease', { mac: 'sibling', broadcast: true, beside: true }, true],
    ['another pod without one', { mac: PI_HOLE, broadcast: true, beside: true }, true],
    ['another pod, by unicast', { mac: PI_HOLE, broadcast: false, beside: true }, true],
    ['the node, by its shim', { mac: SHIM, broadcast: true, beside: true }, true],
    ['a machine of the LAN, by a broadcast', { mac: NESTED, broadcast: true, beside: false }, true],
  ] as const;
  for (const [who, liar, believed] of cases) {
    test(`${who}: ${believed ? '' : 'not '}believed`, async () => {
      const all = await scene();
      const { world, manager, pod } = all;
      const sibling = world.addPod('pi-hole');
      await attached(world, manager, sibling);
      world.podMacs.add(PI_HOLE);
      world.shim = { index: 77, mac: SHIM };
      const from = liar.mac === 'sibling' ? sibling.link.mac : (liar.mac ?? pod.link.mac);
      answerAs(all, { ...liar, mac: from });
      await world.time.run(PAST_T2_MS);
      assert.deepEqual(addressOf(all), [believed ? FREE : FIRST]);
      const ignored = world.counts.get('message-ignored:from-the-pod-itself') ?? 0;
      // What only the pod's interface hears may be the wire's: it is not counted.
      if (from === pod.link.mac) assert.ok(ignored > 0);
      await manager.close();
      assert.equal(pod.sockets.size, 0, 'the pod listens during an exchange only');
    });
  }
});

describe('what asks for more of a lease', () => {
  test('leaves by the uplink, where no pod sees its xid, and from the second try on by the pod as well', async () => {
    const all = await scene();
    const { world } = all;
    await world.time.run(PAST_T1_MS);
    assert.deepEqual(world.sentTo.slice(-1), [`REQUEST to ${SERVER_MAC}`]);
    assert.deepEqual(world.fromPods, []);
    assert.equal(world.letIn.size, 0);
    world.server.mood = 'silent';
    const frames = framesOf(all);
    await world.time.run(PAST_T2_MS);
    assert.deepEqual(
      [...new Set(frames)],
      [`${SERVER_MAC} from ${FIRST}`, `ff:ff:ff:ff:ff:ff from ${FIRST}`],
    );
    const broadcasts = frames.filter((frame) => frame.startsWith('ff:'));
    assert.equal(
      world.fromPods.length,
      broadcasts.length,
      'to a server that is known to be none of the pods: once',
    );
    assert.deepEqual([...world.letIn], [all.pod.link.mac], 'also while the link of the pod is down');
    await all.manager.close();
    assert.equal(world.letIn.size, 0);
  });

  for (const [giver, giverMac] of [
    ['a sibling', PI_HOLE],
    ['the node', SHIM],
  ] as const) {
    test(`leaves by the pod alone, where ${giver} gave the lease: it hears nothing of the uplink`, async () => {
      const all = await scene();
      const { world, manager, pod } = all;
      world.podMacs.add(PI_HOLE);
      world.shim = { index: 77, mac: SHIM };
      world.loses = (direction, message) => {
        const answer = direction === 'up' ? world.server.answer(message) : undefined;
        if (answer !== undefined)
          queueMicrotask(() => world.deliver(answer, { mac: giverMac, address: SERVER }));
        return true;
      };
      await world.time.run(PAST_T1_MS);
      const frames = framesOf(all);
      await world.time.run(PAST_T1_MS);
      assert.deepEqual([frames, addressOf(all)], [[], [FIRST]]);
      assert.deepEqual(world.fromPods, [pod.path]);
      assert.equal(world.sentTo.at(-1), `REQUEST to ${giverMac}`);
      assert.equal(world.counts.get('lease-extended'), 2);
      await manager.close();
    });
  }

  test('who was answered by a sibling goes on with it at once, and learns nothing from what it did not hear', async () => {
    const world = new FakeWorld();
    world.podMacs.add(PI_HOLE);
    world.hosts.set(SERVER, PI_HOLE);
    world.frames.send = () => undefined;
    const manager = managerOf(world);
    const from = world.time.now();
    await attached(world, manager, world.addPod('a'), { client: { rapidCommit: true } });
    assert.deepEqual(world.sentTo, ['DISCOVER to ff:ff:ff:ff:ff:ff', 'REQUEST to ff:ff:ff:ff:ff:ff']);
    assert.ok(world.time.now() - from < TWO_TRIES_MS, 'no REQUEST was repeated');
    assert.equal(world.counts.get('extras-left-out'), undefined);
    await manager.close();
  });

  test('in a burst only a few leave by the pods’ own interfaces', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    world.server.mood = 'silent';
    const pods = Array.from({ length: 100 }, (_, i) => world.addPod(`pod-${i}`));
    const adds = pods.map((pod) => attach(world, manager, pod));
    await world.time.run(BURST_MS);
    assert.ok(world.journal.length >= 3 * pods.length, 'each has asked a third time');
    assert.ok(world.fromPods.length > 0 && world.fromPods.length <= MOST_BESIDE, `${world.fromPods.length}`);
    world.server.mood = 'sane';
    await world.time.until(Promise.all(adds));
    await manager.close();
  });
});

describe('the pod’s kernel', () => {
  test('refuses no answer to a renewal with ICMP port unreachable', async () => {
    const { world, manager, pod } = await scene();
    await world.time.run(PAST_T1_MS);
    assert.equal(world.counts.get('lease-extended'), 1);
    assert.deepEqual([world.refused, pod.held.size], [[], 0], 'and the port is held for that only');
    await manager.close();
  });

  test('the same where its address was away when the renewal was sent, and is put back before the answer', async () => {
    const { world, manager, pod } = await scene();
    const { addresses } = pod;
    await world.time.run(BEFORE_T1_MS);
    pod.addresses = [];
    world.loses = (direction, answer) => {
      if (direction === 'up') return false;
      pod.addresses = addresses;
      world.deliver(answer);
      return true;
    };
    await world.time.run(PAST_T1_MS - BEFORE_T1_MS);
    assert.deepEqual([world.counts.get('lease-extended'), world.refused], [1, []]);
    await manager.close();
    assert.equal(pod.held.size, 0);
  });

  test('a process that has port 68 hinders no renewal', async () => {
    const { world, manager, pod } = await scene();
    pod.portTaken = true;
    await world.time.run(PAST_T1_MS);
    assert.equal(world.counts.get('lease-extended'), 1);
    await manager.close();
  });

  test('neither does a link that is down, or an address and routes that were taken away', async () => {
    const { world, manager, pod } = await scene();
    pod.link.up = false;
    pod.addresses = [];
    pod.routes = [];
    await world.time.run(PAST_T1_MS);
    assert.equal(world.counts.get('lease-extended'), 1);
    assert.equal(world.sentFrom.at(-1), `REQUEST from ${FIRST}`);
    await manager.close();
  });
});

describe('a server that does not know where the pod is', () => {
  test('is told by ARP from the second try on, and in REBINDING; not while a lease is verified', async () => {
    const { world, manager } = await scene();
    manager.watch();
    world.server.mood = 'silent';
    world.questions.length = 0;
    const tells = (): boolean => world.questions.some(({ senderIp }) => senderIp === FIRST);
    world.uplink.lowerUp = false;
    manager.linkChanged({ ...world.uplink, removed: false });
    await world.time.run(AWAY_MS);
    world.uplink.lowerUp = true;
    manager.linkChanged({ ...world.uplink, removed: false });
    await world.time.run(1000);
    assert.equal(world.sentFrom.at(-1), 'REQUEST from 0.0.0.0');
    assert.equal(tells(), false, 'this may be another network');
    await world.time.run(PAST_SECOND_TRY_MS);
    assert.equal(world.sentFrom.at(-1), `REQUEST from ${FIRST}`);
    assert.equal(tells(), true);
    await manager.close();
  });
});

describe('a renewal knows its way', () => {
  test('by what the record says, also after a restart; the second try asks where the server is now', async () => {
    const { world, manager } = await scene();
    await manager.close();
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    world.questions.length = 0;
    world.hosts.set(SERVER, MOVED);
    await world.time.run(PAST_SECOND_TRY_MS);
    const renewals = world.sentTo.filter((one) => one.startsWith('REQUEST')).slice(1);
    assert.deepEqual(renewals, [`REQUEST to ${SERVER_MAC}`, `REQUEST to ${MOVED}`]);
    assert.deepEqual([...new Set(world.questions.map(({ targetIp }) => targetIp))], [SERVER]);
    assert.equal(world.counts.get('lease-extended'), 1);
    await next.close();
  });

  test('a record of before says nothing: ARP is asked first', async () => {
    const { world, manager } = await scene();
    await manager.close();
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume({ ...record, leasedFrom: undefined });
    await world.time.run(PAST_T1_MS);
    assert.ok(world.questions.some(({ targetIp }) => targetIp === SERVER));
    assert.equal(world.sentTo.at(-1), `REQUEST to ${SERVER_MAC}`);
    assert.equal(world.counts.get('lease-extended'), 1);
    await next.close();
  });

  for (const [where, options, asked] of [
    ['behind a router of option 3', { routers: [ROUTER] }, [ROUTER]],
    [
      'behind the router of a classless route, where option 3 does not count',
      { routers: [IDLE_ROUTER], 'rfc3442-classless-static-routes': ROUTES },
      [ROUTER],
    ],
    ['nowhere that the lease says: the way of before is all there is', { routers: [] }, []],
  ] as const) {
    test(`also to a server of another network, ${where}`, async () => {
      const world = new FakeWorld();
      world.hosts.set(ROUTER, SERVER_MAC);
      // The server is not in it.
      world.server.options = { 'subnet-mask': ipv4('255.255.255.192'), ...options };
      const manager = managerOf(world);
      await attached(world, manager, world.addPod('a'));
      world.questions.length = 0;
      world.sentTo.length = 0;
      let lost = 0;
      world.loses = (direction) => direction === 'up' && ++lost === 1;
      await world.time.run(PAST_SECOND_TRY_MS);
      assert.deepEqual(world.sentTo, [`REQUEST to ${SERVER_MAC}`, `REQUEST to ${SERVER_MAC}`]);
      assert.deepEqual([...new Set(world.questions.map(({ targetIp }) => targetIp))], asked);
      assert.equal(world.counts.get('lease-extended'), 1);
      await manager.close();
    });
  }
});
