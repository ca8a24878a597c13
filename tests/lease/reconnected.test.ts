import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import { attached, FakeWorld, keyOf, managerOf, type Overrides, stored, UPLINK } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const SECOND = ipv4('192.168.1.101');
const SQUATTER = mac('02:00:5e:00:00:99');
/** Longer than RFC 5227's probing ever takes. */
const PROBED_MS = 8000;
const ROUND_MS = 20_000;
/** Longer than it takes to find out, and shorter than it takes to find another address. */
const FOUND_MS = 5000;
const DOWN = { index: UPLINK, name: 'uplink0', up: true, lowerUp: false, removed: false };
const UP = { ...DOWN, lowerUp: true };
/** RFC 5227 1.1: PROBE_NUM. */
const PROBES = 3;

type Scene = { readonly world: FakeWorld; readonly manager: LeaseManager };

/** So many pods with a lease each, whose own probes are over. */
async function scene(overrides: Overrides = { conflictCheck: 'background' }, pods = 1): Promise<Scene> {
  const world = new FakeWorld();
  world.server.avoidDeclined = true;
  const manager = managerOf(world);
  manager.watch();
  for (let i = 0; i < pods; i++) await attached(world, manager, world.addPod(`p${i}`), overrides);
  await world.time.run(PROBED_MS);
  forget(world);
  return { world, manager };
}

function forget(world: FakeWorld): void {
  world.questions.length = 0;
  world.journal.length = 0;
}

/** ARP probes from the uplink (RFC 5227 1.1: the sender's address is zero), by the address that they seek. */
function probesOf({ questions }: FakeWorld): readonly string[] {
  return questions.filter(({ senderIp }) => senderIp === IPV4_ANY).map(({ targetIp }) => targetIp);
}

const RETURNS = {
  'a cable that was out for five seconds': async ({ world, manager }: Scene) => {
    manager.linkChanged(DOWN);
    await world.time.run(5000);
    manager.linkChanged(UP);
  },
  'a cable that was out for a minute': async ({ world, manager }: Scene) => {
    manager.linkChanged(DOWN);
    await world.time.run(60_000);
    manager.linkChanged(UP);
  },
  "the pod's own link, which was switched off": async ({ world, manager }: Scene) => {
    for (const { link } of world.pods.values()) {
      for (const up of [false, true])
        manager.podLinkChanged({ index: link.index, mac: link.mac, up, removed: false });
    }
    await world.time.run(0);
  },
  'a sleep of five minutes': async ({ world }: Scene) => world.time.sleep(300_000),
  'a sleep of five seconds': async ({ world }: Scene) => {
    world.time.sleep(5000);
    await world.time.run(ROUND_MS);
    // Seen with the next round at the latest.
  },
};

describe('the address is probed again after', () => {
  for (const [what, happens] of Object.entries(RETURNS)) {
    test(`${what}: three times, announced, and stays in use`, async () => {
      const all = await scene();
      const { world, manager } = all;
      const [pod] = world.pods.values();
      assert.ok(pod !== undefined);
      pod.history.length = 0;
      await happens(all);
      await world.time.run(PROBED_MS);
      assert.deepEqual(probesOf(world), Array<string>(PROBES).fill(FIRST));
      const last = world.questions.at(-1);
      assert.deepEqual([last?.senderIp, last?.targetIp], [FIRST, FIRST], 'RFC 5227 2.3');
      assert.ok(!pod.history.some((line) => line.startsWith('-')), 'the address stays');
      forget(world);
      await world.time.run(10 * ROUND_MS);
      assert.deepEqual(probesOf(world), [], 'and never periodically (RFC 5227 2.1)');
      await manager.close();
      assert.equal(world.time.pending, 0);
    });

    test(`${what}: who has taken it meanwhile is a conflict, and the server is told`, async () => {
      const all = await scene();
      const { world, manager } = all;
      const [pod] = world.pods.values();
      assert.ok(pod !== undefined);
      world.hosts.set(FIRST, SQUATTER);
      await happens(all);
      await world.time.run(FOUND_MS);
      assert.ok(world.journal.includes('DECLINE'), 'RFC 2131 4.4.1');
      assert.ok(!pod.has(FIRST), 'given up at once');
      await world.time.run(30_000);
      assert.equal(manager.get(keyOf(pod))?.lease?.address.address, SECOND);
      await manager.close();
    });
  }

  test('a cable: conflictCheck "off" sends nothing', async () => {
    const all = await scene({ conflictCheck: 'off' });
    await RETURNS['a cable that was out for a minute'](all);
    await all.world.time.run(PROBED_MS);
    assert.deepEqual(all.world.questions, []);
    await all.manager.close();
  });
});

describe('a link that flaps', () => {
  test('within milliseconds: it is probed once', async () => {
    const { world, manager } = await scene();
    for (let i = 0; i < 50; i++) {
      manager.linkChanged(DOWN);
      await world.time.run(5);
      manager.linkChanged(UP);
      await world.time.run(5);
    }
    await world.time.run(PROBED_MS);
    assert.deepEqual(probesOf(world), Array<string>(PROBES).fill(FIRST));
    assert.deepEqual(world.journal, [], 'and not verified, for it was never away for long');
    await manager.close();
  });

  test('for an hour, every 200 ms: at most one probe a second and pod', async () => {
    const { world, manager } = await scene();
    const HOUR_S = 3600;
    for (let i = 0; i < HOUR_S * 5; i++) {
      manager.linkChanged(i % 2 === 0 ? DOWN : UP);
      await world.time.run(200);
    }
    const { length } = probesOf(world);
    assert.ok(length > 0 && length <= HOUR_S, `${length} probes`);
    await manager.close();
  });
});

describe('many pods', () => {
  test('probed in turn: fifty a second begin, and each is probed', async () => {
    const PODS = 200;
    const { world, manager } = await scene(undefined, PODS);
    manager.linkChanged(DOWN);
    await world.time.run(5000);
    manager.linkChanged(UP);
    await world.time.run(990);
    assert.equal(world.counts.get('probed-again'), 50);
    await world.time.run(3010 + PROBED_MS);
    assert.equal(world.counts.get('probed-again'), PODS);
    assert.equal(probesOf(world).length, PODS * PROBES);
    await manager.close();
  });
});

describe('a sleep', () => {
  test('of more than ten seconds: the lease is verified too, in the form of INIT-REBOOT (RFC 2131 3.7)', async () => {
    const { world, manager } = await scene();
    world.time.sleep(300_000);
    await world.time.run(1000);
    assert.deepEqual(world.journal, ['REQUEST', 'put']);
    assert.equal(world.sentFrom.at(-1), 'REQUEST from 0.0.0.0');
    assert.equal(world.counts.get('machine-slept'), 1);
    await manager.close();
  });

  test('of less: it is the network that it was', async () => {
    const { world, manager } = await scene();
    world.time.sleep(5000);
    await world.time.run(2 * ROUND_MS);
    assert.deepEqual(world.journal, []);
    await manager.close();
  });

  test('in another network afterwards: the NAK takes the address away', async () => {
    const { world, manager } = await scene();
    const [pod] = world.pods.values();
    assert.ok(pod !== undefined);
    pod.history.length = 0;
    world.server.forgetAll();
    world.time.sleep(300_000);
    await world.time.run(2000);
    assert.equal(pod.history[0], `-${FIRST}/16`);
    await manager.close();
  });

  test('a server that is silent takes nothing away: the lease goes on as it was (RFC 2131 3.7)', async () => {
    const { world, manager } = await scene();
    const [pod] = world.pods.values();
    assert.ok(pod !== undefined);
    world.loses = () => true;
    world.time.sleep(300_000);
    await world.time.run(120_000);
    assert.deepEqual(
      [pod.addresses.map(({ address }) => address), manager.get(keyOf(pod))?.record.state.kind],
      [[FIRST], 'bound'],
    );
    await manager.close();
  });

  test('past the end of the lease: withdrawn at once, and nothing is probed that is not held', async () => {
    const { world, manager } = await scene();
    const [pod] = world.pods.values();
    assert.ok(pod !== undefined);
    world.loses = () => true;
    world.time.sleep(2 * 3_600_000);
    await world.time.run(PROBED_MS);
    assert.deepEqual([pod.addresses, probesOf(world)], [[], []]);
    await manager.close();
  });

  test('a daemon that was only stopped, or was busy, did not sleep', async () => {
    const { world, manager } = await scene();
    const { time } = world;
    const slept = time.slept();
    time.sleep(60_000);
    time.slept = () => slept;
    await time.run(ROUND_MS + PROBED_MS);
    assert.deepEqual(probesOf(world), []);
    await manager.close();
  });
});

describe('an anonymous pod (RFC 7844 3.3)', () => {
  const ANONYMOUS: Overrides = {
    conflictCheck: 'background',
    client: { anonymous: true, send: { 12: '61' } },
  };

  test('after a cable was out for long: sought anew, and the address that it had is not probed', async () => {
    const all = await scene(ANONYMOUS);
    const { world, manager } = all;
    const [pod] = world.pods.values();
    assert.ok(pod !== undefined);
    pod.history.length = 0;
    await RETURNS['a cable that was out for a minute'](all);
    await world.time.run(PROBED_MS);
    assert.deepEqual(
      world.journal.filter((what) => what !== 'put'),
      ['DISCOVER', 'REQUEST'],
    );
    assert.equal(pod.history[0], `-${FIRST}/16`);
    assert.ok(pod.has(FIRST), 'the server gives it again');
    assert.equal(
      probesOf(world).length,
      PROBES,
      'those before that is used, and none for the lease of before',
    );
    await manager.close();
  });

  test('after one that was out for a moment: nothing is asked', async () => {
    const all = await scene(ANONYMOUS);
    await RETURNS['a cable that was out for five seconds'](all);
    await all.world.time.run(PROBED_MS);
    assert.deepEqual(all.world.journal, []);
    await all.manager.close();
  });
});

describe('a LAN without a carrier as the daemon starts', () => {
  test('its return is noticed: verified and probed', async () => {
    const { world, manager } = await scene();
    await manager.close();
    world.uplink.lowerUp = false;
    const next = managerOf(world);
    for (const record of stored(world)) await next.resume(record);
    next.watch();
    await world.time.run(1000);
    forget(world);
    world.uplink.lowerUp = true;
    next.linkChanged(UP);
    await world.time.run(PROBED_MS);
    assert.deepEqual(world.journal, ['REQUEST', 'put']);
    assert.deepEqual(probesOf(world), Array<string>(PROBES).fill(FIRST));
    await next.close();
  });
});

describe('an address that is looked for before it is used', () => {
  test('while the link was away: it is probed once more when it is in use', async () => {
    const world = new FakeWorld();
    const manager = managerOf(world);
    manager.watch();
    const pod = world.addPod('a');
    const lease = attached(world, manager, pod, { conflictCheck: 'before' });
    let flapped = false;
    const send = world.frames.send.bind(world.frames);
    Object.assign(world.frames, {
      send: (index: number, frame: Uint8Array) => {
        const failed = send(index, frame);
        if (!flapped && probesOf(world).length === 1) {
          flapped = true;
          manager.linkChanged(DOWN);
          manager.linkChanged(UP);
        }
        return failed;
      },
    });
    await lease;
    await world.time.run(PROBED_MS);
    assert.equal(probesOf(world).length, 2 * PROBES);
    await manager.close();
  });
});
