import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf, linksOf } from './support/kernel-view.ts';
import { addressIn, macIn, macvlan, networkOf, type Site, useSite } from './support/site.ts';

const network = networkOf([macvlan()]);

async function setCable(site: Site, state: 'up' | 'down'): Promise<void> {
  await site.lan.router.ip('link', 'set', site.lan.node.port, state);
  await waitFor('the carrier to follow', async () => {
    const flags = (await linksOf(site.node)).get('eth0')?.flags ?? [];
    return flags.includes('LOWER_UP') === (state === 'up');
  });
}

describe('a network that is not ready yet', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'none' }, dhcp: { deadlineSeconds: 20, carrierWaitSeconds: 10 } });

  test('a server that comes up during the ADD is found', async () => {
    const pod = await site().pod();
    const adding = site().attach(network, pod);
    // The first messages are lost: nobody listens.
    await waitFor('messages to be sent', async () => (await site().counter('message-sent')) >= 2);
    await site().lan.startServer({ kind: 'dnsmasq' });
    const { result } = await adding;
    assert.equal((await site().leaseOf(macIn(result)))?.ip, addressIn(result));
    await site().daemon.runtime.del(network, pod.attachment);
    await site().waitForNoLease(macIn(result));
  });

  test('a cable that is plugged in during the ADD: nothing is sent before', async () => {
    await setCable(site(), 'down');
    const sent = await site().counter('message-sent');
    const pod = await site().pod();
    const adding = site().attach(network, pod);
    await waitFor('the link to be there', async () => (await linksOf(pod.namespace)).size === 1);
    assert.equal(await site().counter('message-sent'), sent);
    await setCable(site(), 'up');
    const { result } = await adding;
    assert.deepEqual(await addressesOf(pod.namespace), [`${addressIn(result)}/24`]);
    await site().daemon.runtime.del(network, pod.attachment);
    await site().waitForNoLease(macIn(result));
  });

  test('a DEL does not wait for the cable', async () => {
    await setCable(site(), 'down');
    const pod = await site().pod();
    const adding = assert.rejects(site().attach(network, pod), { code: 160 });
    await waitFor('the link to be there', async () => (await linksOf(pod.namespace)).size === 1);
    await site().daemon.runtime.del(network, pod.attachment);
    await adding;
    assert.equal((await linksOf(pod.namespace)).size, 0);
    await setCable(site(), 'up');
  });
});

describe('a network that never gets ready', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ dhcp: { deadlineSeconds: 5, carrierWaitSeconds: 0.3 } });

  test('no carrier: uplink-no-carrier, and nothing left', async () => {
    await setCable(site(), 'down');
    const pod = await site().pod();
    await assert.rejects(site().attach(network, pod), { code: 102, msg: /eth0 has no carrier/ });
    assert.equal((await linksOf(pod.namespace)).size, 0);
    assert.deepEqual(await site().daemonLeases(), []);
    await setCable(site(), 'up');
  });

  test('DEL of a pod while the cable is out: success', async () => {
    const added = await site().add(network);
    await setCable(site(), 'down');
    await site().del(added);
    assert.deepEqual(await site().daemonLeases(), []);
    assert.equal((await linksOf(added.pod.namespace)).size, 0);
    await setCable(site(), 'up');
  });
});
