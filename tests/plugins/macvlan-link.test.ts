import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { signalProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressesOf, linkOf, linksOf, sysctlOf } from './support/kernel-view.ts';
import { addressIn, type Attached, macIn, macvlan, networkOf, useSite } from './support/site.ts';

describe('the keys of macvlan', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  for (const mode of ['bridge', 'private', 'vepa', 'passthru']) {
    test(`mode ${mode}`, async () => {
      // The kernel gives a passthru child the MAC address of its master, and lets it be the only one.
      const added = await site().add(networkOf([macvlan({ mode, ipam: {} })]));
      const link = await linkOf(added.pod.namespace);
      assert.equal(link.linkinfo?.info_kind, 'macvlan');
      assert.equal(link.linkinfo?.info_data?.['mode'], mode);
      await site().daemon.runtime.check(added.network, added.attachment);
      await site().del(added);
      assert.equal((await linksOf(added.pod.namespace)).size, 0);
    });
  }

  test('defaults: the interface with the default route, bridge, its MTU, a MAC address of its own', async () => {
    const added = await site().add(networkOf([{ type: 'macvlan', ipam: { type: 'dhcp' } }]));
    const link = await linkOf(added.pod.namespace);
    assert.equal(link.linkinfo?.info_data?.['mode'], 'bridge');
    assert.equal(link.mtu, (await linkOf(site().node)).mtu);
    assert.equal(Number.parseInt(link.address.slice(0, 2), 16) & 3, 2, `${link.address} is a local unicast`);
    assert.ok(await site().leaseOf(macIn(added.result)));
    await site().del(added);
  });

  test('the link is there under its final name, up, announces itself and answers ARP for itself alone', async () => {
    const added = await site().add(networkOf([macvlan({ ipam: {} })]), { ifName: 'lan-0123456789a' });
    const links = await linksOf(added.pod.namespace);
    assert.deepEqual([...links.keys()], ['lan-0123456789a']);
    assert.ok(links.get('lan-0123456789a')?.flags.includes('LOWER_UP'));
    const { namespace } = added.pod;
    assert.equal(await sysctlOf(namespace, 'ipv4/conf/lan-0123456789a/arp_notify'), '1');
    assert.equal(await sysctlOf(namespace, 'ipv4/conf/lan-0123456789a/arp_ignore'), '1');
    // It has no IPv6 address that could be announced.
    assert.equal(await sysctlOf(namespace, 'ipv6/conf/lan-0123456789a/ndisc_notify'), '0');
    await site().del(added);
  });

  test('beside an interface that has a lease it answers for itself before it has one too', async () => {
    const first = await site().add(networkOf([macvlan({ ipam: { type: 'dhcp' } })]));
    const { namespace } = first.pod;
    const attachment = { ...first.pod.attachment, ifName: 'net1' };
    const network = networkOf([macvlan({ ipam: { type: 'dhcp' } })], { name: 'second' });
    const { process: server } = site().lan.server;
    signalProcess(server, 'SIGSTOP');
    const adding = site().attach(network, { ...first.pod, attachment });
    try {
      await waitFor('the new link to keep silent for the other', async () =>
        (await linksOf(namespace)).has('net1')
          ? (await sysctlOf(namespace, 'ipv4/conf/net1/arp_ignore')) === '1'
          : false,
      );
      assert.deepEqual(await addressesOf(namespace, 'net1'), []);
    } finally {
      signalProcess(server, 'SIGCONT');
    }
    const second = await adding;
    await site().del(second);
    await site().del(first);
  });

  test('mtu: below the master, equal to it, 0 for its own', async () => {
    for (const [mtu, seen] of [
      [1280, 1280],
      [1500, 1500],
      [0, 1500],
    ] as const) {
      const added = await site().add(networkOf([macvlan({ mtu, ipam: {} })], { cniVersion: '1.1.0' }));
      assert.equal((await linkOf(added.pod.namespace)).mtu, seen);
      const { address: mac } = await linkOf(added.pod.namespace);
      const sandbox = added.attachment.netns;
      assert.deepEqual(added.result['interfaces'], [{ name: 'eth0', mac, mtu: seen, sandbox }]);
      await site().del(added);
    }
  });

  test('mac: the runtime before CNI_ARGS before the configuration', async () => {
    const capabilities = { mac: true };
    const network = networkOf([macvlan({ mac: '02:5e:00:53:01:01', capabilities, ipam: {} })]);
    const args = { MAC: '02:5e:00:53:01:02' };
    const capabilityArgs = { mac: '02:5e:00:53:01:03' };
    for (const [options, seen] of [
      [{}, '02:5e:00:53:01:01'],
      [{ args }, '02:5e:00:53:01:02'],
      [{ args, capabilityArgs }, '02:5e:00:53:01:03'],
      [{ capabilityArgs }, '02:5e:00:53:01:03'],
    ] as const) {
      const added = await site().add(network, options);
      assert.equal((await linkOf(added.pod.namespace)).address, seen);
      assert.equal(macIn(added.result), seen);
      await site().del(added);
    }
  });

  test('bcqueuelen', async () => {
    const added = await site().add(networkOf([macvlan({ bcqueuelen: 5000, ipam: {} })]));
    const data = (await linkOf(added.pod.namespace)).linkinfo?.info_data;
    assert.equal(data?.['bcqueuelen'], 5000, JSON.stringify(data));
    await site().del(added);
  });

  test('the same container with the same MAC address, fifty times in a row', async () => {
    const network = networkOf([macvlan({ mac: '02:5e:00:53:01:10' })]);
    const pod = await site().pod();
    const all: Attached[] = [];
    for (let turn = 0; turn < 50; turn++) {
      const added = await site().attach(network, pod);
      assert.equal(macIn(added.result), '02:5e:00:53:01:10');
      assert.equal((await linkOf(pod.namespace)).address, '02:5e:00:53:01:10');
      all.push(added);
      await site().del(added);
      assert.equal((await linksOf(pod.namespace)).size, 0);
    }
    // The server knows the client again each time.
    assert.equal(new Set(all.map(({ result }) => addressIn(result))).size, 1);
    for (const { result } of all.slice(-1)) await site().waitForNoLease(macIn(result));
    assert.deepEqual(await site().records(), []);
  });

  test('linkInContainer: the master is an interface of the pod', async () => {
    const pod = await site().pod();
    const { lan } = site();
    // A cable of the pod's own to the router's bridge, as another plugin of the chain would have made it.
    const peer = ['peer', 'name', 'net1', 'netns', pod.namespace.name];
    await lan.router.ip('link', 'add', 'pin', 'type', 'veth', ...peer);
    await lan.router.ip('link', 'set', 'pin', 'master', 'br0', 'up');
    await pod.namespace.ip('link', 'set', 'net1', 'up');
    const network = networkOf([macvlan({ master: 'net1', linkInContainer: true })]);
    const added = await site().attach(network, pod);
    const link = await linkOf(pod.namespace);
    assert.equal(link.linkinfo?.info_kind, 'macvlan');
    const lease = await site().leaseOf(macIn(added.result));
    assert.deepEqual(await addressesOf(pod.namespace), [`${lease?.ip}/24`]);
    await site().daemon.runtime.check(network, added.attachment);
    await site().del(added);
    assert.deepEqual([...(await linksOf(pod.namespace)).keys()], ['net1']);
    await site().waitForNoLease(macIn(added.result));
  });

  test('linkInContainer without a master takes the default route of the pod', async () => {
    const pod = await site().pod();
    const peer = ['peer', 'name', 'net1', 'netns', pod.namespace.name];
    await site().lan.router.ip('link', 'add', 'pdef', 'type', 'veth', ...peer);
    await site().lan.router.ip('link', 'set', 'pdef', 'master', 'br0', 'up');
    await pod.namespace.ip('link', 'set', 'net1', 'up');
    await pod.namespace.ip('route', 'add', 'default', 'dev', 'net1');
    const added = await site().attach(networkOf([{ type: 'macvlan', linkInContainer: true, ipam: {} }]), pod);
    assert.equal((await linkOf(pod.namespace)).linkinfo?.info_kind, 'macvlan');
    await site().del(added);
  });

  test('two networks in one pod', async () => {
    const first = await site().add(networkOf([macvlan()]));
    const attachment = { ...first.attachment, ifName: 'net1' };
    const second = await site().attach(networkOf([macvlan()], { name: 'second' }), {
      ...first.pod,
      attachment,
    });
    assert.notEqual(macIn(first.result), macIn(second.result));
    assert.deepEqual([...(await linksOf(first.pod.namespace)).keys()].toSorted(), ['eth0', 'net1']);
    // Both have their default route; the first one counts.
    const way = await first.pod.namespace.ip('route', 'get', '203.0.113.9');
    assert.match(way, /via 192\.168\.2\.1 dev eth0 /);
    await site().daemon.runtime.check(first.network, first.attachment);
    await site().daemon.runtime.check(second.network, second.attachment);
    await site().del(second);
    assert.ok(await site().leaseOf(macIn(first.result)));
    await site().daemon.runtime.check(first.network, first.attachment);
    await site().del(first);
    await site().waitForNoLease(macIn(first.result));
  });
});
