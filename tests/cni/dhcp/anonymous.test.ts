import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../../src/base/json.ts';
import { mac } from '../../../src/base/mac.ts';
import { ANONYMOUS_REQUEST } from '../../../src/protocol/dhcp4/anonymity.ts';
import { attachedAs } from '../identity/support.ts';
import { client, dhcpConf, MAC, refused, settingsWith } from './support.ts';

/** Of a card: neither of a group nor locally administered (IEEE 802). */
const BURNED_IN = mac('00:00:5e:00:53:01');
/** Defaults of a node that would tell its pods apart. */
const TALKATIVE = settingsWith({
  clientId: 'pod',
  hostname: '{pod}',
  fqdn: '{pod}.home.arpa',
  send: { 'vendor-class-identifier': 'lab' },
  request: ['ntp-servers'],
  rapidCommit: true,
  forceRenew: true,
  servers: ['192.168.2.1'],
  broadcast: 'always',
});
const LEAST = {
  anonymous: true,
  clientId: '0102005e100001',
  clientIdOptional: false,
  forceRenew: false,
  requestedAddress: undefined,
  parameterRequest: ANONYMOUS_REQUEST,
  send: {},
  relays: [],
  ipv6Only: false,
  rapidCommit: false,
};

describe('clientId anonymous', () => {
  test('the identifier is the MAC, nothing more is said, and nothing is remembered', () => {
    assert.deepEqual(client({ clientId: 'anonymous' }), { ...LEAST, servers: [], broadcast: 'auto' });
    assert.equal(dhcpConf({ clientId: 'anonymous' }).remember, false);
  });

  test("the daemon's defaults that would tell give way, the others count", () => {
    const settings = TALKATIVE;
    const expected = { ...LEAST, servers: ['192.168.2.1'], broadcast: 'always' };
    assert.deepEqual(client({ clientId: 'anonymous' }, { settings }), expected);
  });

  test('from the daemon: for all networks that state no other', () => {
    const settings = settingsWith({ clientId: 'anonymous' });
    assert.deepEqual(client({}, { settings }), { ...LEAST, servers: [], broadcast: 'auto' });
    const own = client({ clientId: 'pod', hostname: '{pod}' }, { settings });
    assert.deepEqual([own.anonymous, Object.keys(own.send)], [undefined, ['12']]);
    refused(() => client({ hostname: '{pod}' }, { settings }), /^ipam\.hostname: says more of the pod/);
  });

  test('ipv6Only asks for option 108, without which it would be no promise', () => {
    assert.deepEqual(client({ clientId: 'anonymous', ipv6Only: true }).parameterRequest, [
      ...ANONYMOUS_REQUEST,
      108,
    ]);
  });

  for (const [key, value] of [
    ['hostname', '{pod}'],
    ['fqdn', 'a.home.arpa'],
    ['send', { 'user-class': 'lab' }],
    ['request', ['ntp-servers']],
    ['request', [{ skipDefault: true }]],
    ['rapidCommit', true],
    ['forceRenew', true],
    ['provide', [{ option: 'host-name', value: 'web' }]],
  ] as const) {
    test(`ipam.${key} ${JSON.stringify(value)} beside it is refused by name`, () => {
      const ipam = { clientId: 'anonymous', [key]: value } as JsonObject;
      refused(
        () => dhcpConf(ipam),
        new RegExp(`^ipam\\.${key}: says more of the pod than "anonymous" allows \\(RFC 7844\\): remove one`),
      );
    });
  }

  test('so is an address that the network or the runtime states', () => {
    const ipam = { clientId: 'anonymous' };
    for (const [keys, args, at] of [
      [{ mac: 'pod' }, {}, /^mac: /],
      [{ mac: MAC }, {}, /^mac: /],
      [{ runtimeConfig: { mac: MAC } }, {}, /^runtimeConfig\.mac: /],
      [{ args: { cni: { mac: MAC } } }, {}, /^args\.cni\.mac: /],
      [{}, { MAC }, /^CNI_ARGS MAC: /],
      [{ runtimeConfig: { ips: ['192.168.2.9'] } }, {}, /^runtimeConfig\.ips, .*\(192\.168\.2\.9\): /],
      [{}, { IP: '192.168.2.9' }, /^.*CNI_ARGS IP \(192\.168\.2\.9\): /],
    ] as const) {
      const attached = attachedAs(args);
      refused(() => dhcpConf(ipam, { keys, attached }), at, keys);
    }
    for (const keys of [{ mac: 'random' }, { mac: '' }, { runtimeConfig: { mac: '' } }])
      assert.equal(client(ipam, { keys }).anonymous, true);
  });

  test('and a MAC that a manufacturer gave: it is known everywhere', () => {
    refused(
      () => dhcpConf({ clientId: 'anonymous' }).clientFor(BURNED_IN),
      /^clientId: "anonymous" needs a random MAC address, and 00:00:5e:00:53:01 is one that a manufacturer gave/,
    );
    assert.equal(dhcpConf({ clientId: 'mac' }).clientFor(BURNED_IN).clientId, '0100005e005301');
  });
});
