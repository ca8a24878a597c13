import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LeaseRecord } from '../../src/lease/record.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { LinkMaker, Remade } from '../../src/lease/ports.ts';
import { keyText, type LeaseIdentity, type LinkMade, parseRecord } from '../../src/lease/record.ts';
import type { PodModel } from './support/pods.ts';
import { attached, FakeWorld, keyOf, managerOf, stored, UPLINK } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const SECOND_UPLINK = 77;
const HOUR_MS = 3_600_000;
const ROUND_MS = 20_000;
const MADE: LinkMade = { master: 'uplink0', mode: 'bridge', mtu: undefined, bcQueueLen: undefined };

/** The node's part in links: an uplink that can be unplugged, and what is made of it. */
class Adapter implements LinkMaker {
  readonly world: FakeWorld;
  readonly made: LeaseIdentity[] = [];
  /** Attachments for which something else is done. */
  readonly busy = new Map<string, Promise<void>>();
  /** What is made next turns out like this. */
  refuse: (() => Remade) | undefined;
  renamed = false;

  constructor(world: FakeWorld) {
    this.world = world;
  }

  async alone(key: LeaseIdentity['key'], work: () => Promise<void>): Promise<void> {
    await this.busy.get(keyText(key));
    await work();
  }

  isThere(index: number): boolean {
    return this.renamed || (index === this.world.uplink.index && !this.world.gone.has(index));
  }

  makeAgain(identity: LeaseIdentity, uplink: { readonly index: number }): Promise<Remade> {
    if (this.refuse !== undefined) return Promise.resolve().then(this.refuse);
    const pod = this.world.pods.get(identity.netns.path);
    assert.ok(pod?.inode === identity.netns.inode, 'the namespace is the one of the lease');
    assert.ok(pod.linkGone, 'no link is made twice');
    assert.equal(uplink.index, this.world.uplink.index);
    this.made.push(identity);
    pod.linkGone = false;
    pod.link.index += 1000;
    return Promise.resolve({ kind: 'made', index: pod.link.index });
  }

  /** The kernel takes all links of the uplink along. */
  unplug(manager: LeaseManager): void {
    const { index, name } = this.world.uplink;
    this.world.gone.add(index);
    for (const pod of this.world.pods.values()) takeLink(pod);
    manager.linkChanged({ index, name, up: false, lowerUp: false, removed: true });
  }

  plugIn(manager: LeaseManager, index = SECOND_UPLINK): void {
    const { uplink } = this.world;
    uplink.index = index;
    const { name } = uplink;
    for (const up of [false, true]) manager.linkChanged({ index, name, up, lowerUp: up, removed: false });
  }
}

function takeLink(pod: PodModel): void {
  pod.linkGone = true;
  pod.addresses = [];
  pod.routes = [];
}

type Scene = {
  readonly world: FakeWorld;
  readonly manager: LeaseManager;
  readonly adapter: Adapter;
  readonly pod: PodModel;
};

async function scene(overrides: Parameters<typeof attached>[3] = { made: MADE }): Promise<Scene> {
  const world = new FakeWorld();
  const adapter = new Adapter(world);
  const manager = managerOf(world, adapter);
  manager.watch();
  const pod = world.addPod('a');
  await attached(world, manager, pod, overrides);
  forgetWhatWas(world, pod);
  return { world, manager, adapter, pod };
}

function forgetWhatWas(world: FakeWorld, pod: PodModel): void {
  world.journal.length = 0;
  pod.history.length = 0;
}

function addressesOf(pod: PodModel): readonly string[] {
  return pod.addresses.map(({ address }) => address);
}

/** As JSON has it: without what is undefined. */
function plain(records: readonly (LeaseRecord | undefined)[]): unknown {
  return JSON.parse(JSON.stringify(records));
}

describe('an uplink that is plugged in again', () => {
  test('its pods have their interface and address back, and the server is asked whether they may', async () => {
    const { world, manager, adapter, pod } = await scene();
    const { routes } = pod;
    const before = manager.get(keyOf(pod))?.record;
    adapter.unplug(manager);
    await world.time.run(2 * ROUND_MS + 1000);
    assert.deepEqual([manager.size, manager.owed, world.journal], [1, 0, []], 'kept, and nothing is sent');
    adapter.plugIn(manager);
    await world.time.run(1000);
    assert.deepEqual([addressesOf(pod), pod.routes], [[FIRST], routes]);
    assert.deepEqual(world.journal, ['put', 'REQUEST', 'put']);
    assert.equal(world.sentFrom.at(-1), 'REQUEST from 0.0.0.0');
    const after = manager.get(keyOf(pod))?.record;
    assert.deepEqual(
      [after?.lan, after?.uplinkIndex, after?.link, after?.state.kind],
      [
        { index: SECOND_UPLINK, name: 'uplink0' },
        SECOND_UPLINK,
        { ...before?.link, index: pod.link.index },
        'bound',
      ],
    );
    assert.deepEqual(plain(stored(world)), plain([after]));
    assert.equal(world.counts.get('link-remade'), 1);
    await world.time.until(manager.release(keyOf(pod)));
    await world.time.run(1000);
    assert.deepEqual([world.server.released, world.files.size], [[FIRST], 0]);
    await manager.close();
    assert.deepEqual([world.time.pending, pod.openHandles], [0, 0]);
  });

  test('away and back before anybody looked: the same; option 57 is the MTU of the new interface', async () => {
    const { world, manager, adapter, pod } = await scene();
    assert.equal(manager.get(keyOf(pod))?.record.config.mtu, 1500);
    adapter.unplug(manager);
    world.uplink.mtu = 1400;
    adapter.plugIn(manager);
    await world.time.run(1000);
    assert.deepEqual([adapter.made.length, addressesOf(pod)], [1, [FIRST]]);
    assert.equal(manager.get(keyOf(pod))?.record.config.mtu, 1400);
    await manager.close();
  });

  test('without a word of it: the next round sees it', async () => {
    const { world, manager, adapter, pod } = await scene();
    world.gone.add(UPLINK);
    world.uplink.index = SECOND_UPLINK;
    takeLink(pod);
    await world.time.run(ROUND_MS + 1000);
    assert.deepEqual([adapter.made.length, addressesOf(pod)], [1, [FIRST]]);
    await manager.close();
  });

  test('without a carrier nothing is made; with it, once, however often it is told', async () => {
    const { world, manager, adapter } = await scene();
    adapter.unplug(manager);
    world.uplink.lowerUp = false;
    adapter.plugIn(manager);
    await world.time.run(ROUND_MS * 2);
    // The fake has told of a carrier that is not there.
    assert.equal(adapter.made.length, 0);
    world.uplink.lowerUp = true;
    for (let i = 0; i < 5; i++) adapter.plugIn(manager);
    await world.time.run(1000);
    for (let i = 0; i < 5; i++) adapter.plugIn(manager);
    await world.time.run(HOUR_MS / 4);
    assert.equal(adapter.made.length, 1);
    await manager.close();
  });

  test('the lease ended meanwhile: the link is made, and the address asked for', async () => {
    const { world, manager, adapter, pod } = await scene();
    adapter.unplug(manager);
    await world.time.run(2 * HOUR_MS);
    assert.equal(manager.get(keyOf(pod))?.lease, undefined);
    world.journal.length = 0;
    adapter.plugIn(manager);
    await world.time.run(2000);
    assert.deepEqual(addressesOf(pod), [FIRST]);
    assert.equal(manager.get(keyOf(pod))?.record.state.kind, 'bound');
    await manager.close();
  });

  test('another network behind it: the NAK takes the address away again, and another comes', async () => {
    const { world, manager, adapter, pod } = await scene();
    adapter.unplug(manager);
    await world.time.run(ROUND_MS);
    world.server.forgetAll();
    adapter.plugIn(manager);
    await world.time.run(2000);
    assert.deepEqual(pod.history, [`+${FIRST}/16`, `-${FIRST}/16`, `+${FIRST}/16`]);
    assert.equal(world.counts.get('nak'), 1);
    await manager.close();
  });

  test('again and again', async () => {
    const { world, manager, adapter, pod } = await scene();
    for (const index of [77, 78, 79]) {
      adapter.unplug(manager);
      await world.time.run(30_000);
      adapter.plugIn(manager, index);
      await world.time.run(30_000);
      assert.deepEqual([addressesOf(pod), manager.get(keyOf(pod))?.record.lan?.index], [[FIRST], index]);
    }
    await world.time.run(HOUR_MS);
    assert.deepEqual([manager.size, addressesOf(pod)], [1, [FIRST]], 'and it is renewed');
    await manager.close();
  });

  test('the daemon was down meanwhile: taken up, made, asked', async () => {
    const { world, manager, adapter, pod } = await scene();
    await manager.close();
    await world.time.run(30_000);
    adapter.unplug(manager);
    world.uplink.index = SECOND_UPLINK;
    const next = managerOf(world, adapter);
    for (const record of stored(world)) await next.resume(record);
    next.watch();
    await world.time.run(1000);
    assert.deepEqual([adapter.made.length, addressesOf(pod)], [1, [FIRST]]);
    assert.deepEqual(world.journal, ['put', 'REQUEST', 'put']);
    await next.close();
  });

  test('the daemon starts while it is away: the lease waits', async () => {
    const { world, manager, adapter, pod } = await scene();
    await manager.close();
    adapter.unplug(manager);
    const next = managerOf(world, adapter);
    for (const record of stored(world)) await next.resume(record);
    next.watch();
    await world.time.run(60_000);
    assert.deepEqual([next.size, next.owed], [1, 0]);
    adapter.plugIn(next);
    await world.time.run(1000);
    assert.deepEqual(addressesOf(pod), [FIRST]);
    await next.close();
  });

  test('five hundred pods: all of them, fifty things a second', async () => {
    const world = new FakeWorld();
    world.server.poolSize = 500;
    const adapter = new Adapter(world);
    const manager = managerOf(world, adapter);
    manager.watch();
    for (let i = 0; i < 500; i++) await attached(world, manager, world.addPod(`pod-${i}`), { made: MADE });
    world.journal.length = 0;
    adapter.unplug(manager);
    await world.time.run(30_000);
    adapter.plugIn(manager);
    await world.time.run(1000);
    const { length } = adapter.made;
    const sent = world.journal.filter((what) => what === 'REQUEST').length;
    assert.ok(length + sent > 40 && length + sent <= 55, `${length} links, ${sent} messages`);
    await world.time.run(30_000);
    assert.equal(adapter.made.length, 500);
    assert.equal(world.journal.filter((what) => what === 'REQUEST').length, 500);
    assert.ok(world.journal.every((what) => what !== 'DISCOVER'));
    assert.ok([...world.pods.values()].every((pod) => pod.addresses.length === 1));
    await manager.close();
  });
});

describe('an interface that is not made again', () => {
  test('its uplink is where it was: somebody removed it and meant it', async () => {
    const { world, manager, adapter, pod } = await scene();
    takeLink(pod);
    await world.time.run(2 * ROUND_MS + 2000);
    assert.deepEqual([manager.size, adapter.made.length, world.server.released], [0, 0, [FIRST]]);
    await manager.close();
  });

  test('its uplink has another name now: the same', async () => {
    const { world, manager, adapter, pod } = await scene();
    world.uplink.name = 'lan0';
    adapter.renamed = true;
    takeLink(pod);
    await world.time.run(2 * ROUND_MS + 2000);
    assert.deepEqual([manager.size, adapter.made.length], [0, 0]);
    await manager.close();
  });

  for (const [what, overrides] of [
    ['of a record of an earlier version', {}],
    ['that another plugin made', { owned: false, made: MADE }],
  ] as const) {
    test(`one ${what}: its lease is given back`, async () => {
      const { world, manager, adapter } = await scene(overrides);
      adapter.unplug(manager);
      adapter.plugIn(manager);
      await world.time.run(2 * ROUND_MS + 2000);
      assert.deepEqual([manager.size, adapter.made.length, world.server.released], [0, 0, [FIRST]]);
      await manager.close();
    });
  }

  test('the container has another interface of its name: that one is left alone', async () => {
    const { world, manager, adapter } = await scene();
    adapter.refuse = () => ({ kind: 'taken', why: 'the container has another interface eth0 now' });
    adapter.unplug(manager);
    adapter.plugIn(manager);
    await world.time.run(2000);
    assert.deepEqual([manager.size, world.server.released], [0, [FIRST]]);
    await manager.close();
  });

  test('it cannot be made yet: said once, tried in every round', async () => {
    const { world, manager, adapter, pod } = await scene();
    let tries = 0;
    adapter.refuse = () => {
      tries += 1;
      throw new SysError('RTM_NEWLINK eth0', 'EADDRINUSE');
    };
    adapter.unplug(manager);
    adapter.plugIn(manager);
    await world.time.run(3 * ROUND_MS + 1000);
    assert.ok(tries >= 3 && tries <= 5, `${tries} tries`);
    assert.equal(world.counts.get('relink-failed:EADDRINUSE'), tries);
    assert.equal(world.warnings.filter((text) => text.includes('made again yet')).length, 1);
    adapter.refuse = undefined;
    await world.time.run(ROUND_MS + 1000);
    assert.deepEqual(addressesOf(pod), [FIRST]);
    await manager.close();
  });

  test('its namespace went: released', async () => {
    const { world, manager, adapter, pod } = await scene();
    adapter.unplug(manager);
    world.pods.delete(pod.path);
    adapter.plugIn(manager);
    await world.time.run(2 * ROUND_MS + 2000);
    assert.deepEqual([manager.size, adapter.made.length, world.server.released], [0, 0, [FIRST]]);
    await manager.close();
  });

  test('another namespace lies at its path: nothing is made there', async () => {
    const { world, manager, adapter, pod } = await scene();
    adapter.unplug(manager);
    world.pods.delete(pod.path);
    const other = world.addPod('a', 50);
    takeLink(other);
    adapter.plugIn(manager);
    await world.time.run(2 * ROUND_MS + 2000);
    assert.deepEqual([manager.size, adapter.made.length, other.history], [0, 0, []]);
    await manager.close();
  });

  test('a DEL comes first: nothing is made, and the server hears of it', async () => {
    const { world, manager, adapter, pod } = await scene();
    adapter.unplug(manager);
    await world.time.run(1000);
    const { promise, resolve } = Promise.withResolvers<void>();
    adapter.busy.set(keyText(keyOf(pod)), promise);
    adapter.plugIn(manager);
    await world.time.run(1000);
    const released = manager.release(keyOf(pod));
    await world.time.until(released);
    resolve();
    await world.time.run(2000);
    assert.deepEqual([adapter.made.length, manager.size, world.files.size], [0, 0, 0]);
    assert.deepEqual(world.server.released, [FIRST], 'by the uplink that has come back');
    await manager.close();
  });

  test('a pod that was deleted while the uplink was away is released when it is back', async () => {
    const { world, manager, adapter, pod } = await scene();
    adapter.unplug(manager);
    await world.time.until(manager.release(keyOf(pod)));
    await world.time.run(60_000);
    assert.deepEqual([manager.owed, world.server.released], [1, []]);
    adapter.plugIn(manager);
    await world.time.run(1000);
    assert.deepEqual([manager.owed, world.server.released, world.files.size], [0, [FIRST], 0]);
    await manager.close();
  });
});

test('the record remembers what a link was made of, and one without it can be read', async () => {
  const made: LinkMade = { master: 'uplink0', mode: 'private', mtu: 1400, bcQueueLen: 5 };
  const { world, manager } = await scene({ made });
  const [record] = stored(world);
  assert.deepEqual(record?.link.made, made);
  const { made: _, ...link } = record?.link ?? {};
  const old = parseRecord(JSON.parse(JSON.stringify({ ...record, link })));
  assert.ok(old.ok && old.value.link.made === undefined);
  const wrong = parseRecord(
    JSON.parse(JSON.stringify({ ...record, link: { ...link, made: { ...made, mode: 'x' } } })),
  );
  assert.ok(!wrong.ok);
  assert.match(wrong.error, /^link\.made\.mode: /);
  await manager.close();
});
