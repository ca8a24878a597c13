import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { startRelay } from '../../src/lab/relay.ts';
import { addressesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macIn, ROUTER, type Site } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { capture, PORT_UNREACHABLE, type Captured } from './support/capture.ts';
import { addPod, keaOf, PATIENCE, siteFor, untilCounted } from './support/fault-site.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { duplicate, lose } from './support/wire-faults.ts';

/** Many tries fit between T1 and the end. */
const PATIENT = keaOf(40, 2, 30);
/** Few tries, but soon. */
const IMPATIENT = keaOf(12, 1, 8);
const PODS = 3;
/** No OFFER, or no ACK, before the deadline of the ADD (docs/errors.md). */
const TRY_AGAIN: ReadonlySet<number> = new Set([120, 122]);
/** Where the lab's relay has its server (src/lab/relay.ts). */
const RELAYED_SERVER = '10.77.0.2';
const BROADCAST = '255.255.255.255';

/** ADDs and renewals while so many percent are lost each way. */
function losing(percent: number) {
  return async (t: TestContext): Promise<void> => {
    const site = await siteFor(t, { server: PATIENT });
    const { lan } = site;
    const undo = await lose(lan.router, lan.node.port, percent);
    const pods = await Promise.all(Array.from({ length: PODS }, async () => await addPod(site)));
    await untilCounted(site, 'lease-extended', PODS);
    await undo();
    for (const { pod, result } of pods) {
      assert.deepEqual(await addressesOf(pod.namespace), [`${addressIn(result)}/24`]);
      assert.equal((await site.leaseOf(macIn(result)))?.ip, addressIn(result));
    }
    assert.equal(await site.counter('lease-withdrawn'), 0);
    for (const pod of pods) await site.del(pod);
    for (const { result } of pods) await site.waitForNoLease(macIn(result));
  };
}

type Seen = Extract<Captured, { readonly kind: 'dhcp' }>;

/** An ADD and two renewals with a capture beside them: all answers to the pod, and no ICMP port unreachable. */
async function answersTo(t: TestContext, site: Site): Promise<{ address: string; answers: readonly Seen[] }> {
  const { lan } = site;
  const wire = await capture(site.node, 'eth0', { folder: lan.folder, resources: lan.resources });
  const pod = await addPod(site);
  await untilCounted(site, 'lease-extended', 2);
  const isAnswer = (frame: Captured): frame is Seen =>
    frame.kind === 'dhcp' && frame.message.op === 'reply' && frame.message.chaddr === macIn(pod.result);
  const frames = await waitFor('four answers to be captured', async () => {
    const seen = await wire.frames();
    return seen.filter(isAnswer).length >= 4 && seen;
  });
  const unreachable = frames.filter(
    (frame) =>
      frame.kind === 'icmp' && frame.type === PORT_UNREACHABLE.type && frame.code === PORT_UNREACHABLE.code,
  );
  assert.deepEqual(unreachable, []);
  t.diagnostic(`${frames.length} frames`);
  return { address: addressIn(pod.result), answers: frames.filter(isAnswer) };
}

describe('a network with faults', { skip: NEEDS_ROOT, concurrency: 4 }, () => {
  test('loss-5: repeated until it gets through', losing(5));

  test('loss-20: repeated until it gets through', losing(20));

  test('loss-50: ADD and renewal get through in the end', async (t) => {
    const site = await siteFor(t, { server: IMPATIENT, dhcp: { deadlineSeconds: 8 } });
    const { lan } = site;
    const undo = await lose(lan.router, lan.node.port, 50);
    // Three of four exchanges fail. As a runtime does: an ADD that failed is tried again.
    const pod = await waitFor(
      'an ADD to get through',
      async () => {
        try {
          return await addPod(site);
        } catch (error) {
          assert.ok(error instanceof CniPluginError && TRY_AGAIN.has(error.code), String(error));
          return false;
        }
      },
      PATIENCE,
    );
    // Extended, or lost for a while and had again.
    const rounds = async (): Promise<number> =>
      (await site.counter('lease-extended')) + (await site.counter('lease-withdrawn'));
    await waitFor('a renewal or the end of the lease', async () => (await rounds()) > 0, PATIENCE);
    await undo();
    await waitFor(
      'the pod and the server to agree',
      async () => {
        const [address] = await addressesOf(pod.pod.namespace);
        return address !== undefined && address === `${(await site.leaseOf(macIn(pod.result)))?.ip}/24`;
      },
      PATIENCE,
    );
  });

  test('duplication: everything arrives twice, each way', async (t) => {
    const site = await siteFor(t, { server: PATIENT });
    const { lan } = site;
    await duplicate(lan.router, lan.node.port);
    await duplicate(site.node, 'eth0');
    const wire = await capture(lan.router, lan.node.port, lan);
    const pod = await addPod(site);
    await untilCounted(site, 'lease-extended', 2);
    const sent = (await wire.frames()).filter(
      (frame) => frame.kind === 'dhcp' && frame.message.op === 'request' && frame.message.secs === 0,
    );
    // The fault is there: more arrive than were sent.
    assert.ok(sent.length > (await site.counter('message-sent')), String(sent.length));
    assert.equal(await site.counter('lease-installed'), 1);
    assert.equal(await site.counter('lease-withdrawn'), 0);
    assert.equal(await site.counter('nak'), 0);
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    await site.del(pod);
    await site.waitForNoLease(macIn(pod.result));
  });

  test('unicast-answers: heard before the address is there, and no ICMP in reply', async (t) => {
    const site = await siteFor(t, { server: PATIENT });
    const { address, answers } = await answersTo(t, site);
    assert.deepEqual(new Set(answers.map(({ to }) => to)), new Set([address]));
  });

  test('broadcast-answers: heard from the first one on', async (t) => {
    const site = await siteFor(t, { server: PATIENT, dhcp: { broadcast: 'always' } });
    const { address, answers } = await answersTo(t, site);
    assert.deepEqual(
      answers.slice(0, 2).map(({ to }) => to),
      [BROADCAST, BROADCAST],
    );
    // Renewals come from an address: their answers go there.
    assert.equal(answers.at(-1)?.to, address);
  });

  test('relay-between: a lease, renewals through the router, and a RELEASE', async (t) => {
    const site = await siteFor(t, { server: { kind: 'none' }, dhcp: { deadlineSeconds: 2 } });
    const { server } = await startRelay(site.lan, PATIENT);
    // The server as option 54 names it, and the router as the relay that its answers come from.
    const pod = await addPod(site, { servers: [RELAYED_SERVER], relays: [ROUTER] });
    const lease = async () => (await server.leases()).find(({ mac }) => mac === macIn(pod.result));
    assert.equal((await lease())?.ip, addressIn(pod.result));
    await untilCounted(site, 'lease-extended', 2);
    await site.del(pod);
    await waitFor('the RELEASE to reach the server', async () => (await lease()) === undefined);
    assert.equal(await site.counter('message-ignored:source-not-allowed'), 0);
    await assert.rejects(
      addPod(site, { servers: [RELAYED_SERVER] }),
      /neither in "servers" nor in "relays" \(192\.168\.2\.1/,
    );
  });
});
