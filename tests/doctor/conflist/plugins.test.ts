import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, ETH0, idsOf, linkOf, nodeWith, one } from './support.ts';

const DHCP = { type: 'dhcp' };
const MACVLAN = { type: 'macvlan', ipam: DHCP };
const CHAINED = { type: 'leasehold', chained: true };

/** Without what is said of every macvlan. */
function own(plugins: readonly object[], node = nodeWith()): readonly string[] {
  return idsOf(check(plugins, node)).filter((id) => !/no-(host-access|service-route)$/.test(id));
}

function inMode(mode: string): string | undefined {
  return own([{ ...MACVLAN, mode }])[0];
}

function hostLocal(subnet: string): object {
  return { type: 'macvlan', ipam: { type: 'host-local', subnet } };
}

function refusal(plugin: object): string {
  return one(check([plugin]), 'value-invalid').title;
}

describe('the master', () => {
  test('misspelt, absent, off, or a port of a bridge', () => {
    const node = nodeWith({ links: [ETH0, linkOf(3, 'br0', { kind: 'bridge' })] });
    const missing = one(check([{ ...MACVLAN, master: 'eht0' }], node), 'master-missing');
    assert.equal(missing.remedy[0], 'did you mean "eth0"?');
    for (const type of ['leasehold', 'ipvlan', 'vlan'])
      assert.ok(idsOf(check([{ type, master: 'nowhere' }], node)).includes('error master-missing'), type);
    assert.deepEqual(own([MACVLAN], nodeWith({ uplink: undefined })), ['error master-missing']);
    assert.deepEqual(own([MACVLAN], nodeWith({ links: [{ ...ETH0, up: false }] })), ['warning master-down']);
    const port = nodeWith({ links: [{ ...ETH0, controllerIndex: 3 }, linkOf(3, 'br0', { kind: 'bridge' })] });
    assert.equal(one(check([MACVLAN], port), 'master-is-port').remedy[0], '"master": "br0"');
  });

  test('named by an alternative name', () => {
    const node = nodeWith({ links: [{ ...ETH0, altNames: ['averyveryverylongname0'] }] });
    for (const plugin of [MACVLAN, { type: 'leasehold' }]) {
      const report = check([{ ...plugin, master: 'averyveryverylongname0' }], node);
      assert.ok(!idsOf(report).includes('error master-missing'));
      assert.match(report.plugins[0]?.does ?? '', / on eth0 \(averyveryverylongname0\)/);
    }
    const missing = one(check([{ ...MACVLAN, master: 'averyveryverylongname1' }], node), 'master-missing');
    assert.equal(missing.remedy[0], 'did you mean "averyveryverylongname0"?');
  });

  test('a Wi-Fi adapter, which ipvlan can use', () => {
    const node = nodeWith({ links: [linkOf(2, 'wlan0', { wireless: true })] });
    assert.deepEqual(own([MACVLAN], node), ['error master-wifi']);
    assert.deepEqual(own([{ type: 'leasehold' }], node), ['error master-wifi']);
    assert.deepEqual(own([{ type: 'ipvlan', ipam: DHCP }], node), ['note ipvlan-dhcp']);
  });

  test('an MTU above it', () => {
    assert.deepEqual(own([{ ...MACVLAN, mtu: 9000 }]), ['error mtu-too-large']);
    assert.deepEqual(own([{ ...MACVLAN, mtu: 1500 }]), []);
  });

  test('in the container, where there must be one already', () => {
    const report = check([{ ...MACVLAN, linkInContainer: true, master: 'net1' }]);
    assert.deepEqual(idsOf(report), ['note no-service-route', 'warning link-in-container']);
  });

  test('a list or a pattern of leasehold is not looked for by name', () => {
    for (const master of [['eth7', 'eth8'], 'en*', 'auto'])
      assert.deepEqual(own([{ type: 'leasehold', master }]), []);
  });
});

describe('macvlan and ipvlan', () => {
  test('modes and what they keep from each other', () => {
    assert.equal(inMode('bridge'), undefined);
    assert.equal(inMode('private'), 'warning macvlan-mode');
    assert.equal(inMode('vepa'), 'warning macvlan-mode');
    assert.equal(inMode('passthru'), 'error macvlan-mode');
    assert.equal(inMode('brige'), 'error value-invalid');
  });

  test('no address, or an "ipam" without a type', () => {
    for (const ipam of [undefined, null, {}])
      assert.deepEqual(own([{ type: 'macvlan', ipam }]), ['warning ipam-missing']);
    assert.deepEqual(own([{ type: 'macvlan', ipam: { provide: [] } }]), ['error ipam-missing']);
  });

  test('ipvlan in a layer 3 mode has no broadcasts', () => {
    for (const mode of ['l3', 'l3s'])
      assert.deepEqual(own([{ type: 'ipvlan', mode, ipam: DHCP }]), ['error ipvlan-l3-dhcp']);
  });

  test('ranges of addresses beside the DHCP server, or of another network', () => {
    assert.match(
      one(check([hostLocal('192.168.2.0/25')]), 'static-pool').title,
      /without asking the DHCP server/,
    );
    assert.match(
      one(check([hostLocal('10.0.0.0/24')]), 'static-pool').title,
      /not the network of the LAN \(192\.168\.2\.0/,
    );
    const ranges = { type: 'host-local', ranges: [[{ subnet: '192.168.2.0/24' }], [{ subnet: 'x' }, 1], 1] };
    assert.deepEqual(own([{ type: 'macvlan', ipam: ranges }]), ['warning static-pool']);
    const fixed = { type: 'static', addresses: [{ address: '192.168.2.9/24' }] };
    assert.deepEqual(own([{ type: 'macvlan', ipam: fixed }]), ['warning static-pool']);
  });

  test('with leasehold chained behind, host and services are reached', () => {
    const node = nodeWith({ services: ['10.43.0.0/16'] });
    assert.deepEqual(idsOf(check([MACVLAN, CHAINED], node)), []);
    const off = check([MACVLAN, { ...CHAINED, hostAccess: false, services: 'off' }], node);
    assert.deepEqual(idsOf(off), ['note no-host-access', 'error no-service-route']);
  });
});

describe('bridge', () => {
  const BRIDGE = { type: 'bridge', bridge: 'br0', ipam: DHCP };

  test('without an uplink nobody hears the pods', () => {
    const report = check([BRIDGE]);
    assert.equal(one(report, 'bridge-no-uplink').severity, 'error');
    const local = { ...BRIDGE, ipam: { type: 'host-local', subnet: '10.88.0.0/16' } };
    assert.equal(one(check([local]), 'bridge-no-uplink').severity, 'note');
    const pods = nodeWith({
      links: [
        ETH0,
        linkOf(3, 'br0', { kind: 'bridge' }),
        linkOf(4, 'veth1', { kind: 'veth', controllerIndex: 3 }),
      ],
    });
    assert.match(
      one(check([BRIDGE], pods), 'bridge-no-uplink').evidence[0] ?? '',
      /no port but those of pods/,
    );
  });

  test('with one it works, but never as the gateway', () => {
    const node = nodeWith({ links: [{ ...ETH0, controllerIndex: 3 }, linkOf(3, 'br0', { kind: 'bridge' })] });
    assert.deepEqual(idsOf(check([BRIDGE], node)), ['note bridge-release']);
    assert.equal(one(check([{ ...BRIDGE, isGateway: true }], node), 'bridge-gateway').severity, 'error');
    assert.equal(
      one(check([{ ...BRIDGE, isDefaultGateway: true }], node), 'bridge-gateway').severity,
      'error',
    );
  });
});

describe('what is chained behind', () => {
  test('portmap, bandwidth and firewall see nothing of a macvlan', () => {
    assert.deepEqual(own([MACVLAN, { type: 'portmap' }, { type: 'bandwidth' }, { type: 'firewall' }]), [
      'warning portmap-no-way',
      'error bandwidth-no-interface',
      'warning firewall-no-effect',
    ]);
    const bridge = { type: 'ptp', ipam: { type: 'host-local', subnet: '10.88.0.0/16' } };
    assert.deepEqual(own([bridge, { type: 'portmap' }, { type: 'bandwidth' }, { type: 'firewall' }]), []);
  });

  test('a MAC address by tuning comes after the lease', () => {
    assert.deepEqual(own([MACVLAN, { type: 'tuning', mac: '02:00:00:00:00:01' }]), ['error mac-after-dhcp']);
    assert.deepEqual(own([MACVLAN, { type: 'tuning', sysctl: {} }, { type: 'sbr' }, { type: 'vrf' }]), []);
  });

  test('ptp has no DHCP server', () => {
    assert.deepEqual(own([{ type: 'ptp', ipam: DHCP }]), ['error ptp-dhcp']);
  });
});

describe('programs and values', () => {
  test('a program that is not there, and the nearest one', () => {
    const node = nodeWith({ programs: ['macvlan'] });
    assert.match(one(check([MACVLAN], node), 'plugin-missing').title, /no program "dhcp"/);
    const misspelt = check([{ type: 'leashold' }], node);
    assert.deepEqual(one(misspelt, 'plugin-missing').remedy[1], 'did you mean "leasehold"?');
    assert.deepEqual(one(misspelt, 'plugin-unknown').remedy, ['did you mean "leasehold"?']);
  });

  test('what a plugin refuses, in its own words', () => {
    assert.match(refusal({ type: 'leasehold', hostAcess: true }), /hostAcess.*"hostAccess"/);
    assert.match(refusal({ type: 'leasehold', services: '10.43.0.0' }), /services/);
    assert.match(refusal({ ...MACVLAN, mac: 'x' }), /mac: "x" is not an Ethernet address/);
    assert.match(
      refusal({ type: 'macvlan', ipam: { ...DHCP, clientIdd: 'pod' } }),
      /did you mean "clientId"/,
    );
    // What only keys together tell, in either form.
    const promise = { request: ['v6-only-preferred'] };
    assert.match(refusal({ type: 'macvlan', ipam: { ...DHCP, ...promise } }), /set "ipv6Only": true/);
    assert.match(refusal({ type: 'leasehold', dhcp: promise }), /set "ipv6Only": true/);
    assert.deepEqual(own([{ type: 'leasehold', dhcp: { ...promise, ipv6Only: true } }]), []);
    assert.deepEqual(own([{ type: 'leasehold', identity: 'anonymous', dhcp: { forceRenew: false } }]), []);
    assert.match(
      one(check([MACVLAN, { type: 'route-override', addroutes: [{ dst: '10.43.0.1/16' }] }]), 'value-invalid')
        .title,
      /10\.43\.0\.0\/16/,
    );
  });
});
