import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { BRIDGE } from '../../src/lab/home-lan.ts';
import { pause, waitFor } from '../../src/lab/wait.ts';
import { addressesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macIn, networkOf, macvlan, type Attached, type Site } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture } from './support/capture.ts';
import { plugCable, pullCable, uplinkDown, uplinkUp } from './support/cable.ts';
import {
  addPod,
  keaOf,
  PATIENCE,
  siteFor,
  untilAddress,
  untilCounted,
  untilState,
} from './support/fault-site.ts';
import { addSquatter } from './support/squatter.ts';

/** Renewed soon, and the next try would come minutes later: only a link that is back makes it come sooner. */
const RENEWED_SOON = keaOf(3600, 4, 3000);
/** RFC 5227 1.1: PROBE_NUM. */
const PROBES = 3;
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
  const wire = await capture(site.lan.router, BRIDGE, site.lan);
  await fault.end();
  await untilCounted(site, 'lease-extended', before + 1);
  assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
  assert.equal(await site.counter('lease-withdrawn'), 0);
  assert.equal(await site.counter('lease-installed'), 1);
  await site.daemon.runtime.status(network);
  await site.daemon.runtime.check(pod.network, pod.attachment);
  const probes = async (): Promise<number> =>
    (await wire.frames()).filter(
      (frame) =>
        frame.kind === 'arp' &&
        frame.fromMac === macIn(pod.result) &&
        frame.senderIp === IPV4_ANY &&
        frame.targetIp === addressIn(pod.result),
    ).length;
  // More than that where the link came up in two steps, a second or more apart.
  await waitFor('the address to be probed again', async () => (await probes()) >= PROBES, {
    ...PATIENCE,
    describe: async () => `${await probes()} probes`,
  });
}

/** Kea gives the first free address of a pool. */
const TAKEN = ipv4('192.168.2.130');
const POOL = { first: TAKEN, last: ipv4('192.168.2.131') };

describe('the uplink is away for a while', { skip: NEEDS_ROOT, concurrency: 3 }, () => {
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

  test('address-taken-while-away: found by probes when the cable is back, and declined', async (t) => {
    const site = await siteFor(t, { server: keaOf(600, 300, 500), pool: POOL });
    const pod = await addPod(site);
    assert.equal(addressIn(pod.result), TAKEN);
    // The last of its own probes, which take seven seconds (RFC 5227 1.1).
    await untilCounted(site, 'conflict-check-clear');
    await pullCable(site.lan);
    await addSquatter(site.lan, TAKEN);
    assert.equal(await site.counter('address-conflict'), 0);
    await plugCable(site.lan);
    await untilCounted(site, 'address-conflict');
    await untilAddress(pod, (address) => address === `${POOL.last}/24`);
    assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, POOL.last);
    assert.equal(await site.counter('probed-again'), 1);
  });
});
