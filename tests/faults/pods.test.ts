import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { deleteNamespace } from '../../src/lab/namespace-name.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressesOf, linkOf, linksOf, routesOf } from '../plugins/support/kernel-view.ts';
import {
  addressIn,
  macIn,
  networkOf,
  NODE_ADDRESS,
  type Attached,
  type Site,
} from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { makeUplinkAgain, removeUplink } from './support/cable.ts';
import {
  addPod,
  daemonLog,
  keaOf,
  PATIENCE,
  siteFor,
  untilAddress,
  untilCounted,
  untilState,
} from './support/fault-site.ts';

/** Long enough that an end of the lease is no RELEASE. */
const LONG = keaOf(600, 300, 500);
const RENEWED_SOON = keaOf(600, 2, 500);

const SERVICES = '10.43.0.0/16';
const always = (): boolean => true;
const never = (): boolean => false;

/** The lease of the pod is given back by the host, without a DEL; a DEL that comes later succeeds. */
async function assertReleased(site: Site, pod: Attached): Promise<void> {
  await waitFor(
    'the lease to be released',
    async () => (await site.leaseOf(macIn(pod.result))) === undefined,
    PATIENCE,
  );
  await untilCounted(site, 'pod-gone');
  await waitFor('the lease to be forgotten', async () => (await site.daemonLeases()).length === 0, PATIENCE);
  await waitFor('its file to be gone', async () => (await site.records()).length === 0, PATIENCE);
  await site.del(pod);
}

async function served(t: TestContext, server = LONG): Promise<{ site: Site; pod: Attached }> {
  const site = await siteFor(t, { server });
  return { site, pod: await addPod(site) };
}

describe('what happens to a pod behind the back of the runtime', { skip: NEEDS_ROOT, concurrency: 8 }, () => {
  test('address-removed-in-pod: it is put back, with its routes', async (t) => {
    const { site, pod } = await served(t);
    const routes = await routesOf(pod.pod.namespace);
    await pod.pod.namespace.ip('addr', 'del', `${addressIn(pod.result)}/24`, 'dev', 'eth0');
    await assert.rejects(site.daemon.runtime.check(pod.network, pod.attachment), { code: 150 });
    await untilAddress(pod, (address) => address === `${addressIn(pod.result)}/24`);
    await waitFor(
      'the routes',
      async () => (await routesOf(pod.pod.namespace)).join('\n') === routes.join('\n'),
    );
    assert.equal(await site.counter('address-restored'), 1);
    await site.daemon.runtime.check(pod.network, pod.attachment);
  });

  test('interface-renamed-in-pod: the lease goes on under the new name', async (t) => {
    const { site, pod } = await served(t, RENEWED_SOON);
    const { namespace } = pod.pod;
    await namespace.ip('link', 'set', 'eth0', 'down');
    await namespace.ip('link', 'set', 'eth0', 'name', 'lan0');
    await namespace.ip('link', 'set', 'lan0', 'up');
    const before = await site.counter('lease-extended');
    await untilCounted(site, 'lease-extended', before + 2);
    assert.deepEqual(await addressesOf(namespace, 'lan0'), [`${addressIn(pod.result)}/24`]);
    await assert.rejects(site.daemon.runtime.check(pod.network, pod.attachment), { code: 150 });
    assert.equal(await site.counter('lease-withdrawn'), 0);
  });

  test('interface-down-and-up-in-pod: the routes to everywhere are put back, and those to the services', async (t) => {
    const site = await siteFor(t, { server: LONG, config: { services: [SERVICES] } });
    const pod = await site.add(networkOf([{ type: 'leasehold' }], { cniVersion: '1.1.0' }));
    const { namespace } = pod.pod;
    const routes = await routesOf(namespace);
    assert.match(routes.join('\n'), /default via/);
    assert.match(routes.join('\n'), /10\.43\.0\.0\/16 via 169\.254\.1\.1/);
    await namespace.ip('link', 'set', 'eth0', 'down');
    await namespace.ip('link', 'set', 'eth0', 'up');
    await waitFor(
      'the routes',
      async () => (await routesOf(namespace)).join('\n') === routes.join('\n'),
      PATIENCE,
    );
    assert.equal(await site.counter('routes-restored'), 1);
    await waitFor(
      'CHECK to find nothing',
      async () => await site.daemon.runtime.check(pod.network, pod.attachment).then(always, never),
    );
  });

  test('interface-removed-in-pod: the lease is released', async (t) => {
    const { site, pod } = await served(t);
    await pod.pod.namespace.ip('link', 'del', 'eth0');
    await assert.rejects(site.daemon.runtime.check(pod.network, pod.attachment), { code: 150 });
    await assertReleased(site, pod);
  });

  test('pod-gone-without-del: the lease is released from the host', async (t) => {
    const { site, pod } = await served(t);
    await deleteNamespace(pod.pod.namespace.name);
    await assertReleased(site, pod);
  });

  test('namespace-deleted-under-renewal: the renewal ends, the lease is released', async (t) => {
    const { site, pod } = await served(t, RENEWED_SOON);
    await site.lan.server.kill();
    await untilState(site, pod, 'renewing');
    await deleteNamespace(pod.pod.namespace.name);
    await site.lan.startServer(RENEWED_SOON);
    await assertReleased(site, pod);
  });

  test('uplink-recreated: the interface of a pod is made again, with its address', async (t) => {
    const { site, pod } = await served(t);
    await removeUplink(site.lan);
    assert.equal((await linksOf(pod.pod.namespace)).size, 0);
    await assert.rejects(site.daemon.runtime.check(pod.network, pod.attachment));
    await makeUplinkAgain(site.lan, `${NODE_ADDRESS}/24`);
    await waitFor(
      'the interface to be back',
      async () => (await linksOf(pod.pod.namespace)).has('eth0'),
      PATIENCE,
    );
    await untilAddress(pod, (address) => address === `${addressIn(pod.result)}/24`);
    assert.equal((await linkOf(pod.pod.namespace)).address, macIn(pod.result));
    assert.match(await daemonLog(site), /the uplink is back: the interface of a pod was made again/);
    await site.daemon.runtime.check(pod.network, pod.attachment);
    const other = await addPod(site);
    assert.equal((await site.leaseOf(macIn(other.result)))?.ip, addressIn(other.result));
    await site.del(pod);
    await site.waitForNoLease(macIn(pod.result));
  });
});
