import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { ping } from '../../src/lab/ping.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { BRIDGE, goMainPlugins, pluggedBridge } from './support/go-plugins.ts';
import { addressesOf, linkOf, linksOf, routesOf } from './support/kernel-view.ts';
import { addressIn, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

const LAN_MTU = 1400;

describe("our dhcp under Debian's Go main plugins", { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: {
      kind: 'dnsmasq',
      dhcpOptions: [`26,${LAN_MTU}`, '121,10.7.0.0/16,192.168.2.9,10.8.0.0/16,0.0.0.0,0.0.0.0/0,192.168.2.1'],
    },
  });
  let runtime: CniRuntime;
  before(async () => {
    runtime = await goMainPlugins(site(), { socket: site().daemon.socket });
    await pluggedBridge(site());
  });

  test('macvlan: lease, address, routes, MTU, CHECK, RELEASE', async () => {
    const network = networkOf([macvlan()], { cniVersion: '1.0.0' });
    const { namespace, attachment } = await site().pod();
    const { result } = await runtime.add(network, attachment);
    const address = addressIn(result);
    assert.deepEqual(await addressesOf(namespace), [`${address}/24`]);
    assert.deepEqual(await routesOf(namespace), [
      '10.7.0.0/16 via 192.168.2.9 dev eth0',
      '10.8.0.0/16 dev eth0',
      '192.168.2.0/24 dev eth0',
      `default via ${ROUTER} dev eth0`,
    ]);
    assert.equal((await linkOf(namespace)).mtu, LAN_MTU);
    assert.equal((await site().leaseOf(macIn(result)))?.ip, address);
    assert.ok(await ping(namespace, site().lan.routerAddress.address, { tries: 3 }));
    // The Go plugin's CHECK does not know a route on the link again, not even one that it made itself.
    await assert.rejects(runtime.check(network, attachment), { msg: /10\.8\.0\.0/ });
    await runtime.del(network, attachment);
    assert.equal((await linksOf(namespace)).size, 0);
    await site().waitForNoLease(macIn(result));
  });

  test('macvlan with mtu: the configuration wins over option 26', async () => {
    const network = networkOf([macvlan({ mtu: 1450 })]);
    const { namespace, attachment } = await site().pod();
    await runtime.add(network, attachment);
    assert.equal((await linkOf(namespace)).mtu, 1450);
    await runtime.del(network, attachment);
  });

  test('bridge: lease and address; its DEL, which removes the link first, succeeds', async () => {
    const ipam = { type: 'dhcp', request: [{ option: 'routers', skipDefault: true }] };
    const network = networkOf([{ type: 'bridge', bridge: BRIDGE, ipam }]);
    const { namespace, attachment } = await site().pod();
    const { result } = await runtime.add(network, attachment);
    const { address: mac, linkinfo } = await linkOf(namespace);
    assert.equal(linkinfo?.info_kind, 'veth');
    const lease = (await site().lan.server.leases()).find((one) => one.mac === mac);
    assert.deepEqual(await addressesOf(namespace), [`${lease?.ip}/24`]);
    assert.equal(addressIn(result), lease?.ip);
    assert.ok(await ping(namespace, site().lan.routerAddress.address, { tries: 3 }));
    await runtime.check(network, attachment);
    await runtime.del(network, attachment);
    assert.equal((await linksOf(namespace)).size, 0);
    assert.deepEqual(await site().daemonLeases(), []);
    // The link was gone before its DEL came: the host says it to the server.
    await waitFor('the lease to be released', async () =>
      (await site().lan.server.leases()).every((one) => one.mac !== mac),
    );
    await waitFor('nothing to be stored', async () => (await site().records()).length === 0);
    await runtime.del(network, attachment);
  });

  test('daemonSocketPath in the ipam section is where the plugin finds its daemon', async () => {
    const byConf = await goMainPlugins(site());
    const { namespace, attachment } = await site().pod();
    const { socket } = site().daemon;
    const network = networkOf([macvlan({}, { daemonSocketPath: socket })]);
    const { result } = await byConf.add(network, attachment);
    assert.deepEqual(await addressesOf(namespace), [`${addressIn(result)}/24`]);
    await byConf.del(network, attachment);
    await site().waitForNoLease(macIn(result));
    const elsewhere = networkOf([macvlan({}, { daemonSocketPath: `${socket}.not-there` })]);
    await assert.rejects(byConf.add(elsewhere, attachment, { delOnFailure: false }), /not-there/);
    await namespace.ip('link', 'del', 'eth0');
  });

  test('the plugin by itself: an IPAM result without interfaces, the link switched on', async () => {
    const { namespace, attachment } = await site().pod();
    await site().node.ip('link', 'add', 'mv9', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
    await site().node.ip('link', 'set', 'mv9', 'netns', namespace.name, 'name', 'eth0');
    assert.ok(!(await linkOf(namespace)).flags.includes('UP'));
    const network = networkOf([{ type: 'dhcp', ipam: { type: 'dhcp' } }]);
    const { result } = await site().daemon.runtime.add(network, attachment);
    assert.deepEqual(Object.keys(result).toSorted(), ['cniVersion', 'dns', 'ips', 'routes']);
    const address = addressIn(result);
    assert.deepEqual(result['ips'], [{ address: `${address}/24`, gateway: ROUTER }]);
    assert.ok((await linkOf(namespace)).flags.includes('UP'));
    assert.deepEqual(await addressesOf(namespace), [], 'the address is the main plugin’s to set');
    await assert.rejects(site().daemon.runtime.check(network, attachment), {
      code: 150,
      msg: new RegExp(`eth0 does not have the leased address ${address}/24`),
    });
    await namespace.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
    await site().daemon.runtime.check(network, attachment);
    await site().daemon.runtime.del(network, attachment);
    assert.ok((await linksOf(namespace)).has('eth0'), 'the link is the main plugin’s to remove');
  });

  test('without the interface there is nothing to do', async () => {
    const { attachment } = await site().pod();
    const network = networkOf([{ type: 'dhcp', ipam: { type: 'dhcp' } }]);
    await assert.rejects(site().daemon.runtime.add(network, attachment), {
      code: 107,
      msg: /the container has no interface eth0/,
    });
  });
});
