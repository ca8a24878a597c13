import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cidr, cidr } from '../../../src/base/cidr.ts';
import { isIpv4 } from '../../../src/base/ip.ts';
import { type Ipv4, ipv4 } from '../../../src/base/ipv4.ts';
import { addressProblem, type NodeLan, serviceProblem } from '../../../src/node/host/node-lan.ts';
import { type HostAddress, type HostRoute, RTPROT_LEASEHOLD } from '../../../src/node/host/ports.ts';

const UPLINK = { name: 'eth0', index: 2, stated: [] };
const STORAGE = 5;
const STATIC = 4;

function net(text: string): Cidr<Ipv4> {
  const { address, prefix } = cidr(text);
  if (!isIpv4(address)) throw new Error('IPv4 only');
  return { address, prefix };
}

function addressOf(text: string, index = UPLINK.index): HostAddress {
  return { index, cidr: net(text), scope: 0, secondary: false };
}

function route(dst: string, via: Partial<HostRoute> & { gateway?: Ipv4 }): HostRoute {
  return { dst: net(dst), index: UPLINK.index, protocol: STATIC, ...via };
}

const LAN: NodeLan = {
  addresses: [addressOf('192.168.2.10/24'), addressOf('10.9.0.1/24', STORAGE)],
  routes: [
    route('0.0.0.0/0', { gateway: ipv4('192.168.2.1') }),
    route('10.8.0.0/16', { gateway: ipv4('192.168.2.2') }),
    route('192.168.2.130/32', { index: STORAGE }),
    route('192.168.2.131/32', { index: 9, protocol: RTPROT_LEASEHOLD }),
    route('192.168.2.132/32', { index: 0 }),
    route('192.168.7.0/24', {}),
    // The kernel's own, of the address.
    route('192.168.2.0/24', {}),
  ],
};

test('which addresses the node may lead to a pod', () => {
  const cases = [
    ['192.168.2.93', undefined],
    ['192.168.2.131', undefined],
    // A network that the administrator says is on the uplink.
    ['192.168.7.5', undefined],
    ['192.168.2.1', /gateway of the node's route to 0\.0\.0\.0\/0/],
    ['192.168.2.2', /gateway of the node's route to 10\.8\.0\.0\/16/],
    ['192.168.2.10', /address of the node itself/],
    ['10.9.0.1', /address of the node itself/],
    ['8.8.8.8', /in no network that the node has on eth0 \(192\.168\.2\.0\/24, 192\.168\.7\.0\/24\)/],
    ['10.9.0.2', /in no network/],
    ['192.168.2.0', /no address of a host in 192\.168\.2\.0\/24/],
    ['192.168.2.255', /no address of a host in/],
    ['192.168.2.130', /has a route on this node that others made/],
    ['192.168.2.132', /has a route on this node that others made/],
    ['127.0.0.5', /no address of a host/],
    ['224.0.0.5', /no address of a host/],
    ['255.255.255.255', /no address of a host/],
    ['0.0.0.0', /no address of a host/],
  ] as const;
  for (const [text, expected] of cases) {
    const problem = addressProblem(LAN, UPLINK, ipv4(text));
    if (expected === undefined) assert.equal(problem, undefined, text);
    else assert.match(problem ?? '', expected, text);
  }
});

const NO_NETWORK = [[], [addressOf('169.254.3.4/16')], [addressOf('192.168.2.9/32')]];

/** The node is on the Internet by another interface, and on its uplink it has nothing. */
function onAnother(own: readonly HostAddress[]): NodeLan {
  return { addresses: [...own, addressOf('10.9.0.1/24', STORAGE)], routes: LAN.routes.slice(0, 5) };
}

test('an uplink on which the node has no network: nothing is led to pods, and the text says what to do', () => {
  for (const own of NO_NETWORK) {
    for (const text of ['8.8.8.8', '10.9.0.2', '10.20.30.40', '192.168.2.93']) {
      const problem = addressProblem(onAnother(own), UPLINK, ipv4(text)) ?? '';
      assert.match(problem, /no IPv4 network on eth0 .*"lan".*"hostAccess"/, text);
    }
    assert.match(addressProblem(onAnother(own), UPLINK, ipv4('192.168.2.1')) ?? '', /gateway/);
  }
});

test('there, the configured networks of the LAN count, but for what the node has elsewhere', () => {
  const uplink = { ...UPLINK, stated: [net('10.0.0.0/8'), net('192.168.2.0/24')] };
  const halves = [route('0.0.0.0/1', { index: 7 }), route('128.0.0.0/1', { index: 7 })];
  const cases = [
    ['10.20.30.40', undefined],
    ['192.168.2.93', undefined],
    ['192.168.2.255', /no address of a host in 192\.168\.2\.0\/24/],
    ['192.168.2.1', /gateway/],
    ['8.8.8.8', /in no network of the LAN at eth0.*\(10\.0\.0\.0\/8, 192\.168\.2\.0\/24: "lan"/],
    // An interface's network, a route by a router elsewhere, and one of the same length as the configured.
    ['10.9.0.2', /in 10\.9\.0\.0\/24, which the node has elsewhere/],
    ['10.42.3.4', /in 10\.42\.0\.0\/16, which the node has elsewhere/],
    ['10.77.0.1', /in 10\.77\.0\.0\/24, which the node has elsewhere/],
  ] as const;
  for (const own of NO_NETWORK) {
    const { addresses, routes } = onAnother(own);
    const others = [
      route('10.42.0.0/16', { index: 7, gateway: ipv4('10.9.0.9') }),
      route('10.77.0.0/24', { index: 0 }),
    ];
    const lan = { addresses, routes: [...routes, ...halves, ...others] };
    for (const [text, expected] of cases) {
      const problem = addressProblem(lan, uplink, ipv4(text));
      if (expected === undefined) assert.equal(problem, undefined, text);
      else assert.match(problem ?? '', expected, text);
    }
    assert.match(serviceProblem(lan, [uplink], net('192.168.2.0/25')) ?? '', /the network of eth0/);
  }
});

test('on an uplink with a network, only what is more exactly elsewhere is not led to pods', () => {
  const others = [
    route('192.168.0.0/16', { index: 7 }),
    route('192.168.2.0/24', { index: 8 }),
    route('192.168.2.192/27', { index: 9 }),
  ];
  const lan = { ...LAN, routes: [...LAN.routes, ...others] };
  assert.equal(addressProblem(lan, UPLINK, ipv4('192.168.2.93')), undefined);
  assert.match(addressProblem(lan, UPLINK, ipv4('192.168.2.200')) ?? '', /in 192\.168\.2\.192\/27/);
});

test('in a network of two addresses both are of hosts (RFC 3021)', () => {
  const lan = { addresses: [addressOf('192.168.2.10/31')], routes: [] };
  assert.equal(addressProblem(lan, UPLINK, ipv4('192.168.2.11')), undefined);
});

test('which networks may be kept off the LAN as those of services', () => {
  const cases = [
    ['10.43.0.0/16', undefined],
    ['10.0.0.0/8', undefined],
    // NodeLocal DNSCache.
    ['169.254.20.10/32', undefined],
    // Another interface's.
    ['10.9.0.0/24', undefined],
    ['192.168.2.0/24', /overlaps 192\.168\.2\.0\/24, the network of eth0/],
    ['192.168.0.0/16', /overlaps/],
    ['192.168.2.128/25', /overlaps/],
    ['192.168.2.77/32', /overlaps/],
    ['128.0.0.0/1', /larger than a \/8/],
    ['0.0.0.0/0', /larger than a \/8/],
  ] as const;
  for (const [text, expected] of cases) {
    const problem = serviceProblem(LAN, [UPLINK], net(text));
    if (expected === undefined) assert.equal(problem, undefined, text);
    else assert.match(problem ?? '', expected, text);
  }
  const elsewhere = { addresses: [], routes: LAN.routes };
  assert.match(
    serviceProblem(elsewhere, [], net('192.168.0.0/16')) ?? '',
    /contains 192\.168\.2\.1, the router/,
  );
});
