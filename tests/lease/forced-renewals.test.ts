import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leaseViews, serverViews } from '../../src/api/lease-view.ts';
import { ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { BROADCAST_MAC, type Mac, mac } from '../../src/base/mac.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import {
  counter,
  forceRenew,
  hmacMd5,
  KEY,
  nonceOption,
  OTHER_KEY,
  type Signing,
} from '../protocol/dhcp4/signed.ts';
import type { LinkMaker } from '../../src/lease/ports.ts';
import { announcement } from '../../src/protocol/acd4/packets.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import {
  attached,
  FakeWorld,
  keyOf,
  managerOf,
  type Overrides,
  SERVER_MAC,
  stored,
  UPLINK,
} from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const WILLING: Overrides = { client: { forceRenew: true } };
const CHANGED = ipv4('192.168.1.9');

type Node = { readonly world: FakeWorld; readonly manager: LeaseManager; readonly pods: readonly PodModel[] };

/** Pods whose server has given them the nonce KEY, counter 5; what happened until then is forgotten. */
async function withPods(count: number, overrides = WILLING): Promise<Node> {
  const world = new FakeWorld();
  world.server.options = { 'forcerenew-nonce-capable': [1], authenticate: nonceOption(KEY, 5) };
  const manager = managerOf(world);
  manager.watch();
  const pods = Array.from({ length: count }, (_, i) => world.addPod(`pod-${i}`));
  for (const pod of pods) await attached(world, manager, pod, overrides);
  // RFC 6704 3.1.3: once is enough.
  world.server.options = { 'forcerenew-nonce-capable': [1], 'domain-name-servers': [CHANGED] };
  await world.time.run(20_000);
  world.journal.length = 0;
  return { world, manager, pods };
}

type Way = {
  readonly to?: Ipv4;
  readonly toMac?: Mac;
  readonly from?: Ipv4;
  readonly fromMac?: Mac;
  readonly uplink?: number;
};

function say(world: FakeWorld, pod: PodModel, signing: Partial<Signing> = {}, way: Way = {}): void {
  const frame = emitUdp4Frame({
    srcMac: way.fromMac ?? SERVER_MAC,
    dstMac: way.toMac ?? pod.link.mac,
    src: way.from ?? SERVER,
    dst: way.to ?? pod.addresses[0]?.address ?? FIRST,
    srcPort: 67,
    dstPort: 68,
    payload: forceRenew({ chaddr: pod.link.mac, server: SERVER, key: KEY, replay: 6, ...signing }),
  } as Parameters<typeof emitUdp4Frame>[0]);
  world.taps.get(way.uplink ?? UPLINK)?.(frame, true);
}

function requests(world: FakeWorld): number {
  return world.journal.filter((what) => what === 'REQUEST').length;
}

function first({ pods }: Node): PodModel {
  const [pod] = pods;
  assert.ok(pod);
  return pod;
}

describe('a server wants a renewal', () => {
  test('a lease at rest is renewed at once, and the pod has what has changed', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    const pod = first(node);
    say(world, pod);
    await world.time.run(100);
    // The counter is on disk, and so is the new lease.
    assert.deepEqual(world.journal, ['put', 'REQUEST', 'put']);
    assert.deepEqual(world.sentFrom.at(-1), `REQUEST from ${FIRST}`);
    assert.equal(world.counts.get('forcerenew:accepted'), 1);
    assert.deepEqual(manager.get(keyOf(pod))?.lease?.dnsServers, [CHANGED]);
    assert.deepEqual(
      world.told.map(({ message, fields }) => ({ message, ...fields })),
      [
        {
          message: 'the server wants the lease to be renewed (FORCERENEW)',
          lease: 'pod-0/lan/eth0',
          address: SERVER,
          mac: SERVER_MAC,
        },
      ],
    );
    await manager.close();
  });

  test('the nonce is on disk, and nowhere else', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    say(world, first(node));
    say(world, first(node), { key: OTHER_KEY, replay: 9 });
    await world.time.run(100);
    const key = KEY.toHex();
    const [record] = stored(world);
    assert.ok(record !== undefined && 'lease' in record.state);
    assert.deepEqual(record.state.lease.nonce, { key, replay: counter(6) });
    const source = {
      list: () => manager.list(),
      debts: () => manager.debts(),
      servers: () => manager.servers(),
      now: () => world.time.now(),
    };
    const shown = [leaseViews(source), serverViews(source), world.told, world.warned, [...world.counts]];
    assert.equal(JSON.stringify(shown).includes(key), false);
    await manager.close();
  });

  test('it goes on after a restart: a new one is obeyed, one of before is a replay', async () => {
    const { world, manager, pods } = await withPods(1);
    const [pod] = pods;
    assert.ok(pod);
    say(world, pod);
    await world.time.run(100);
    await manager.close();
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    next.watch();
    await world.time.run(1000);
    world.journal.length = 0;
    say(world, pod);
    await world.time.run(1000);
    assert.deepEqual(world.journal, []);
    assert.equal(world.counts.get('forcerenew:replayed'), 1);
    say(world, pod, { replay: 7 });
    await world.time.run(100);
    assert.equal(requests(world), 1);
    await next.close();
  });

  test('the answer is a NAK: another address, and the nonce that came with it', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    const pod = first(node);
    world.server.forgetAll();
    world.server.options = { 'forcerenew-nonce-capable': [1], authenticate: nonceOption(OTHER_KEY, 50) };
    say(world, pod);
    await world.time.run(1000);
    assert.deepEqual(
      world.journal.filter((what) => what !== 'put'),
      ['REQUEST', 'DISCOVER', 'REQUEST'],
    );
    say(world, pod, { replay: 60 });
    await world.time.run(1000);
    assert.equal(world.counts.get('forcerenew:forged'), 1);
    world.journal.length = 0;
    await world.time.run(10_000);
    say(world, pod, { key: OTHER_KEY, replay: 51 });
    await world.time.run(100);
    assert.equal(requests(world), 1);
    await manager.close();
  });
});

describe('no storm', () => {
  test('one lease is renewed once in ten seconds; what came in between is not lost', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    for (let i = 0; i < 5; i++) say(world, first(node), { replay: 6 + i });
    await world.time.run(9000);
    assert.equal(requests(world), 1);
    say(world, first(node), { replay: 20 });
    await world.time.run(900);
    assert.equal(requests(world), 1);
    await world.time.run(200);
    assert.equal(requests(world), 2, 'its turn has come');
    await world.time.run(60_000);
    assert.equal(requests(world), 2);
    await manager.close();
  });

  test('who has read the nonce on the LAN makes nobody write and log for each one; none counts twice', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    for (let replay = 6; replay < 106; replay++) {
      say(world, first(node), { replay });
      await world.time.run(90);
    }
    const said = 'the server wants the lease to be renewed (FORCERENEW)';
    assert.equal(world.told.filter(({ message }) => message === said).length, 2);
    const puts = world.journal.filter((what) => what === 'put').length;
    assert.equal(puts, 3, 'the first, its ACK, and the second, whose turn has not come');
    const accepted = world.counts.get('forcerenew:accepted') ?? 0;
    for (let replay = 6; replay < 10; replay++) say(world, first(node), { replay });
    assert.equal(world.counts.get('forcerenew:accepted'), accepted);
    await world.time.run(20_000);
    const [record] = stored(world);
    assert.ok(record !== undefined && 'lease' in record.state);
    assert.equal(record.state.lease.nonce?.replay, counter(105), 'stored with the ACK');
    await manager.close();
  });

  test('many pods at once: fifty a second, each has its turn', async () => {
    const node = await withPods(150);
    const { world, manager, pods } = node;
    for (const pod of pods) say(world, pod);
    await world.time.run(1000);
    assert.ok(requests(world) >= 49 && requests(world) <= 52, `${requests(world)} in the first second`);
    await world.time.run(2100);
    assert.equal(requests(world), pods.length);
    assert.equal(world.counts.get('forcerenew:accepted'), pods.length);
    await manager.close();
  });

  test('bogus ones by the thousand cost ten digests a second, and another pod is heard all the same', async () => {
    const node = await withPods(2);
    const { world, manager, pods } = node;
    let digests = 0;
    world.hmacMd5 = (key, data) => {
      digests += 1;
      return hmacMd5(key, data);
    };
    for (let i = 0; i < 1000; i++) say(world, first(node), { key: OTHER_KEY, replay: 100 + i });
    assert.equal(digests, 10);
    assert.equal(world.counts.get('forcerenew:forged'), 10);
    assert.equal(world.counts.get('forcerenew:too-many'), 990);
    const other = pods[1];
    assert.ok(other);
    say(world, other);
    await world.time.run(1000);
    assert.equal(requests(world), 1);
    await manager.close();
  });
});

describe('what is not obeyed', () => {
  const bogus: readonly (readonly [string, string, Partial<Signing>, Way?])[] = [
    ['unauthenticated', 'unauthenticated', { key: undefined }],
    ['of another server', 'foreign', { server: ipv4('192.168.1.2') }],
    ['for another MAC address', 'not-ours', { chaddr: mac('02:00:5e:66:66:66') }],
    ['to all addresses', 'not-unicast', {}, { to: ipv4('255.255.255.255') }],
  ];
  for (const [what, reason, signing, way] of bogus) {
    test(`${what}: counted, and its sender named`, async () => {
      const node = await withPods(1);
      const { world, manager } = node;
      const fromMac = mac('02:00:5e:77:77:77');
      say(world, first(node), signing, { ...way, from: ipv4('192.168.1.77'), fromMac });
      await world.time.run(30_000);
      assert.deepEqual(world.journal, []);
      assert.equal(world.counts.get(`forcerenew:${reason}`), 1);
      const [said] = world.warned;
      assert.equal(said?.message, 'a FORCERENEW is not obeyed');
      assert.deepEqual(
        { ...said?.fields, why: '' },
        {
          lease: 'pod-0/lan/eth0',
          address: '192.168.1.77',
          mac: fromMac,
          why: '',
        },
      );
      await manager.close();
    });
  }

  test('in a frame to all, or to a machine that is no pod: nobody looks at it', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    for (const toMac of [BROADCAST_MAC, mac('02:00:5e:99:99:99')]) say(world, first(node), {}, { toMac });
    await world.time.run(1000);
    assert.deepEqual(world.journal, []);
    assert.deepEqual(
      [...world.counts.keys()].filter((name) => name.startsWith('forcerenew')),
      [],
    );
    await manager.close();
  });

  test('a sender is named once in ten minutes, and sixteen of them', async () => {
    const node = await withPods(1);
    const { world, manager } = node;
    const pod = first(node);
    const say20 = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        for (let twice = 0; twice < 2; twice++)
          say(world, pod, { key: undefined }, { from: ipv4(`192.168.7.${i + 1}`) });
        await world.time.run(1000);
      }
    };
    await say20();
    assert.equal(world.warned.length, 16);
    await world.time.run(600_000);
    await say20();
    assert.equal(world.warned.length, 32);
    await manager.close();
  });
});

describe('who could not obey says nothing of it', () => {
  for (const [what, overrides, noMd5] of [
    ['no uplink, whose tap hears it', { ...WILLING, uplinkIndex: undefined }, false],
    ['no MD5 on this machine', WILLING, true],
    ['not wanted', { client: { forceRenew: false } }, false],
  ] as const) {
    test(what, async () => {
      const world = new FakeWorld();
      if (noMd5) world.hmacMd5 = undefined;
      const sent: boolean[] = [];
      world.loses = (direction, message) => {
        if (direction === 'up') sent.push(message.options.has(145));
        return false;
      };
      const manager = managerOf(world);
      await attached(world, manager, world.addPod('a'), overrides);
      assert.deepEqual(sent, [false, false]);
      await manager.close();
    });
  }
});

test('one that comes while an interface is made again: the address is looked after all the same', async () => {
  const world = new FakeWorld();
  world.server.options = { 'forcerenew-nonce-capable': [1], authenticate: nonceOption(KEY, 5) };
  const maker: LinkMaker = {
    alone: async (_, work) => await work(),
    isThere: (index) => index === world.uplink.index && !world.gone.has(index),
    makeAgain: () => {
      pod.linkGone = false;
      return Promise.resolve({ kind: 'made', index: ++pod.link.index });
    },
  };
  const manager = managerOf(world, maker);
  manager.watch();
  const pod = world.addPod('pod');
  const made = { master: world.uplink.name, mode: 'bridge', mtu: undefined, bcQueueLen: undefined } as const;
  await attached(world, manager, pod, { ...WILLING, made, conflictCheck: 'background' });
  await world.time.run(20_000);
  const { name } = world.uplink;
  world.gone.add(UPLINK);
  pod.linkGone = true;
  pod.addresses = [];
  manager.linkChanged({ index: UPLINK, name, up: false, lowerUp: false, removed: true });
  world.uplink.index = UPLINK + 1;
  pod.note = (what) => {
    if (what.startsWith('+')) say(world, pod, {}, { to: FIRST, uplink: UPLINK + 1 });
  };
  for (const up of [false, true])
    manager.linkChanged({ index: UPLINK + 1, name, up, lowerUp: up, removed: false });
  await world.time.run(20_000);
  assert.equal(world.counts.get('forcerenew:accepted'), 1);
  world.hearArp(announcement(FIRST, mac('02:00:5e:66:66:66')));
  await world.time.run(1000);
  assert.equal(world.counts.get('address-defended'), 1);
  await manager.close();
});
