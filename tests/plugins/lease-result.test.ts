import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { linkOf, routesOf } from './support/kernel-view.ts';
import { addressIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

describe('routers, names and MTU of a lease', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    server: {
      kind: 'dnsmasq',
      dhcpOptions: [
        '3,192.168.2.1,192.168.2.2',
        '6,192.168.2.1,192.168.2.53',
        '15,lan.example',
        'option:domain-search,lan.example,corp.example',
        '26,1400',
        // A class C network by its last zero byte, and one host (RFC 2132 5.8: option 33 has no masks).
        '33,192.168.77.0,192.168.2.7,192.168.78.9,192.168.2.8',
      ],
    },
  });

  test('routers, option 33, DNS servers, domain, search list', async () => {
    const added = await site().add(networkOf([macvlan()], { cniVersion: '1.1.0' }));
    assert.deepEqual(added.result['ips'], [
      { interface: 0, address: `${addressIn(added.result)}/24`, gateway: ROUTER },
    ]);
    assert.deepEqual(added.result['dns'], {
      nameservers: [ROUTER, '192.168.2.53'],
      domain: 'lan.example',
      search: ['lan.example', 'corp.example'],
    });
    assert.deepEqual(added.result['routes'], [
      { dst: '192.168.77.0/24', gw: '192.168.2.7' },
      { dst: '192.168.78.9/32', gw: '192.168.2.8' },
      { dst: '0.0.0.0/0', gw: ROUTER },
    ]);
    assert.deepEqual(await routesOf(added.pod.namespace), [
      '192.168.2.0/24 dev eth0',
      '192.168.77.0/24 via 192.168.2.7 dev eth0',
      '192.168.78.9 via 192.168.2.8 dev eth0',
      `default via ${ROUTER} dev eth0`,
    ]);
    await site().daemon.runtime.check(added.network, added.attachment);
    await site().del(added);
  });

  test('option 26 is the MTU of the link and of the result; mtu of the configuration wins', async () => {
    for (const [mtu, seen] of [
      [undefined, 1400],
      [0, 1400],
      [1300, 1300],
      [1450, 1450],
    ] as const) {
      const added = await site().add(
        networkOf([macvlan(mtu === undefined ? {} : { mtu })], { cniVersion: '1.1.0' }),
      );
      const { mtu: ofLink, address: mac } = await linkOf(added.pod.namespace);
      assert.equal(ofLink, seen);
      const sandbox = added.attachment.netns;
      assert.deepEqual(added.result['interfaces'], [{ name: 'eth0', mac, mtu: seen, sandbox }]);
      await site().del(added);
    }
  });

  test('a default route of its own is what a pod without the router option lacks', async () => {
    const ipam = { request: [{ option: '1' }, { skipDefault: true }] };
    const added = await site().add(networkOf([macvlan({}, ipam)]));
    assert.deepEqual(await routesOf(added.pod.namespace), ['192.168.2.0/24 dev eth0']);
    assert.equal(added.result['routes'], undefined);
    await site().del(added);
  });
});

describe('classless routes (option 121)', { skip: NEEDS_ROOT }, () => {
  const classless = [
    '10.7.0.0/16,192.168.2.9',
    // Router 0.0.0.0: on the link itself (RFC 3442).
    '10.8.0.0/16,0.0.0.0',
    // A router outside of the pod's network.
    '10.9.0.0/16,172.16.0.1',
    '0.0.0.0/0,192.168.2.254',
  ];
  const site = useSite({
    server: {
      kind: 'dnsmasq',
      dhcpOptions: ['3,192.168.2.1', '33,192.168.77.0,192.168.2.7', `121,${classless.join(',')}`, '26,9000'],
    },
  });

  test('they count instead of options 3 and 33', async () => {
    const added = await site().add(networkOf([macvlan()], { cniVersion: '1.1.0' }));
    assert.deepEqual(added.result['routes'], [
      { dst: '10.7.0.0/16', gw: '192.168.2.9' },
      { dst: '10.8.0.0/16', gw: '0.0.0.0', scope: 253 },
      { dst: '10.9.0.0/16', gw: '172.16.0.1' },
      { dst: '0.0.0.0/0', gw: '192.168.2.254' },
    ]);
    assert.deepEqual(await routesOf(added.pod.namespace), [
      '10.7.0.0/16 via 192.168.2.9 dev eth0',
      '10.8.0.0/16 dev eth0',
      '10.9.0.0/16 via 172.16.0.1 dev eth0',
      '192.168.2.0/24 dev eth0',
      'default via 192.168.2.254 dev eth0',
    ]);
    // RFC 3442: option 3 MUST be ignored.
    assert.deepEqual(added.result['ips'], [
      { interface: 0, address: `${addressIn(added.result)}/24`, gateway: '192.168.2.254' },
    ]);
    await site().daemon.runtime.check(added.network, added.attachment);
    await site().del(added);
  });

  test('an MTU above that of the uplink is not taken', async () => {
    const added = await site().add(networkOf([macvlan()]));
    assert.equal((await linkOf(added.pod.namespace)).mtu, 1500);
    await site().del(added);
  });
});
