import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cidr, cidr } from '../../../src/base/cidr.ts';
import { isIpv4 } from '../../../src/base/ip.ts';
import { type Ipv4, ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { NotAdmitted } from '../../../src/node/host/admission.ts';
import type { HostRoute } from '../../../src/node/host/ports.ts';
import { FakeNode, NODE, UPLINK } from './fake-node.ts';

const ROUTER = ipv4('192.168.2.1');
const STATIC = 4;

function net(text: string): Cidr<Ipv4> {
  const { address, prefix } = cidr(text);
  if (!isIpv4(address)) throw new Error('IPv4 only');
  return { address, prefix };
}

const SERVICES = net('10.43.0.0/16');
const LAN = net('192.168.2.0/24');

/** A node with a router. */
function nodeWithRouter(): FakeNode {
  const node = new FakeNode();
  addRoute(node, { dst: net('0.0.0.0/0'), index: UPLINK, gateway: ROUTER, protocol: STATIC });
  return node;
}

function addRoute(node: FakeNode, route: HostRoute): void {
  node.routeTable.push(route);
  node.tell({ kind: 'route', gone: false, ...route });
}

function guarded(node: FakeNode): readonly string[] {
  return (node.guard?.networks ?? []).map(({ address, prefix }) => `${address}/${prefix}`);
}

function saysError(node: FakeNode, text: string): number {
  return node.log.filter((line) => line.level === 'error' && line.text.includes(text)).length;
}

test("a pod with the router's address, the node's, or one of the Internet is refused, and nothing is left", async () => {
  const node = nodeWithRouter();
  const before = [...node.routeTable];
  for (const address of [ROUTER, NODE, ipv4('8.8.8.8')]) {
    const request = node.pod('bad', '192.168.2.77', { addresses: [address] });
    await assert.rejects(
      node.side.attach(request),
      (error: unknown) => error instanceof NotAdmitted && error.field === 'address',
    );
    assert.equal(node.side.has(node.key('bad')), false);
    assert.deepEqual(node.routeTable, before);
  }
  await assert.rejects(node.side.attach(node.pod('leased', ROUTER)), NotAdmitted);
});

test('a host route that others made stays, and the pod is refused', async () => {
  const node = nodeWithRouter();
  const foreign = { dst: net('192.168.2.130/32'), index: 9, protocol: STATIC };
  addRoute(node, foreign);
  await assert.rejects(
    node.side.attach(node.pod('one', '192.168.2.130')),
    /route on this node that others made/,
  );
  assert.ok(node.routeTable.includes(foreign));
});

test("a pod's services that are the LAN are refused; the node keeps its LAN", async () => {
  const node = nodeWithRouter();
  for (const network of [LAN, net('192.168.0.0/16'), net('128.0.0.0/1')]) {
    await assert.rejects(
      node.side.attach(node.pod('bad', '192.168.2.93', { services: [SERVICES, network] })),
      (error: unknown) => error instanceof NotAdmitted && error.field === 'services',
    );
    assert.deepEqual(guarded(node), []);
  }
});

test('a network of the daemon that is the LAN is left out, said once, and used when the LAN is another', async () => {
  const node = nodeWithRouter();
  node.services.set('config', [SERVICES, LAN]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.deepEqual(guarded(node), ['10.43.0.0/16']);
  assert.deepEqual(node.podState('one').services, ['10.43.0.0/16']);
  assert.deepEqual(
    node.ruleTable.filter(({ does }) => does !== 'host-routes').map(({ to }) => to.address),
    ['10.43.0.0', '10.43.0.0', '10.43.0.0', '10.43.0.0'],
  );
  const [left, ...more] = node.side.status().servicesLeftOut;
  assert.deepEqual(more, []);
  assert.deepEqual(left?.network, LAN);
  assert.match(left?.problem ?? '', /the network of eth0/);
  await node.side.attach(node.pod('two', '192.168.2.94'));
  assert.equal(saysError(node, 'not in use while they overlap'), 1);
  assert.equal(node.counts.get('services-left-out'), 1);

  node.routeTable = node.routeTable.filter(({ gateway }) => gateway === undefined);
  node.dropAddress(NODE, UPLINK);
  node.addressTable.push({ index: UPLINK, cidr: net('192.168.3.10/24'), scope: 0, secondary: false });
  node.tell({ kind: 'address', gone: false, index: UPLINK, cidr: net('192.168.3.10/24') });
  await node.pass(1000);
  assert.deepEqual(guarded(node), ['10.43.0.0/16', '192.168.2.0/24']);
  assert.deepEqual(node.side.status().servicesLeftOut, []);
});

test('a network that has the API server in it is left out: node and kubelet would be cut off from the cluster', async () => {
  const node = nodeWithRouter();
  node.services.set('kubernetes', [SERVICES, net('10.96.0.0/12')]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.deepEqual(guarded(node), ['10.43.0.0/16', '10.96.0.0/12']);
  node.apiServer = ipv4('10.100.0.5');
  node.services.judge();
  await node.pass(1000);
  assert.deepEqual(guarded(node), ['10.43.0.0/16']);
  assert.deepEqual(node.podState('one').services, ['10.43.0.0/16']);
  assert.match(
    node.side.status().servicesLeftOut[0]?.problem ?? '',
    /^contains 10\.100\.0\.5, the API server/,
  );
  await assert.rejects(
    node.side.attach(node.pod('two', '192.168.2.94', { services: [net('10.100.0.0/16')] })),
    (error: unknown) => error instanceof NotAdmitted && error.field === 'services',
  );
  node.apiServer = undefined;
  node.services.judge();
  await node.pass(1000);
  assert.deepEqual(guarded(node), ['10.43.0.0/16', '10.96.0.0/12']);
});

test('a LAN that becomes that of a service takes it off the guard; a reload is judged at once', async () => {
  const node = nodeWithRouter();
  node.services.set('config', [SERVICES]);
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.services.set('config', [SERVICES, LAN]);
  await node.pass(100);
  assert.deepEqual(guarded(node), ['10.43.0.0/16']);
  const second = net('10.43.7.10/24');
  node.addressTable.push({ index: UPLINK, cidr: second, scope: 0, secondary: false });
  node.tell({ kind: 'address', gone: false, index: UPLINK, cidr: second });
  await node.pass(1000);
  assert.deepEqual(guarded(node), []);
  assert.deepEqual(node.podState('one').services, []);
});

test('a running pod whose lease becomes the router: no route, said and counted; a good one is led to it again', async () => {
  const node = nodeWithRouter();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.leases.set('one', ROUTER);
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.deepEqual(node.shimView().routes, []);
  assert.equal(node.counts.get('address-refused'), 1);
  assert.equal(saysError(node, 'no route is made'), 1);
  node.leases.set('one', ipv4('192.168.2.94'));
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.deepEqual(node.shimView().routes, [`192.168.2.94 from ${NODE}`]);
});

test('a LAN that is renumbered: pods may be first, and are led to when the node has its new address', async () => {
  const node = nodeWithRouter();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.leases.set('one', ipv4('192.168.3.93'));
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.deepEqual(node.shimView().routes, []);
  node.addressTable.push({ index: UPLINK, cidr: net('192.168.3.10/24'), scope: 0, secondary: false });
  node.tell({ kind: 'address', gone: false, index: UPLINK, cidr: net('192.168.3.10/24') });
  await node.pass(1000);
  assert.equal(node.shimView().routes.length, 1);
  assert.match(node.shimView().routes[0] ?? '', /^192\.168\.3\.93 /);
});

test("an administrator's permanent neighbour of a pod's address on the uplink stays", async () => {
  const node = nodeWithRouter();
  const address = ipv4('192.168.2.93');
  const permanent = { index: UPLINK, address, mac: mac('02:00:00:00:00:77'), permanent: true };
  const put = node.neighbourTable;
  put.push(permanent);
  await node.side.attach(node.pod('one', address));
  assert.ok(node.neighbourTable.includes(permanent));
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(100);
  assert.ok(node.neighbourTable.includes(permanent));
});

test('a shim that others switch off in the moment of an ADD is up again, and the ADD succeeds', async () => {
  const node = nodeWithRouter();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  const { shim } = node;
  if (shim === undefined) throw new Error('no shim');
  shim.up = false;
  await node.side.attach(node.pod('two', '192.168.2.94'));
  assert.equal(node.shim?.up, true);
  assert.equal(node.shimView().routes.length, 2);
});

test('the guard confines uplinks on which routing was off before us, unless the whole node routes', async () => {
  const node = nodeWithRouter();
  node.sysctls.set('ipv4 eth0 forwarding', '0');
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.deepEqual(node.guard?.confined, ['eth0', 'lh0']);
  node.sysctls.set('ipv4 all forwarding', '1');
  node.tell({ kind: 'sysctl', index: UPLINK });
  await node.pass(100);
  assert.deepEqual(node.guard?.confined, []);
  node.sysctls.set('ipv4 all forwarding', '0');
  node.sysctls.set('ipv4 eth0 forwarding', '0');
  node.tell({ kind: 'sysctl', index: UPLINK });
  await node.pass(100);
  assert.deepEqual(node.guard?.confined, ['eth0', 'lh0']);
});

test('an uplink on which the administrator has switched routing on stays as it is', async () => {
  const node = nodeWithRouter();
  node.sysctls.set('ipv4 eth0 forwarding', '1');
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.deepEqual(node.guard?.confined, []);
});

test('a node without a network on its uplink leads nothing to pods, until a reload says what the LAN has', async () => {
  const node = nodeWithRouter();
  node.dropAddress(NODE, UPLINK);
  const before = [...node.routeTable];
  for (const address of ['8.8.8.8', '192.168.2.93']) {
    await assert.rejects(
      node.side.attach(node.pod('one', ipv4(address))),
      (error: unknown) => error instanceof NotAdmitted && error.reason.includes('"lan"'),
    );
    assert.deepEqual(node.routeTable, before);
  }
  node.stated = [LAN];
  await node.side.reapply();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  assert.equal(node.shimView().routes.length, 1);
  await assert.rejects(node.side.attach(node.pod('two', ipv4('8.8.8.8'))), /in no network of the LAN/);
  node.leases.set('one', ipv4('192.168.7.93'));
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.equal(node.shimView().routes.length, 0);
  node.stated = [LAN, net('192.168.7.0/24')];
  await node.side.reapply();
  await node.pass(100);
  assert.equal(node.shimView().routes.length, 1, 'a pod that runs, too');
});

test('an uplink that loses its address for a while: running pods are led to as before, and 8.8.8.8 is not', async () => {
  const node = nodeWithRouter();
  await node.side.attach(node.pod('one', '192.168.2.93'));
  node.dropAddress(NODE, UPLINK);
  node.tell({ kind: 'address', gone: true, index: UPLINK, cidr: net(`${NODE}/24`) });
  await node.pass(1000);
  node.leases.set('one', ipv4('192.168.2.94'));
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.equal(node.shimView().routes.length, 1);
  assert.match(node.shimView().routes[0] ?? '', /^192\.168\.2\.94/);
  await assert.rejects(node.side.attach(node.pod('two', ipv4('8.8.8.8'))), /in no network of the LAN/);
});
