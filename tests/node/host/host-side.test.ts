import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { isIpv4 } from '../../../src/base/ip.ts';
import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type { Cidr } from '../../../src/base/cidr.ts';
import { FakeNode, NODE, UPLINK } from './fake-node.ts';
import { fakePodSide } from './fake-pod.ts';
import { undo } from './undo-node.ts';

function network(text: string): Cidr<Ipv4> {
  const { address, prefix } = cidr(text);
  if (!isIpv4(address)) throw new Error('IPv4 only');
  return { address, prefix };
}

const SERVICES = network('10.43.0.0/16');

async function attached(node: FakeNode, name: string, address: string, change = {}): Promise<void> {
  await node.side.attach(node.pod(name, address, change));
}

test('the first pod brings the shim: the node address on it, a route and a neighbour of the pod', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  assert.equal(node.shim?.name, 'lh0');
  assert.equal(node.shim?.up, true);
  assert.deepEqual(node.shimView(), {
    addresses: [NODE],
    routes: [`192.168.2.93 from ${NODE}`],
    neighbours: ['192.168.2.93 de:00:00:00:00:5d'],
  });
  assert.equal(node.sysctls.get('ipv4 lh0 arp_filter'), '1');
  assert.equal(node.sysctls.get('ipv4 eth0 forwarding'), '1');
  assert.equal(node.podState('one').lastHops, 1);
});

test('many first pods at once share one shim', async () => {
  const node = new FakeNode();
  await Promise.all(Array.from({ length: 20 }, (_, at) => attached(node, `p${at}`, `192.168.2.${100 + at}`)));
  assert.equal(node.shims, 1);
  assert.equal(node.shimView().routes.length, 20);
});

test('a pod that leaves takes its route and neighbour along; the shim stays', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  await attached(node, 'two', '192.168.2.94');
  await node.side.detach(node.key('one'));
  assert.deepEqual(node.shimView().routes, [`192.168.2.94 from ${NODE}`]);
  assert.ok(node.shim !== undefined);
  assert.equal(node.side.has(node.key('one')), false);
});

test('whatever is taken from the shim is back within 100 ms, and said', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  const before = node.shimView();
  node.removeLink(node.shim?.index ?? 0);
  await node.pass(100);
  assert.deepEqual(node.shimView(), before);
  node.removeRoute('192.168.2.93');
  node.dropAddress(NODE, node.shim?.index);
  await node.pass(100);
  assert.deepEqual(node.shimView(), before);
  assert.equal(node.log.filter(({ text }) => text.includes('changed by others')).length > 0, true);
  assert.ok((node.counts.get('host-repaired') ?? 0) > 0);
});

test('packets that went astray to the uplink meanwhile are not left waiting there', async () => {
  const node = new FakeNode();
  const astray = { index: UPLINK, address: ipv4('192.168.2.93'), permanent: false };
  node.neighbourTable.push(astray);
  await attached(node, 'one', '192.168.2.93');
  assert.equal(node.neighbourTable.includes(astray), false);
  node.removeLink(node.shim?.index ?? 0);
  node.neighbourTable.push(astray);
  await node.pass(100);
  assert.equal(node.neighbourTable.includes(astray), false);
  assert.deepEqual(node.shimView().neighbours, ['192.168.2.93 de:00:00:00:00:5d']);
});

test('what we do ourselves is no repair, and costs no look', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  await node.pass(1000);
  await attached(node, 'two', '192.168.2.94');
  await node.side.detach(node.key('two'));
  await node.pass(1000);
  assert.equal(node.counts.get('host-repaired'), undefined);
  assert.deepEqual(node.log, []);
});

test('somebody who removes the shim again and again is noticed and not fought for ever', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  for (let at = 0; at < 200; at++) {
    if (node.shim !== undefined) node.removeLink(node.shim.index);
    await node.pass(100);
  }
  assert.ok(node.shims < 20, `${node.shims} shims in 20 s`);
  assert.equal(node.counts.get('host-fight') !== undefined, true);
  assert.ok(node.side.status().fights.some(({ item }) => item.includes('the shim')));
  await node.pass(120_000);
  assert.ok(node.shim !== undefined, 'in the end it is there');
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
  await node.pass(600_000);
  assert.deepEqual(node.side.status().fights, [], 'a fight that is over is forgotten');
});

test("the node's address changes: shim and routes follow at once, the old one goes after a moment", async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  const fresh = ipv4('192.168.2.20');
  node.dropAddress(NODE);
  node.setAddress(fresh);
  await node.pass(50);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${fresh}`]);
  assert.deepEqual(node.shimView().addresses.toSorted(), [NODE, fresh].toSorted());
  await node.pass(600);
  assert.deepEqual(node.shimView().addresses, [fresh]);
  assert.equal(node.podState('one').shimMac, node.shim?.mac, 'the pod needs to know nothing of it');
});

test('an uplink that is flushed and set again keeps its address on the shim all the time', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  node.dropAddress(NODE);
  await node.pass(200);
  assert.deepEqual(node.shimView().addresses, [NODE]);
  node.setAddress(NODE);
  await node.pass(2000);
  assert.deepEqual(node.shimView(), {
    addresses: [NODE],
    routes: [`192.168.2.93 from ${NODE}`],
    neighbours: ['192.168.2.93 de:00:00:00:00:5d'],
  });
});

test('no address at boot: pods get their routes by the configured LAN, and the address when it comes', async () => {
  const node = new FakeNode();
  node.dropAddress(NODE);
  node.stated = [{ address: ipv4('192.168.2.0'), prefix: 24 }];
  await attached(node, 'one', '192.168.2.93');
  assert.deepEqual(node.shimView().routes, ['192.168.2.93 from -']);
  node.setAddress(NODE);
  await node.pass(100);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
});

test('the uplink goes and comes back as another device: the shim is made on it', async () => {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await attached(node, 'one', '192.168.2.93');
  node.removeLink(UPLINK);
  await node.pass(100);
  assert.equal(node.shims, 1);
  node.guard = undefined;
  node.addUplink('eth0', 7);
  node.setAddress(NODE, 7);
  await node.pass(200);
  assert.equal(node.shims, 2);
  assert.equal(node.shim?.masterIndex, 7);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
  assert.notEqual(node.guard, undefined, 'its hook on the device went with the device');
});

test('services: each pod has its routes by the shim, the guard its networks, also when they change', async () => {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await attached(node, 'auto', '192.168.2.93');
  await attached(node, 'off', '192.168.2.94', { services: 'off' });
  await attached(node, 'own', '192.168.2.95', { services: [network('10.96.0.0/12')] });
  assert.deepEqual(node.podState('auto').services, ['10.43.0.0/16']);
  assert.deepEqual(node.podState('off').services, []);
  assert.deepEqual(node.podState('own').services, ['10.96.0.0/12']);
  assert.deepEqual(
    node.guard?.networks.map(({ address }) => address),
    ['10.43.0.0', '10.96.0.0'],
  );
  node.services.set('kubernetes', [network('10.50.0.0/16')]);
  await node.pass(100);
  assert.deepEqual(node.podState('auto').services, ['10.43.0.0/16', '10.50.0.0/16']);
  assert.deepEqual(node.podState('own').services, ['10.96.0.0/12']);
  assert.equal(node.guard?.networks.length, 3);
  node.services.set('config', []);
  await node.pass(100);
  assert.deepEqual(node.podState('auto').services, ['10.50.0.0/16']);
});

test('a guard that others broke is put again', async () => {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await attached(node, 'one', '192.168.2.93');
  node.guardBroken = true;
  node.side.guardChanged();
  await node.pass(100);
  assert.equal(node.guardBroken, false);
  assert.equal(node.counts.get('host-repaired'), 1);
});

test('the lease of a running pod changes: the route follows, and the pod gets its services again', async () => {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await attached(node, 'one', '192.168.2.93');
  node.leases.set('one', ipv4('192.168.2.120'));
  node.podState('one').services = [];
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.deepEqual(node.shimView().routes, [`192.168.2.120 from ${NODE}`]);
  assert.deepEqual(node.podState('one').services, ['10.43.0.0/16']);
  assert.equal(node.podState('one').lastHops, 1, 'connections that were learned are not forgotten');
  node.leases.delete('one');
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.deepEqual(node.shimView().routes, []);
});

test('a link that was made again under its uplink gets a last hop of its own', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  node.podState('one').index = 9;
  node.side.leaseChanged(node.key('one'));
  await node.pass(100);
  assert.equal(node.podState('one').lastHops, 2);
});

test('what was begun before the address came is done once', async () => {
  const node = new FakeNode();
  const request = node.pod('one', '192.168.2.93');
  node.side.begin(request, node.podState('one').index, fakePodSide('one', node.podState('one')));
  await node.side.attach(request);
  await node.side.ended(request.key);
  assert.equal(node.podState('one').lastHops, 1);
  assert.equal(node.shims, 1);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
});

test('an ADD that fails leaves nothing of the pod', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  node.refuse = new SysError('RTM_NEWROUTE', 'EPERM');
  await assert.rejects(attached(node, 'two', '192.168.2.94'), { code: 'EPERM' });
  node.refuse = undefined;
  assert.equal(node.side.has(node.key('two')), false);
  assert.deepEqual([...node.stored.keys()].toSorted(), ['attachment one/lan/eth0', 'uplink eth0']);
  await node.pass(1000);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
});

test('a repetition of an ADD that fails takes nothing from the pod that runs', async () => {
  const node = new FakeNode();
  const request = node.pod('one', '192.168.2.93');
  await node.side.attach(request);
  node.refuse = new SysError('RTM_NEWROUTE', 'EPERM');
  await assert.rejects(node.side.attach(request), { code: 'EPERM' });
  node.refuse = undefined;
  assert.equal(node.side.has(node.key('one')), true);
  await node.pass(1000);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
  await node.side.detach(node.key('one'));
  assert.deepEqual(node.shimView().routes, []);
});

test('a daemon that begins anew finds all as it was, and mends what changed meanwhile', async () => {
  const node = new FakeNode();
  node.services.set('config', [SERVICES]);
  await attached(node, 'one', '192.168.2.93');
  await attached(node, 'gone', '192.168.2.94');
  await node.side.close();
  node.pods.delete('/run/netns/gone');
  node.routeTable = [];
  const records = [...node.stored.values()];
  const side = node.boot();
  for (const kind of ['uplink', 'attachment']) {
    for (const record of records) if (record.kind === kind) side.resume(record);
  }
  await side.start();
  await node.pass(100);
  assert.equal(node.shims, 1);
  assert.deepEqual(node.shimView().routes, [`192.168.2.93 from ${NODE}`]);
  assert.deepEqual(node.shimView().neighbours, ['192.168.2.93 de:00:00:00:00:5d']);
  assert.equal(node.podState('one').lastHops, 1);
  assert.equal(node.stored.has('attachment gone/lan/eth0'), false);
});

for (const leased of [true, false]) {
  test(`the last pod went while no daemon ran (lease on record: ${leased}): nothing leads there any more`, async () => {
    const node = new FakeNode();
    await attached(node, 'one', '192.168.2.93');
    await node.side.close();
    node.pods.delete('/run/netns/one');
    if (!leased) node.leases.delete('one');
    const records = [...node.stored.values()];
    const begin = async (): Promise<void> => {
      const side = node.boot();
      for (const kind of ['uplink', 'attachment']) {
        for (const record of records) if (record.kind === kind) side.resume(record);
      }
      await side.start();
      await node.pass(100);
      await side.close();
    };
    await begin();
    assert.deepEqual(node.shimView().routes, []);
    assert.deepEqual(node.shimView().neighbours, []);
    node.linkTable = node.linkTable.filter(({ name }) => name !== 'lh0');
    await begin();
    assert.equal(node.shim, undefined, 'a shim for nobody');
  });
}

test('a pod that went away without a DEL is swept after two looks', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  await node.side.start();
  node.pods.delete('/run/netns/one');
  await node.pass(31_000);
  assert.equal(node.side.has(node.key('one')), true);
  await node.pass(31_000);
  assert.equal(node.side.has(node.key('one')), false);
  assert.deepEqual(node.shimView().routes, []);
});

test('without host access there is no shim, with last hop only the pod is touched', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93', { hostAccess: false, services: 'off' });
  assert.equal(node.shim, undefined);
  assert.equal(node.podState('one').lastHops, 1);
});

test("a name that somebody else's interface has is passed over, and that interface left alone", async () => {
  const node = new FakeNode();
  node.linkTable.push({ index: 5, name: 'lh0', mtu: 1500, up: true, lowerUp: true, kind: 'dummy' });
  await attached(node, 'one', '192.168.2.93');
  assert.equal(node.shim?.name, 'lh1');
  assert.ok(node.linkTable.some(({ name, kind }) => name === 'lh0' && kind === 'dummy'));
});

test('a shim whose record was lost is taken up by its alias, with the MAC that pods know', async () => {
  const node = new FakeNode();
  await attached(node, 'one', '192.168.2.93');
  const { index, mac } = node.shim ?? {};
  await node.side.close();
  node.stored.clear();
  node.boot();
  await attached(node, 'two', '192.168.2.94');
  assert.equal(node.shims, 1);
  assert.deepEqual([node.shim?.index, node.shim?.mac], [index, mac]);
});

test('a pod that went without a DEL does not keep the address that the next one has', async () => {
  const node = new FakeNode();
  await attached(node, 'old', '192.168.2.93', { mac: 'de:00:00:00:00:01' });
  node.pods.delete('/run/netns/old');
  await attached(node, 'new', '192.168.2.93', { mac: 'de:00:00:00:00:02' });
  assert.deepEqual(node.shimView().neighbours, ['192.168.2.93 de:00:00:00:00:02']);
  await node.side.detach(node.key('old'));
  assert.deepEqual(node.shimView().neighbours, ['192.168.2.93 de:00:00:00:00:02']);
});

test('undone: nothing of ours is left, and the sysctl of the uplink is what it was', async () => {
  const node = new FakeNode();
  node.sysctls.set('ipv4 eth0 forwarding', '0');
  await attached(node, 'one', '192.168.2.93');
  assert.equal(node.sysctls.get('ipv4 eth0 forwarding'), '1');
  await undo(node);
  assert.equal(node.shim, undefined);
  assert.equal(node.guard, undefined);
  assert.equal(node.sysctls.get('ipv4 eth0 forwarding'), '0');
  assert.equal(node.stored.has('uplink eth0'), true, 'an install that follows takes the pods up');
});

test('undone: a sysctl that was ours to find, or that others changed since, is left alone', async () => {
  const node = new FakeNode();
  node.sysctls.set('ipv4 eth0 forwarding', '1');
  await attached(node, 'one', '192.168.2.93');
  await undo(node);
  assert.equal(node.sysctls.get('ipv4 eth0 forwarding'), '1');
});
