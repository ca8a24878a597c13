import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../../src/base/cidr.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ipv6 } from '../../../src/base/ipv6.ts';
import { mac } from '../../../src/base/mac.ts';
import { EMPTY_RESULT, type CniResult } from '../../../src/cni/spec/result.ts';
import { resultToVersion } from '../../../src/cni/spec/result-write.ts';

const RESULT: CniResult = {
  interfaces: [
    { name: 'vethhost', mac: mac('02:00:00:00:00:aa') },
    {
      name: 'eth0',
      mac: mac('02:00:00:00:00:01'),
      mtu: 1500,
      sandbox: '/run/netns/pod',
      socketPath: '/run/s',
      pciID: '0000:01:00.0',
    },
  ],
  ips: [
    { address: cidr('192.168.2.7/24'), gateway: ipv4('192.168.2.1'), interface: 1 },
    { address: cidr('fd00::7/64'), gateway: ipv6('fd00::1'), interface: 1 },
    { address: cidr('192.168.3.7/24'), interface: 1 },
  ],
  routes: [
    {
      dst: cidr('0.0.0.0/0'),
      gw: ipv4('192.168.2.1'),
      priority: 100,
      mtu: 1400,
      advmss: 1360,
      table: 254,
      scope: 0,
    },
    { dst: cidr('::/0'), gw: ipv6('fd00::1') },
    { dst: cidr('10.0.0.0/8') },
  ],
  dns: { nameservers: ['192.168.2.1'], domain: 'lan', search: ['lan', 'home'], options: ['ndots:1'] },
};

const DNS = { nameservers: ['192.168.2.1'], domain: 'lan', search: ['lan', 'home'], options: ['ndots:1'] };

test('1.1.0 says everything', () => {
  assert.deepEqual(resultToVersion(RESULT, '1.1.0'), {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'vethhost', mac: '02:00:00:00:00:aa' },
      {
        name: 'eth0',
        mac: '02:00:00:00:00:01',
        mtu: 1500,
        sandbox: '/run/netns/pod',
        socketPath: '/run/s',
        pciID: '0000:01:00.0',
      },
    ],
    ips: [
      { interface: 1, address: '192.168.2.7/24', gateway: '192.168.2.1' },
      { interface: 1, address: 'fd00::7/64', gateway: 'fd00::1' },
      { interface: 1, address: '192.168.3.7/24' },
    ],
    routes: [
      { dst: '0.0.0.0/0', gw: '192.168.2.1', mtu: 1400, advmss: 1360, priority: 100, table: 254, scope: 0 },
      { dst: '::/0', gw: 'fd00::1' },
      { dst: '10.0.0.0/8' },
    ],
    dns: DNS,
  });
});

const INTERFACES_BEFORE_1_1 = [
  { name: 'vethhost', mac: '02:00:00:00:00:aa' },
  { name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/pod' },
];
const ROUTES_BEFORE_1_1 = [
  { dst: '0.0.0.0/0', gw: '192.168.2.1' },
  { dst: '::/0', gw: 'fd00::1' },
  { dst: '10.0.0.0/8' },
];

test('1.0.0 has no MTU, socket or PCI id of interfaces and no attributes of routes', () => {
  assert.deepEqual(resultToVersion(RESULT, '1.0.0'), {
    cniVersion: '1.0.0',
    interfaces: INTERFACES_BEFORE_1_1,
    ips: [
      { interface: 1, address: '192.168.2.7/24', gateway: '192.168.2.1' },
      { interface: 1, address: 'fd00::7/64', gateway: 'fd00::1' },
      { interface: 1, address: '192.168.3.7/24' },
    ],
    routes: ROUTES_BEFORE_1_1,
    dns: DNS,
  });
});

test('0.3.0, 0.3.1 and 0.4.0 state the family of each address', () => {
  for (const cniVersion of ['0.3.0', '0.3.1', '0.4.0'] as const) {
    assert.deepEqual(resultToVersion(RESULT, cniVersion), {
      cniVersion,
      interfaces: INTERFACES_BEFORE_1_1,
      ips: [
        { version: '4', interface: 1, address: '192.168.2.7/24', gateway: '192.168.2.1' },
        { version: '6', interface: 1, address: 'fd00::7/64', gateway: 'fd00::1' },
        { version: '4', interface: 1, address: '192.168.3.7/24' },
      ],
      routes: ROUTES_BEFORE_1_1,
      dns: DNS,
    });
  }
});

test('0.1.0 and 0.2.0 have the first address of each family, with the routes of that family in it', () => {
  for (const cniVersion of ['0.1.0', '0.2.0'] as const) {
    assert.deepEqual(resultToVersion(RESULT, cniVersion), {
      cniVersion,
      ip4: {
        ip: '192.168.2.7/24',
        gateway: '192.168.2.1',
        routes: [{ dst: '0.0.0.0/0', gw: '192.168.2.1' }, { dst: '10.0.0.0/8' }],
      },
      ip6: { ip: 'fd00::7/64', gateway: 'fd00::1', routes: [{ dst: '::/0', gw: 'fd00::1' }] },
      dns: DNS,
    });
  }
});

test('a layer 2 attachment has no addresses, in any version', () => {
  const links = [{ name: 'eth0', sandbox: '/run/netns/pod' }];
  const layer2 = { ...EMPTY_RESULT, interfaces: links };
  assert.deepEqual(resultToVersion(layer2, '0.2.0'), { cniVersion: '0.2.0', dns: {} });
  assert.deepEqual(resultToVersion(layer2, '0.4.0'), { cniVersion: '0.4.0', interfaces: links });
  assert.deepEqual(resultToVersion(layer2, '1.1.0'), { cniVersion: '1.1.0', interfaces: links });
});
