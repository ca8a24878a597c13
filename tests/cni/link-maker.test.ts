import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mac } from '../../src/base/mac.ts';
import { KeyedOperations } from '../../src/cni/keyed.ts';
import { linkMaker } from '../../src/cni/plugins/link-maker.ts';
import type { MacvlanSpec, Pod, PodLink } from '../../src/cni/ports.ts';
import type { LinkMaker } from '../../src/lease/ports.ts';
import type { LeaseIdentity } from '../../src/lease/record.ts';
import type { UplinkSource } from '../../src/node/ports.ts';

const INODE = '4026532000';
const OWN = mac('02:00:5e:10:00:01');
const OTHER = mac('02:00:5e:10:00:02');
const UPLINK = { index: 9, mtu: 1500 };
const KEY = { containerId: 'pod', network: 'lan', ifname: 'eth0' };

function identity(made: Partial<NonNullable<LeaseIdentity['link']['made']>> = {}): LeaseIdentity {
  return {
    schema: 1,
    key: KEY,
    bootId: 'boot',
    netns: { path: '/run/netns/pod', inode: INODE },
    link: {
      index: 2,
      mac: OWN,
      owned: true,
      made: { master: 'eth0', mode: 'bridge', mtu: undefined, bcQueueLen: undefined, ...made },
    },
    uplinkIndex: 3,
    lan: { index: 3, name: 'eth0' },
    apply: { metric: undefined, routes: 'all', table: undefined, mtu: true },
    conflictCheck: 'off',
    remember: false,
    owner: 'pod',
    config: {
      chaddr: OWN,
      clientId: undefined,
      requestedAddress: undefined,
      parameterRequest: [],
      send: {},
      servers: [],
      relays: [],
      ipv6Only: false,
      rapidCommit: false,
      broadcast: 'auto',
    },
  };
}

const unused = (): never => assert.fail('not needed');

/** A namespace in which one interface may be. */
class Room {
  inode = INODE;
  link: PodLink | undefined;
  uplinkOfLink: number | undefined;
  /** As the kernel does in mode passthru. */
  imposedMac: typeof OWN | undefined;
  readonly asked: MacvlanSpec[] = [];
  readonly configured: object[] = [];
  deleted: number[] = [];
  open = 0;
  readonly operations = new KeyedOperations();

  get maker(): LinkMaker {
    return linkMaker({
      operations: this.operations,
      host: { sight: (index) => (index === UPLINK.index ? {} : undefined) },
      openPod: () => this.#pod(),
    });
  }

  #pod(): Pod & UplinkSource {
    this.open += 1;
    const link: Pod['link'] & UplinkSource['link'] = () => Promise.resolve(this.link);
    return {
      inode: this.inode,
      link,
      peek: () => this.link,
      hostLan: () => Promise.resolve({ uplinkIndex: this.uplinkOfLink, lan: undefined }),
      createMacvlan: (spec) => {
        this.asked.push(spec);
        const { name, mtu = UPLINK.mtu } = spec;
        this.link = { index: 5, name, mac: this.imposedMac ?? spec.mac, mtu, up: spec.up, lowerUp: true };
        return Promise.resolve();
      },
      deleteLink: (index) => {
        this.deleted.push(index);
        return Promise.resolve();
      },
      configure: (index, wanted) => {
        this.configured.push({ index, ...wanted });
        return Promise.resolve();
      },
      setUp: (index) => {
        this.configured.push({ index, up: true });
        return Promise.resolve();
      },
      close: () => {
        this.open -= 1;
      },
      addresses: unused,
      macs: unused,
      routes: unused,
      allRoutes: unused,
      lookups: unused,
      links: unused,
      addRoute: unused,
      deleteRoute: unused,
      sight: unused,
      follow: unused,
      leasedAddresses: unused,
      ensureAddress: unused,
      removeAddress: unused,
      say: unused,
      openFrames: unused,
      hasAddress: unused,
      resetConnections: unused,
      holdClientPort: unused,
      openArp: unused,
      linkByIndex: unused,
      defaultRoutes: unused,
      side: unused,
    };
  }
}

function existing(change: Partial<PodLink> = {}): PodLink {
  const link = { index: 7, name: 'eth0', mac: OWN, mtu: 1500, up: true, lowerUp: true };
  return { ...link, kind: 'macvlan', ...change };
}

test('made as it was, and switched on when it answers ARP for itself alone', async () => {
  const room = new Room();
  const of = identity({ mode: 'private', mtu: 1400, bcQueueLen: 5 });
  assert.deepEqual(await room.maker.makeAgain(of, UPLINK), { kind: 'made', index: 5 });
  assert.deepEqual(room.asked, [
    {
      name: 'eth0',
      masterIndex: UPLINK.index,
      masterIn: 'host',
      mode: 'private',
      mac: OWN,
      mtu: 1400,
      bcQueueLen: 5,
      up: false,
    },
  ]);
  assert.deepEqual(room.configured, [
    { index: 5, addresses: [], routes: [], arpIgnore: true },
    { index: 5, up: true },
  ]);
  assert.equal(room.open, 0);
});

test('an uplink that carries less than the one before', async () => {
  const room = new Room();
  await room.maker.makeAgain(identity({ mtu: 9000 }), UPLINK);
  assert.deepEqual(
    room.asked.map(({ mtu }) => mtu),
    [1500],
  );
});

test('one that an earlier attempt made is taken; nothing is made', async () => {
  const room = new Room();
  room.link = existing();
  room.uplinkOfLink = UPLINK.index;
  assert.deepEqual(await room.maker.makeAgain(identity(), UPLINK), { kind: 'made', index: 7 });
  assert.deepEqual([room.asked, room.open], [[], 0]);
});

for (const [what, link, below] of [
  ['a veth', existing({ kind: 'veth' }), undefined],
  ['a macvlan with another MAC address', existing({ mac: OTHER }), UPLINK.index],
  ['a macvlan on another uplink', existing(), 4],
] as const) {
  test(`${what} has the name: it is left alone`, async () => {
    const room = new Room();
    room.link = link;
    room.uplinkOfLink = below;
    assert.deepEqual(await room.maker.makeAgain(identity(), UPLINK), {
      kind: 'taken',
      why: 'the container has another interface eth0 now',
    });
    assert.deepEqual([room.asked, room.deleted, room.open], [[], [], 0]);
  });
}

test('a MAC address that the uplink imposes is another client: the link is removed again', async () => {
  const room = new Room();
  room.imposedMac = OTHER;
  const remade = await room.maker.makeAgain(identity({ mode: 'passthru' }), UPLINK);
  assert.equal(remade.kind, 'taken');
  assert.deepEqual([room.deleted, room.open], [[5], 0]);
});

test('another namespace lies at the path: nothing is made in it', async () => {
  const room = new Room();
  room.inode = '4026532001';
  await assert.rejects(room.maker.makeAgain(identity(), UPLINK), { code: 'ENOENT' });
  assert.deepEqual([room.asked, room.open], [[], 0]);
});

test('when the daemon stops nothing is begun, and that is no fault', async () => {
  const room = new Room();
  await room.operations.abortAll();
  await room.maker.alone(KEY, () => assert.fail('begun'));
  assert.equal(room.maker.isThere(UPLINK.index), true);
  assert.equal(room.maker.isThere(3), false);
});
