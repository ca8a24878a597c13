import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { useStage } from '../story/support/stage.ts';
import { type Pods, whileStreaming } from '../story/support/streams.ts';
import { timeUntil } from '../story/support/view.ts';
import {
  addPods,
  assertReaches,
  fights,
  LONGEST_GAP_MS,
  LONGEST_GAP_WITHOUT_UPLINK_MS,
  untilFollowed,
  uplinkOf,
  writeServices,
} from './support/managed.ts';
import { Udhcpc } from './support/udhcpc.ts';

const OTHER = '192.168.2.122';

describe('udhcpc with its own script', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ node: 'none' });
  let made: { readonly pods: Pods; readonly udhcpc: Udhcpc } | undefined;
  const all = () => made ?? assert.fail('pods are there while tests run');
  before(async () => {
    const udhcpc = new Udhcpc(stage());
    await udhcpc.start();
    made = { udhcpc, pods: await addPods(stage()) };
  });

  test('a renewal', async (t) => {
    const { pods, udhcpc } = all();
    const untouched = await uplinkOf(stage());
    const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_MS, async () => await udhcpc.renew());
    t.diagnostic(gaps);
    assert.equal(await uplinkOf(stage()), untouched);
    await assertReaches(stage(), pods);
  });

  test('a release, which flushes addresses and routes, and a new lease', async (t) => {
    const { pods, udhcpc } = all();
    const untouched = await uplinkOf(stage());
    let ms = 0;
    const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
      await udhcpc.release();
      await timeUntil('no address', async () => (await stage().lan.node.state())?.address === undefined);
      await udhcpc.renew();
      await timeUntil('an address', async () => (await stage().lan.node.state())?.address !== undefined);
      ms = await untilFollowed(stage(), pods);
    });
    t.diagnostic(`followed ${ms} ms after it had a lease; ${gaps}`);
    assert.equal(await uplinkOf(stage()), untouched);
    await assertReaches(stage(), pods);
    assert.deepEqual(await fights(stage()), []);
  });

  test('a renewal is refused: another address', async (t) => {
    const { pods, udhcpc } = all();
    const { lan } = stage();
    const { mac } = (await lan.node.state()) ?? assert.fail('the node has an uplink');
    await lan.server.stop();
    await lan.startServer({ kind: 'dnsmasq', lines: [`dhcp-host=${mac},${OTHER}`] });
    await udhcpc.renew();
    await timeUntil('the new address', async () => (await lan.node.address()) === OTHER);
    t.diagnostic(`followed after ${await untilFollowed(stage(), pods)} ms`);
    await writeServices(stage(), pods);
    await assertReaches(stage(), pods);
    assert.match(await uplinkOf(stage()), /^default via 192\.168\.2\.1 *$/m);
    assert.deepEqual(await fights(stage()), []);
  });
});
