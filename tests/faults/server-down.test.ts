import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { addressesOf, linksOf, routesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macIn } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  addPod,
  keaOf,
  leaseView,
  PATIENCE,
  siteFor,
  untilAddress,
  untilCounted,
  untilState,
} from './support/fault-site.ts';

const T1 = 2;
const T2 = 8;
const LEASE = 16;
/** The server counts in whole seconds, and from its own answer. */
const SERVER_SECOND = 1;
/** To see that the address is gone takes a process. */
const LOOK_SECONDS = 1;

/** Down until the lease is in that state, then back. */
function downUntil(state: 'renewing' | 'rebinding') {
  return async (t: TestContext): Promise<void> => {
    const server = keaOf(LEASE, T1, T2);
    const site = await siteFor(t, { server });
    const pod = await addPod(site);
    await site.lan.server.kill();
    await untilState(site, pod, state);
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    await site.lan.startServer(server);
    await untilCounted(site, 'lease-extended');
    await untilState(site, pod, 'bound');
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    assert.equal(await site.counter('lease-installed'), 1);
    assert.equal(await site.counter('lease-withdrawn'), 0);
    assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, addressIn(pod.result));
  };
}

describe('the server is down', { skip: NEEDS_ROOT, concurrency: 4 }, () => {
  test('server-down-through-t1: the pod keeps its address, an answer extends it', downUntil('renewing'));

  test('server-down-through-t2: the pod keeps its address, an answer extends it', downUntil('rebinding'));

  test('server-down-through-expiry: the address leaves the pod on time, and comes back with a server', async (t) => {
    const server = keaOf(5, 2, 4);
    const site = await siteFor(t, { server });
    const pod = await addPod(site);
    const { expiresAt = 0 } = (await site.leaseOf(macIn(pod.result))) ?? {};
    await site.lan.server.kill();
    await waitFor(
      'the address to leave',
      async () => (await addressesOf(pod.pod.namespace)).length === 0,
      PATIENCE,
    );
    assert.ok(Date.now() / 1000 <= expiresAt + SERVER_SECOND + LOOK_SECONDS);
    assert.deepEqual(await routesOf(pod.pod.namespace), []);
    assert.ok((await linksOf(pod.pod.namespace)).get('eth0')?.flags.includes('UP'));
    assert.equal((await leaseView(site, pod))?.['address'], null);
    assert.equal(await site.counter('lease-withdrawn'), 1);
    await assert.rejects(site.daemon.runtime.check(pod.network, pod.attachment), { code: 150 });

    await site.lan.startServer(server);
    const address = await untilAddress(pod, () => true);
    assert.equal(await site.counter('lease-installed'), 2);
    const lease = await site.leaseOf(macIn(pod.result));
    assert.equal(`${lease?.ip}/24`, address);
    assert.match(
      (await routesOf(pod.pod.namespace)).join('\n'),
      /^0\.0\.0\.0\/0|^default via 192\.168\.2\.1/m,
    );
  });
});
