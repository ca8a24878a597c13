import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { formatCidr } from '../../src/base/cidr.ts';
import { seconds } from '../../src/base/time.ts';
import { NO_KEYS, readDhcpKeys } from '../../src/cni/dhcp/keys.ts';
import type { IdentityScope } from '../../src/cni/identity/subject.ts';
import { type DaemonConfig, loadConfig } from '../../src/daemon/config.ts';

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-config-`));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config.json');
  writeFileSync(path, text);
  return path;
}

const DEFAULTS: DaemonConfig = {
  deadline: seconds(30),
  carrierWait: seconds(5),
  dhcp: { defaults: NO_KEYS, mac: 'random', identity: { cluster: '', key: '', node: hostname() } },
  protect: [],
  lan: [],
  services: [],
  kubeconfig: undefined,
};

test('without a file, and with an empty one: the defaults', (t) => {
  assert.deepEqual(loadConfig(undefined), DEFAULTS);
  assert.deepEqual(loadConfig(fileWith(t, '{}')), DEFAULTS);
  assert.deepEqual(loadConfig(fileWith(t, '{"dhcp":{},"identity":{},"protect":[]}')), DEFAULTS);
});

test('what is set is taken; the wait for a carrier is part of the deadline', (t) => {
  const text = '{"dhcp":{"deadlineSeconds":2.5,"broadcast":"never","rapidCommit":false}}';
  assert.deepEqual(loadConfig(fileWith(t, text)), {
    ...DEFAULTS,
    deadline: seconds(2.5),
    carrierWait: seconds(2.5),
    dhcp: { ...DEFAULTS.dhcp, defaults: { ...NO_KEYS, broadcast: 'never', rapidCommit: false } },
  });
});

test('every key of the ipam section is a default here', (t) => {
  const dhcp = {
    clientId: 'duid',
    mac: 'pod',
    hostname: '{pod}',
    fqdn: { name: '{pod}.lan', update: 'none' },
    send: { 'vendor-class-identifier': 'lab' },
    request: ['ntp-servers'],
    servers: ['192.168.2.1'],
    relays: ['192.168.2.254'],
    conflictCheck: 'before',
    ipv6Only: true,
    broadcast: 'always',
    rapidCommit: false,
    forceRenew: false,
  };
  const { defaults, mac } = loadConfig(fileWith(t, JSON.stringify({ dhcp }))).dhcp;
  assert.equal(mac, 'pod');
  assert.deepEqual(defaults, readDhcpKeys(dhcp, 'dhcp'));
  assert.ok(Object.values(defaults).every((value) => value !== undefined));
});

test('identity: the key is the cluster unless it is set; the node is this machine unless it is named', (t) => {
  const identityOf = (text: string): IdentityScope => loadConfig(fileWith(t, text)).dhcp.identity;
  const node = hostname();
  assert.deepEqual(identityOf('{"identity":{"cluster":"home"}}'), { cluster: 'home', key: 'home', node });
  assert.deepEqual(identityOf('{"identity":{"cluster":"home","key":"k"},"node":"n1"}'), {
    cluster: 'home',
    key: 'k',
    node: 'n1',
  });
  assert.deepEqual(identityOf('{"identity":{"key":"k"}}'), { cluster: '', key: 'k', node });
});

test('protect: networks, host bits cleared', (t) => {
  const { protect } = loadConfig(fileWith(t, '{"protect":["10.43.0.1/16","192.168.2.125/32"]}'));
  assert.deepEqual(protect.map(formatCidr), ['10.43.0.0/16', '192.168.2.125/32']);
});

test('lan: the networks of the LAN, host bits cleared', (t) => {
  const { lan } = loadConfig(fileWith(t, '{"lan":["192.168.2.7/24"]}'));
  assert.deepEqual(lan.map(formatCidr), ['192.168.2.0/24']);
});

test('what cannot be used is named, with the file', (t) => {
  const cases = [
    ['', /is not JSON/],
    ['{"dhcp":', /is not JSON/],
    ['[]', /must hold a JSON object/],
    ['"dhcp"', /must hold a JSON object/],
    ['{"dhcp":[]}', /dhcp: must be an object/],
    ['{"dhcp":null}', /dhcp: /],
    ['{"identity":[]}', /identity: must be an object$/],
    ['{"identity":"anonymous"}', /identity: must be an object here, .*"clientId" and "mac" in "dhcp"/],
    [
      '{"dhcpp":{}}',
      /dhcpp: is no key: did you mean "dhcp"\? \(keys of the file: dhcp, identity, protect, services, lan, node, kubeconfig\)/,
    ],
    ['{"services":["128.0.0.0/1"]}', /services.*larger than a \/8/],
    ['{"services":["10.0.0.0/7"]}', /services.*larger than a \/8/],
    ['{"lan":["192.0.0.0/7"]}', /lan.*larger than a \/8: name the LAN's own/],
    ['{"lan":["eth0"]}', /lan\[0\]: "eth0" is not an IPv4 network/],
    [JSON.stringify({ lan: Array.from({ length: 17 }, () => '10.0.0.0/8') }), /lan: has more than 16/],
    ['{"__proto__":{}}', /__proto__: is no key/],
    ['{"a\\u001bb":{}}', /"a\\u001bb": is no key/],
    ['{"dhcp":{"deadline":5}}', /dhcp\.deadline: is no key: \(keys of "dhcp": deadlineSeconds/],
    ['{"dhcp":{"deadlineSecond":5}}', /did you mean "deadlineSeconds"/],
    ['{"dhcp":{"clientID":"pod"}}', /dhcp\.clientID: is no key: did you mean "clientId"/],
    ['{"dhcp":{"priority":1}}', /dhcp\.priority: is no key: /],
    ['{"dhcp":{"deadlineSeconds":"5"}}', /dhcp\.deadlineSeconds: expected number, not "5"/],
    ['{"dhcp":{"deadlineSeconds":0}}', /dhcp\.deadlineSeconds: must be more than 0/],
    ['{"dhcp":{"deadlineSeconds":1e9}}', /dhcp\.deadlineSeconds: must be more than 0 and at most 86400/],
    ['{"dhcp":{"carrierWaitSeconds":-1}}', /dhcp\.carrierWaitSeconds: must be more than 0/],
    ['{"dhcp":{"broadcast":"sometimes"}}', /dhcp\.broadcast: .*"auto" \| "always" \| "never"/],
    ['{"dhcp":{"rapidCommit":1}}', /dhcp\.rapidCommit: expected boolean/],
    ['{"dhcp":{"mac":"02:00:00:00:00:01"}}', /dhcp\.mac: expected \("random" \| "pod"\)/],
    ['{"dhcp":{"hostname":"{pods}"}}', /dhcp\.hostname: .*did you mean \{pod\}/],
    ['{"dhcp":{"send":{"ntp-serverz":"x"}}}', /dhcp\.send\.ntp-serverz: .*did you mean/],
    ['{"identity":{"clusters":"x"}}', /identity\.clusters: is no key: did you mean "cluster"/],
    ['{"identity":{"cluster":""}}', /identity\.cluster: must not be empty/],
    ['{"identity":{"key":"a\\u0000"}}', /identity\.key: has control or format characters/],
    [`{"identity":{"cluster":"${'x'.repeat(254)}"}}`, /identity\.cluster: is longer than 253/],
    [`{"identity":{"key":"${'x'.repeat(1025)}"}}`, /identity\.key: is longer than 1024/],
    ['{"kubeconfig":"kubelet.conf"}', /kubeconfig: must be an absolute path/],
    ['{"kubeconfig":["/a"]}', /kubeconfig: expected string/],
    ['{"node":5}', /node: expected string, not 5/],
    ['{"protect":"10.0.0.0/8"}', /protect: expected Array/],
    ['{"protect":["10.0.0.0"]}', /protect\[0\]: "10\.0\.0\.0" is not an IPv4 network/],
    ['{"protect":["10.0.0.0/8","fd00::/8"]}', /protect\[1\]: "fd00::\/8" is not an IPv4 network/],
    ['{"protect":["0.0.0.0/0"]}', /protect\[0\]: .*is every network/],
    [
      JSON.stringify({ protect: Array.from({ length: 257 }, () => '10.0.0.0/8') }),
      /protect: has more than 256/,
    ],
    ['['.repeat(10_000), /nests too deep/],
  ] as const;
  for (const [text, message] of cases) {
    const path = fileWith(t, text);
    assert.throws(
      () => loadConfig(path),
      (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.startsWith(`--config ${path}: `), error.message);
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'), error.message);
        return true;
      },
      text,
    );
  }
  assert.throws(
    () => loadConfig('/nowhere/config.json'),
    /--config \/nowhere\/config\.json: cannot be read: ENOENT/,
  );
  assert.throws(() => loadConfig(tmpdir()), /--config \S+: cannot be read: EISDIR/);
});
