import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../../src/base/json.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { DEFAULT_REQUEST } from '../../../src/cni/dhcp/request.ts';
import { attachedAs } from '../identity/support.ts';
import { client, dhcpConf, NAMELESS, refused, settingsWith, WEB } from './support.ts';

/** What an empty configuration makes of a lease. */
const USUAL = { metric: undefined, routes: 'all', table: undefined, mtu: true } as const;

function hex(text: string): string {
  return toHex(utf8(text));
}

function events(ipam: JsonObject, attached = NAMELESS): readonly string[] {
  return dhcpConf(ipam, { attached }).notes.map(({ event }) => event);
}

test("an empty section: the Go plugin's identity, no name, the defaults", () => {
  assert.deepEqual(client({}), {
    clientId: `00${hex('c1/lan/eth0')}`,
    clientIdOptional: true,
    requestedAddress: undefined,
    parameterRequest: DEFAULT_REQUEST,
    send: {},
    servers: [],
    relays: [],
    ipv6Only: false,
    rapidCommit: true,
    forceRenew: true,
    broadcast: 'auto',
  });
  const { apply, conflictCheck, remember, notes } = dhcpConf({});
  assert.deepEqual(
    { apply, conflictCheck, remember, notes },
    {
      apply: USUAL,
      conflictCheck: 'background',
      remember: false,
      notes: [],
    },
  );
});

test("apply: the metric is `priority`, the MTU is the network's unless the configuration states one", () => {
  for (const [ipam, keys, apply] of [
    [{ priority: 77 }, {}, { ...USUAL, metric: 77 }],
    [{ priority: 0 }, { mtu: 0 }, USUAL],
    [{}, { mtu: 1400 }, { ...USUAL, mtu: false }],
  ] as const) {
    assert.deepEqual(dhcpConf(ipam, { keys }).apply, apply);
  }
});

/** Whether option 61 is ours to leave out. */
function optional(ipam: JsonObject, attached = WEB): boolean | undefined {
  return client(ipam, { attached }).clientIdOptional;
}

describe('identity', () => {
  test('the identifier may be left out only where it is made from a container', () => {
    for (const clientId of ['pod', 'duid', 'mac', 'a name', '0x0102'])
      assert.equal(optional({ clientId }), false);
    const provide = [{ option: 'dhcp-client-identifier', value: 'a name' }];
    assert.equal(optional({ provide }), false);
    assert.equal(optional({}), true);
    assert.equal(optional({ clientId: 'container' }), true);
    assert.equal(optional({ clientId: 'pod' }, NAMELESS), true);
    assert.equal(optional({ clientId: 'mac' }, NAMELESS), false);
  });

  test('policies, and the identifier of `provide` over all of them', () => {
    assert.equal(client({ clientId: 'pod' }).clientId, `00${hex('shop/web-0/eth0')}`);
    assert.equal(client({ clientId: 'mac' }).clientId, '0102005e100001');
    assert.match(client({ clientId: 'duid' }).clientId ?? '', /^ff/);
    assert.equal(client({ clientId: 'printer-one' }).clientId, `00${hex('printer-one')}`);
    const provide = [{ option: 'dhcp-client-identifier', value: 'mine' }];
    assert.equal(client({ clientId: 'pod', provide }).clientId, hex('mine'));
    assert.deepEqual(client({ clientId: 'pod', provide }).send, {});
  });

  test("without a pod it is the container, which is told; podman's name is a pod", () => {
    assert.deepEqual(events({ clientId: 'pod' }), ['identity-without-pod']);
    assert.deepEqual(events({ clientId: 'duid' }), ['identity-without-pod']);
    assert.deepEqual(events({ clientId: 'mac', hostname: '{pod}' }), ['name-without-pod']);
    assert.deepEqual(events({ hostname: '{container}' }), []);
    const podman = attachedAs({ K8S_POD_NAME: 'db' });
    assert.deepEqual(events({ clientId: 'pod', hostname: '{pod}' }, podman), []);
    assert.deepEqual(events({ fqdn: '{pod}.{namespace}' }, podman), ['name-without-pod']);
    const { notes } = dhcpConf({ clientId: 'pod', hostname: 'a-{namespace}' }, { attached: NAMELESS });
    assert.match(notes[0]?.text ?? '', /clientId: .*K8S_POD_NAME.*"pod" is made from the container/);
    assert.match(notes[1]?.text ?? '', /hostname: .*\{namespace\}/);
  });
});

describe('whether an address is remembered', () => {
  const provide = [{ option: 'dhcp-client-identifier', value: 'mine' }];
  const cases: readonly (readonly [JsonObject, typeof NAMELESS, boolean])[] = [
    [{ clientId: 'container' }, WEB, false],
    [{ clientId: 'pod' }, WEB, true],
    [{ clientId: 'duid' }, WEB, true],
    [{ clientId: 'pod' }, NAMELESS, false],
    [{ clientId: 'duid' }, NAMELESS, false],
    [{ clientId: 'mac' }, NAMELESS, true],
    [{ clientId: 'printer-one' }, NAMELESS, true],
    [{ clientId: 'container', provide }, NAMELESS, true],
  ];
  for (const [ipam, attached, remember] of cases) {
    test(`${JSON.stringify(ipam)}, ${attached === WEB ? 'a pod' : 'no pod'}: ${remember}`, () => {
      assert.equal(dhcpConf(ipam, { attached }).remember, remember);
    });
  }

  test("the daemon's default counts, and the network's own over it", () => {
    const settings = settingsWith({ clientId: 'pod' });
    assert.equal(dhcpConf({}, { settings }).remember, true);
    assert.equal(dhcpConf({ clientId: 'container' }, { settings }).remember, false);
  });
});

describe('names', () => {
  const FQDN = '050000057765622d30036c616e00';
  const cases: readonly (readonly [string, JsonObject, JsonObject, Record<number, string>])[] = [
    ['a template', { hostname: '{pod}' }, {}, { 12: hex('web-0') }],
    ['cleaned', { hostname: '_{namespace}_x' }, {}, { 12: hex('shop-x') }],
    ['nothing left', { hostname: '--' }, {}, {}],
    ['a name with its domain', { fqdn: '{pod}.lan' }, {}, { 81: FQDN }],
    ['never both (RFC 4702 3.1)', { fqdn: '{pod}.lan', hostname: '{pod}' }, {}, { 81: FQDN }],
    ['unless that one is empty', { fqdn: '', hostname: '{pod}' }, {}, { 12: hex('web-0') }],
    [
      'provide wins',
      { hostname: '{pod}', provide: [{ option: 'host-name', value: 'x' }] },
      {},
      { 12: hex('x') },
    ],
    ['send wins', { hostname: '{pod}', send: { 'host-name': 'y' } }, {}, { 12: hex('y') }],
    [
      'provide over send',
      { send: { '12': 'y', '60': 'z' }, provide: [{ option: 'host-name', value: 'x' }] },
      {},
      { 12: hex('x'), 60: hex('z') },
    ],
    ["the daemon's", {}, { hostname: '{pod}' }, { 12: hex('web-0') }],
    ["the network's over the daemon's", { hostname: 'n' }, { hostname: '{pod}' }, { 12: hex('n') }],
    ["none, over the daemon's", { hostname: '' }, { hostname: '{pod}' }, {}],
    [
      "the network's over the daemon's option",
      { hostname: 'n' },
      { send: { '12': 'd', '60': 'e' } },
      { 12: hex('n'), 60: hex('e') },
    ],
    [
      "the network's options in the place of the daemon's",
      { send: { '60': 'n' } },
      { send: { '60': 'd', '77': 'd' } },
      { 60: hex('n') },
    ],
  ];
  for (const [what, ipam, dhcp, send] of cases) {
    test(what, () => assert.deepEqual(client(ipam, { settings: settingsWith(dhcp) }).send, send));
  }
});

test('what every answer has is not asked for: a server would repeat it (RFC 2131 table 3)', () => {
  for (const code of [50, 51, 52, 53, 54, 55, 61]) assert.ok(!DEFAULT_REQUEST.includes(code), String(code));
  assert.equal(new Set(DEFAULT_REQUEST).size, DEFAULT_REQUEST.length);
});

test("request: names, codes and the Go plugin's form; ipv6Only adds 108", () => {
  for (const [ipam, list] of [
    [{ request: ['tftp-server-name', 119] }, [66, 119, ...DEFAULT_REQUEST.filter((code) => code !== 119)]],
    // RFC 3442: 121 before 3 and 33, wherever the configuration puts them.
    [{ request: [66, 3] }, [66, 121, 3, 1, 6, 15, 26, 33, 58, 59, 119, 249]],
    [{ request: ['static-routes'] }, [121, 33, 1, 3, 6, 15, 26, 58, 59, 119, 249]],
    [{ request: [{ skipDefault: true }, 1, 33, 3, 6, 121] }, [1, 121, 33, 3, 6]],
    [{ request: [{ skipDefault: true }, 121, 3] }, [121, 3]],
    [{ request: [{ skipDefault: true }, 6, 121] }, [6, 121]],
    [{ request: [{ skipDefault: true }, 'routers', 1] }, [3, 1]],
    [{ request: [{ skipDefault: true }] }, [1, 3, 15, 6]],
    [{ ipv6Only: true }, [...DEFAULT_REQUEST, 108]],
    [{ ipv6Only: true, request: [{ skipDefault: true }, 108, 1] }, [108, 1]],
    [{ ipv6Only: true, request: [{ skipDefault: true }] }, [1, 3, 15, 6, 108]],
    [{ request: [] }, DEFAULT_REQUEST],
  ] as const) {
    assert.deepEqual(client(ipam as JsonObject).parameterRequest, list, JSON.stringify(ipam));
  }
  assert.equal(client({ ipv6Only: true }).ipv6Only, true);
});

test("the daemon's defaults, and the network's keys over them", () => {
  const settings = settingsWith({
    clientId: 'mac',
    servers: ['192.168.2.1'],
    relays: ['192.168.2.254'],
    conflictCheck: 'off',
    ipv6Only: true,
    broadcast: 'always',
    rapidCommit: false,
    request: [{ skipDefault: true }, 1],
  });
  const byDefault = client({}, { settings });
  assert.equal(byDefault.clientId, '0102005e100001');
  assert.deepEqual(byDefault.servers, ['192.168.2.1']);
  assert.deepEqual(byDefault.relays, ['192.168.2.254']);
  assert.deepEqual(byDefault.parameterRequest, [1, 108]);
  assert.equal(byDefault.broadcast, 'always');
  assert.equal(byDefault.rapidCommit, false);
  assert.equal(dhcpConf({}, { settings }).conflictCheck, 'off');
  const own = {
    clientId: 'container',
    servers: [],
    relays: [],
    conflictCheck: 'before',
    ipv6Only: false,
    broadcast: 'auto',
    rapidCommit: true,
    request: [],
  };
  assert.deepEqual(client(own, { settings }), client({}));
  assert.equal(dhcpConf(own, { settings }).conflictCheck, 'before');
});

test('what cannot be used is refused with its key; keys that nobody knows are not', () => {
  const cases: readonly (readonly [JsonObject, RegExp])[] = [
    [{ clientID: 'pod' }, /^ipam: "clientID" is no key of it: did you mean "clientId"\?/],
    [{ 'host-name': 'x' }, /did you mean "hostname"/],
    [{ server: ['192.168.2.1'] }, /did you mean "servers"/],
    [{ relays: ['192.168.2.254'] }, /^relays: counts only beside "servers"/],
    [{ ipv6only: true }, /did you mean "ipv6Only"/],
    [{ request: ['v6-only-preferred'] }, /set "ipv6Only": true/],
    [{ priority: -1 }, /^ipam\.priority: /],
    [
      { send: { 'forcerenew-nonce-capable': [1] } },
      /^ipam\.send\.forcerenew-nonce-capable: .*set by the exchange/,
    ],
    [{ send: { authenticate: { hex: `03${'00'.repeat(27)}` } } }, /^authenticate \(90\): protocol 3/],
    [{ provide: [{ option: '90', value: `0x03${'00'.repeat(27)}` }] }, /^authenticate \(90\): protocol 3/],
    [{ provide: [{ option: '53', value: '0x01' }] }, /^ipam\.provide\[0\]\.option: .*set by the exchange/],
    [
      { send: { '125': `0x${'00'.repeat(600)}`, '124': `0x${'00'.repeat(600)}` } },
      /1200 bytes of options do not fit/,
    ],
  ];
  for (const [ipam, message] of cases) refused(() => dhcpConf(ipam), message, ipam);
  const foreign = {
    routes: [],
    dns: {},
    'static routes': [],
    dataDir: '/x',
    gateway: '1.2.3.4',
    subnet: 'x',
    ranges: [],
  };
  assert.deepEqual(client(foreign), client({}));
  // Option 90 of another protocol: some providers ask for it (RFC 3118 4).
  const token = '00'.repeat(12);
  assert.deepEqual(client({ send: { authenticate: { hex: token } } }).send, { 90: token });
});
