import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import type { LeaseManager } from '../../src/lease/manager.ts';
import type { Dhcp4Message } from '../../src/wire/dhcp4/message.ts';
import { parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import type { PodModel } from './support/pods.ts';
import { SERVER } from './support/server.ts';
import { attached, FakeWorld, managerOf, SERVER_MAC } from './support/world.ts';

const FIRST = ipv4('192.168.1.100');
const FREE = ipv4('192.168.1.199');
const NESTED = mac('02:00:5e:66:00:01');
const PI_HOLE = mac('02:00:5e:66:00:02');
/** T1 and T2 of a lease of an hour, with the spread of a client and some tries after it. */
const PAST_T1_MS = 2000 * 1000;
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
    ['a machine of the LAN, by a broadcast', { mac: NESTED, broadcast: true, beside: false }, true],
  ] as const;
  for (const [who, liar, believed] of cases) {
    test(`${who}: ${believed ? '' : 'not '}believed`, async () => {
      const all = await scene();
      const { world, manager, pod } = all;
      const sibling = world.addPod('pi-hole');
      await attached(world, manager, sibling);
      world.podMacs.add(PI_HOLE);
      const from = liar.mac === 'sibling' ? sibling.link.mac : (liar.mac ?? pod.link.mac);
      answerAs(all, { ...liar, mac: from });
      await world.time.run(PAST_T2_MS);
      assert.deepEqual(addressOf(all), [believed ? FREE : FIRST]);
      const ignored = world.counts.get('message-ignored:from-the-pod-itself') ?? 0;
      if (!believed) assert.ok(ignored > 0);
      await manager.close();
      assert.deepEqual([...world.ofOutgoing], [], 'what leaves is heard during an exchange only');
    });
  }
});

describe('what asks for more of a lease', () => {
  test('leaves by the uplink by turns, where no pod sees its xid', async () => {
    const all = await scene();
    const frames = framesOf(all);
    await all.world.time.run(PAST_T1_MS);
    assert.deepEqual(frames, [`${SERVER_MAC} from ${FIRST}`]);
    all.world.server.mood = 'silent';
    await all.world.time.run(PAST_T2_MS);
    // Each second one leaves by the pod's interface: the server may be beside it now.
    const again = all.world.sentFrom.filter((one) => one === `REQUEST from ${FIRST}`).length - 1;
    assert.equal(frames.length - 1, Math.ceil(again / 2));
    assert.deepEqual(
      [...new Set(frames)],
      [`${SERVER_MAC} from ${FIRST}`, `ff:ff:ff:ff:ff:ff from ${FIRST}`],
    );
    await all.manager.close();
  });

  test('leaves by the pod, where a sibling gave the lease: it hears nothing of the uplink', async () => {
    const all = await scene();
    const { world, manager } = all;
    world.podMacs.add(PI_HOLE);
    world.loses = (direction, message) => {
      const answer = direction === 'up' ? world.server.answer(message) : undefined;
      if (answer !== undefined)
        queueMicrotask(() => world.deliver(answer, { mac: PI_HOLE, address: SERVER }));
      return true;
    };
    await world.time.run(PAST_T1_MS);
    const frames = framesOf(all);
    await world.time.run(PAST_T1_MS);
    assert.deepEqual([frames, addressOf(all)], [[], [FIRST]]);
    assert.equal(world.counts.get('lease-extended'), 2);
    await manager.close();
  });
});
