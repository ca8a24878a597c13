import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseNetworkList, type NetworkList } from '../../src/lab/cni-conf.ts';
import { ping } from '../../src/lab/ping.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf, linkOf, readFixture, routesOf } from './support/kernel-view.ts';
import { addressIn, macIn, NODE_ADDRESS, ROUTER, useSite } from './support/site.ts';

async function fixture(name: string): Promise<NetworkList> {
  return parseNetworkList(await readFixture(name));
}

describe('the conflists that people write by hand work as they are', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  test('home-lab-1: an address from the LAN, and the router answers', async () => {
    const pod = await site().add(await fixture('home-lab-1.conflist'));
    const { result } = pod;
    const address = addressIn(result);
    const link = await linkOf(pod.pod.namespace);
    assert.deepEqual(result, {
      cniVersion: '0.3.1',
      interfaces: [{ name: 'eth0', mac: link.address, sandbox: pod.attachment.netns }],
      ips: [{ version: '4', interface: 0, address: `${address}/24`, gateway: ROUTER }],
      routes: [{ dst: '0.0.0.0/0', gw: ROUTER }],
      dns: { nameservers: [ROUTER], domain: 'home.arpa' },
    });
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${address}/24`]);
    assert.deepEqual(await routesOf(pod.pod.namespace), [
      '192.168.2.0/24 dev eth0',
      `default via ${ROUTER} dev eth0`,
    ]);
    assert.equal((await site().leaseOf(macIn(result)))?.ip, address);
    assert.ok(await ping(pod.pod.namespace, site().lan.routerAddress.address, { tries: 3 }));
    await site().del(pod);
    await site().waitForNoLease(macIn(result));
  });

  test('home-lab-2: the chain leaves the route to the service network in the pod', async () => {
    const pod = await site().add(await fixture('home-lab-2.conflist'));
    assert.deepEqual(await routesOf(pod.pod.namespace), [
      `10.43.0.0/16 via ${NODE_ADDRESS} dev eth0`,
      '192.168.2.0/24 dev eth0',
      `default via ${ROUTER} dev eth0`,
    ]);
    assert.deepEqual(pod.result['routes'], [
      { dst: '0.0.0.0/0', gw: ROUTER },
      { dst: '10.43.0.0/16', gw: NODE_ADDRESS },
    ]);
    await site().del(pod);
    await site().waitForNoLease(macIn(pod.result));
  });

  test('podman-macvlan: the MAC address that podman asks for, with the arguments that it gives', async () => {
    const network = await fixture('podman-macvlan.conflist');
    const args = { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'web', K8S_POD_NAME: 'web' };
    const pod = await site().add(network, { args, capabilityArgs: { mac: '02:5e:00:53:00:07' } });
    const link = await linkOf(pod.pod.namespace);
    assert.equal(link.address, '02:5e:00:53:00:07');
    assert.equal(link.mtu, 1500);
    assert.equal(macIn(pod.result), '02:5e:00:53:00:07');
    await site().daemon.runtime.check(network, pod.attachment);
    await site().del(pod);
    await site().waitForNoLease(macIn(pod.result));
  });

  test("ipam-options: the server sees the pod's name and the vendor class", async () => {
    const args = { IgnoreUnknown: '1', K8S_POD_NAME: 'grafana-0' };
    const pod = await site().add(await fixture('ipam-options.conflist'), { args });
    assert.equal((await site().leaseOf(macIn(pod.result)))?.hostname, 'grafana-0');
    assert.match(await site().serverLog(), /vendor class: lab\n/);
    assert.match(await site().serverLog(), /client provides name: grafana-0\n/);
    await site().daemon.runtime.check(pod.network, pod.attachment);
    await site().del(pod);
    await site().waitForNoLease(macIn(pod.result));
  });
});
