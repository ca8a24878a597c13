import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pause } from '../../src/lab/wait.ts';
import { addressesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, networkOf, macvlan, type Attached, type Site } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { plugCable, pullCable, uplinkDown, uplinkUp } from './support/cable.ts';
import { addPod, keaOf, siteFor, untilCounted, untilState } from './support/fault-site.ts';

/** Renewed soon, and the next try would come minutes later: only a link that is back makes it come sooner. */
const RENEWED_SOON = keaOf(3600, 4, 3000);
/** How long the fault lasts. */
const FAULT_MS = 5000;
/** CNI specification, STATUS: new pods cannot be served, and those that run have limited connectivity. */
const DOWN = { code: 51, msg: /eth0.*down/ };
const NO_CARRIER = { code: 51, msg: /eth0.*carrier/ };
const network = networkOf([macvlan()], { cniVersion: '1.1.0' });

/** The lease waits for an answer while the link is away, and has it as soon as the link is back. */
async function assertSurvives(
  site: Site,
  pod: Attached,
  fault: { readonly begin: () => Promise<void>; readonly end: () => Promise<void> },
  status: { readonly code: number; readonly msg: RegExp },
): Promise<void> {
  await fault.begin();
  await assert.rejects(site.daemon.runtime.status(network), status);
  await pause(FAULT_MS);
  await untilState(site, pod, 'renewing');
  assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
  const before = await site.counter('lease-extended');
  await fault.end();
  await untilCounted(site, 'lease-extended', before + 1);
  assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
  assert.equal(await site.counter('lease-withdrawn'), 0);
  assert.equal(await site.counter('lease-installed'), 1);
  await site.daemon.runtime.status(network);
  await site.daemon.runtime.check(pod.network, pod.attachment);
}

describe('the uplink is away for a while', { skip: NEEDS_ROOT, concurrency: 2 }, () => {
  test('carrier-lost-5-seconds: what waits is sent again when it is back', async (t) => {
    const site = await siteFor(t, { server: RENEWED_SOON });
    const pod = await addPod(site);
    const fault = {
      begin: async () => await pullCable(site.lan),
      end: async () => await plugCable(site.lan),
    };
    await assertSurvives(site, pod, fault, NO_CARRIER);
  });

  test('uplink-down-and-up: the leases stay', async (t) => {
    const site = await siteFor(t, { server: RENEWED_SOON });
    const pod = await addPod(site);
    const fault = {
      begin: async () => await uplinkDown(site.lan),
      end: async () => await uplinkUp(site.lan),
    };
    await assertSurvives(site, pod, fault, DOWN);
  });
});
