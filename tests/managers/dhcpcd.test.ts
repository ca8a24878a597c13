import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { stopProcess, type LongProcess } from '../../src/lab/long-process.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';
import { type Stage, useStage } from '../story/support/stage.ts';
import { type Pods, whileStreaming } from '../story/support/streams.ts';
import { timeUntil } from '../story/support/view.ts';
import { startDhcpcd } from './support/dhcpcd.ts';
import {
  addPods,
  addressesOnShim,
  assertReaches,
  fights,
  LONGEST_GAP_WITHOUT_UPLINK_MS,
  otherRoutes,
  untilFollowed,
} from './support/managed.ts';

/** What `leasehold doctor` says of the shim. */
async function doctor(stage: Stage): Promise<string> {
  const { namespace, socket } = stage.node;
  const { stdout } = await namespace.runToEnd([join(ROOT, 'bin', 'leasehold'), 'doctor', '--socket', socket]);
  return stdout;
}

describe('dhcpcd that manages every interface', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ node: 'none' });
  let made: { readonly pods: Pods; dhcpcd: LongProcess } | undefined;
  const all = () => made ?? assert.fail('pods are there while tests run');
  before(async () => {
    const dhcpcd = await startDhcpcd(stage());
    made = { dhcpcd, pods: await addPods(stage()) };
  });

  test('it takes a lease for the shim too: all goes on, and the doctor names the remedy', async (t) => {
    const { pods, dhcpcd } = all();
    const log = async (): Promise<string> => await readFile(dhcpcd.logFile, 'utf8');
    const ms = await timeUntil('a lease of the shim', async () => /^lh0: leased /m.test(await log()), log);
    t.diagnostic(`the shim was leased an address ${ms} ms after it was looked for`);
    const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
      await assertReaches(stage(), pods);
    });
    t.diagnostic(gaps);
    t.diagnostic((await addressesOnShim(stage())).join(' '));
    t.diagnostic((await otherRoutes(stage())).join('; '));
    assert.deepEqual(await fights(stage()), []);
    const said = await doctor(stage());
    assert.match(said, /lh0 has an address that Leasehold did not give it/);
    assert.match(said, /denyinterfaces lh0/);
  });

  test('with the remedy it leaves the shim alone', async (t) => {
    const { pods } = all();
    const gaps = await whileStreaming(stage(), pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
      await stopProcess(all().dhcpcd);
      all().dhcpcd = await startDhcpcd(stage(), ['denyinterfaces lh*']);
      t.diagnostic(`followed after ${await untilFollowed(stage(), pods)} ms`);
    });
    t.diagnostic(gaps);
    await assertReaches(stage(), pods);
    assert.equal((await addressesOnShim(stage())).length, 1);
    assert.deepEqual(await otherRoutes(stage()), []);
    assert.deepEqual(await fights(stage()), []);
    assert.doesNotMatch(await doctor(stage()), /lh0 has an address/);
  });
});
