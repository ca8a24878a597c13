import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';
import {
  assertNothingHeld,
  attach,
  attached,
  FakeWorld,
  keyOf,
  managerOf,
  type Overrides,
  stored,
} from './support/world.ts';

const FQDN = { 81: '0000000370306400' };
const TEN_MINUTES = 600_000;
/** As long as a container's own identifier is: `00`, 64 hex digits, network, interface. */
const LONG_ID = `00${'61'.repeat(76)}`;

/** A world whose server does not hear some messages, and what was sent to it. */
function tripping(trips: (message: Dhcp4Message) => boolean): {
  readonly world: FakeWorld;
  readonly heard: Dhcp4Message[];
} {
  const world = new FakeWorld();
  const heard: Dhcp4Message[] = [];
  world.loses = (direction, message) => {
    if (direction === 'up') heard.push(message);
    return direction === 'up' && trips(message);
  };
  return { world, heard };
}

function carries(message: Dhcp4Message | undefined, code: number): boolean {
  assert.ok(message !== undefined);
  return message.options.has(code);
}

const asks = (client: Overrides['client'], lan?: string): Overrides => ({
  client: { rapidCommit: true, ...client },
  ...(lan === undefined ? {} : { lan: { index: 2, name: lan } }),
});

describe('what worked on a LAN is where the next pod begins', () => {
  test('option 80: the second pod does not offer it, and waits for nothing', async () => {
    const { world, heard } = tripping((message) => carries(message, 80));
    const manager = managerOf(world);
    const began = world.time.now();
    await attached(world, manager, world.addPod('a'), asks({}));
    assert.ok(world.time.now() - began < 500, `${world.time.now() - began} ms`);
    heard.length = 0;
    const again = world.time.now();
    await attached(world, manager, world.addPod('b'), asks({}));
    assert.ok(!carries(heard[0], 80));
    assert.ok(world.time.now() - again < 50);
    assert.equal(world.counts.get('extras-left-out'), 1, 'said once');
    await manager.close();
  });

  test('it is of one LAN, is doubted after ten minutes, and forgotten with a restart', async () => {
    const { world, heard } = tripping((message) => carries(message, 80));
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), asks({}));
    const first = async (name: string, by = manager, lan?: string): Promise<Dhcp4Message | undefined> => {
      heard.length = 0;
      await attached(world, by, world.addPod(name), asks({}, lan));
      return heard[0];
    };
    assert.ok(!carries(await first('b'), 80));
    assert.ok(carries(await first('c', manager, 'other0'), 80));
    await world.time.run(TEN_MINUTES + 1000);
    assert.ok(carries(await first('d'), 80), 'asked as it is configured again');
    assert.equal(heard.length, 3, 'two DISCOVERs and the REQUEST: it knew what to try next');
    assert.ok(!carries(await first('e'), 80), 'and found out again');
    const restarted = managerOf(world);
    assert.ok(carries(await first('f', restarted), 80));
    await Promise.all([manager.close(), restarted.close()]);
  });

  test('it is forgotten when the server takes all, and when it helps nobody', async () => {
    let trips = (message: Dhcp4Message): boolean => carries(message, 81);
    const { world, heard } = tripping((message) => trips(message));
    const manager = managerOf(world);
    const pod = async (name: string): Promise<Dhcp4Message | undefined> => {
      heard.length = 0;
      await attach(world, manager, world.addPod(name), asks({ send: FQDN }));
      return heard[0];
    };
    await pod('a');
    assert.ok(!carries(await pod('b'), 81));
    world.server.mood = 'silent';
    assert.ok(!carries(await pod('c'), 81));
    world.server.mood = 'sane';
    trips = () => false;
    assert.ok(carries(await pod('d'), 81));
    await manager.close();
  });

  test('what a lease was got without is in the log and in its record', async () => {
    const { world } = tripping((message) => carries(message, 81));
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const lease = await attached(world, manager, pod, asks({ send: FQDN }));
    assert.ok(lease.leftOut?.includes(81));
    assert.ok(world.warnings.some((text) => text.includes('without these options')));
    assert.deepEqual(stored(world)[0]?.state.kind === 'bound' && stored(world)[0]?.state, {
      kind: 'bound',
      lease,
    });
    await manager.close();
  });
});

const LONGEST_ID = 32;
const hasLongId = ({ options }: Dhcp4Message): boolean => (options.get(61)?.length ?? 0) > LONGEST_ID;

describe('a server that does not take a long option 61', () => {
  test('an identifier that is ours: served without, renewed and released without, also after a restart', async () => {
    const { world, heard } = tripping(hasLongId);
    const manager = managerOf(world);
    const pod = world.addPod('a');
    const ours = asks({ clientId: LONG_ID, clientIdOptional: true });
    await attached(world, manager, pod, ours);
    const restarted = managerOf(world);
    await manager.close();
    for (const record of stored(world)) await restarted.resume(record);
    heard.length = 0;
    await world.time.run(1_800_000);
    assert.ok(heard.length > 0 && heard.every((message) => !carries(message, 61)));
    assert.equal(world.counts.get('lease-extended'), 1);
    heard.length = 0;
    await world.time.until(restarted.release(keyOf(pod)));
    assert.ok(heard.length === 1 && !carries(heard[0], 61));
    await world.time.run(10);
    pod.addresses.length = 0;
    assertNothingHeld(world, restarted);
    await restarted.close();
  });

  test('a lease that is lost is sought without it too, by the next daemon as well', async () => {
    const { world, heard } = tripping(hasLongId);
    const manager = managerOf(world);
    await attached(world, manager, world.addPod('a'), asks({ clientId: LONG_ID, clientIdOptional: true }));
    world.server.mood = 'silent';
    await world.time.run(3_700_000);
    const [record] = stored(world);
    assert.ok(record?.state.kind === 'init');
    assert.deepEqual(record.state.leftOut, [61]);
    await manager.close();
    const restarted = managerOf(world);
    heard.length = 0;
    world.server.mood = 'sane';
    await restarted.resume(record);
    await world.time.run(5000);
    assert.ok(heard.length > 0 && heard.every((message) => !carries(message, 61)));
    assert.ok(restarted.get(record.key)?.lease !== undefined);
    await restarted.close();
  });

  test('pods that must give theirs, well or not, do not make the others wait again', async () => {
    const { world } = tripping(hasLongId);
    const manager = managerOf(world);
    const ours = asks({ clientId: LONG_ID, clientIdOptional: true });
    await attached(world, manager, world.addPod('a'), ours);
    await attached(world, manager, world.addPod('b'), asks({ clientId: '006162' }));
    assert.equal((await attach(world, manager, world.addPod('c'), asks({ clientId: LONG_ID }))).ok, false);
    const began = world.time.now();
    await attached(world, manager, world.addPod('d'), {
      client: { ...ours.client, clientId: `${LONG_ID}62` },
    });
    assert.ok(world.time.now() - began < 50, `${world.time.now() - began} ms`);
    await manager.close();
  });

  test('a pod that is heard and gets nothing, for an address that it cannot have, does not either', async () => {
    const { world } = tripping(hasLongId);
    const manager = managerOf(world);
    const ours = { clientId: LONG_ID, clientIdOptional: true };
    await attached(world, manager, world.addPod('a'), asks(ours));
    const elsewhere = asks({ ...ours, clientId: `${LONG_ID}61`, requestedAddress: ipv4('10.0.0.1') });
    const refused = await attach(world, manager, world.addPod('b'), elsewhere);
    assert.ok(!refused.ok && refused.error.kind === 'no-lease', 'no such address here');
    assert.equal(refused.error.outcome, 'unusable');
    const began = world.time.now();
    await attached(world, manager, world.addPod('c'), asks({ ...ours, clientId: `${LONG_ID}62` }));
    assert.ok(world.time.now() - began < 50, `${world.time.now() - began} ms`);
    await manager.close();
  });

  test('one that somebody chose: no address rather than one of another client', async () => {
    const { world, heard } = tripping(hasLongId);
    const manager = managerOf(world);
    const got = await attach(world, manager, world.addPod('a'), asks({ clientId: LONG_ID }));
    assert.equal(got.ok, false);
    assert.ok(heard.every((message) => carries(message, 61)));
    await manager.close();
  });
});
