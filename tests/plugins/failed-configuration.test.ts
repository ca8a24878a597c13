import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linksOf } from './support/kernel-view.ts';
import { macIn, macvlan, networkOf, useSite } from './support/site.ts';

/** Outside of the network, so that it is taken to be on the link: as an address of the pod's own the kernel refuses it. */
const BAD_ROUTER = '10.66.0.1';

describe('a lease that the pod cannot be configured with', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'dnsmasq', dhcpOptions: [`3,${BAD_ROUTER}`] } });

  test('the ADD fails with the reason, and the lease is given back', async () => {
    const chaddr = '02:5e:00:53:06:01';
    const pod = await site().pod();
    await pod.namespace.ip('addr', 'add', `${BAD_ROUTER}/32`, 'dev', 'lo');
    await assert.rejects(site().attach(networkOf([macvlan({ mac: chaddr })]), pod), {
      code: 109,
      msg: /^eth0 cannot be configured with what its IPAM gave: .*0\.0\.0\.0\/0/,
    });
    assert.match(await site().serverLog(), new RegExp(`DHCPACK\\(br0\\) [0-9.]+ ${chaddr}`));
    assert.equal((await linksOf(pod.namespace)).size, 0);
    assert.deepEqual(await site().daemonLeases(), []);
    assert.deepEqual(await site().records(), []);
    await waitFor(
      'the lease to be gone from the server',
      async () => (await site().lan.server.leases()).length === 0,
    );
  });

  test('the same server serves a pod that does not want its router', async () => {
    const ipam = { request: [{ option: 'subnet-mask', skipDefault: true }] };
    const added = await site().add(networkOf([macvlan({}, ipam)]));
    assert.ok(await site().leaseOf(macIn(added.result)));
    await site().del(added);
  });
});
