import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadNetworkList, parseNetworkList, versionAtLeast } from '../../src/lab/cni-conf.ts';
import { viewResult } from '../../src/lab/cni-result.ts';

test('the example list is read as written', async () => {
  const path = join(import.meta.dirname, '..', '..', 'examples', 'home-lab-1.conflist');
  const list = await loadNetworkList(path);
  assert.equal(list.name, 'default-cni-network');
  assert.equal(list.cniVersion, '0.3.1');
  assert.deepEqual(list.plugins, [
    { type: 'macvlan', conf: { type: 'macvlan', name: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } } },
  ]);
});

test('a single plugin is a list of one, and the newest known version is taken', () => {
  const single = parseNetworkList('{"cniVersion":"0.2.0","name":"n","type":"bridge"}');
  assert.deepEqual(
    single.plugins.map(({ type }) => type),
    ['bridge'],
  );
  const several = {
    cniVersion: '0.4.0',
    cniVersions: ['1.0.0', '9.0.0', '0.3.1'],
    name: 'n',
    plugins: [{ type: 'x' }],
  };
  assert.equal(parseNetworkList(JSON.stringify(several)).cniVersion, '1.0.0');
  assert.equal(parseNetworkList('{"name":"n","plugins":[{"type":"x"}]}').cniVersion, '');
});

test('what is wrong with a list is said', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{', /not JSON/],
    ['[]', /not a JSON object/],
    ['{"plugins":[{"type":"x"}]}', /no "name"/],
    ['{"name":3}', /"name" must be a string/],
    ['{"name":"a/b","plugins":[{"type":"x"}]}', /network name "a\/b"/],
    ['{"name":"n","cniVersion":"one","plugins":[{"type":"x"}]}', /not a CNI version: "one"/],
    ['{"name":"n"}', /at least one plugin/],
    ['{"name":"n","plugins":{}}', /at least one plugin/],
    ['{"name":"n","plugins":[3]}', /plugin 1 is not an object/],
    ['{"name":"n","plugins":[{}]}', /plugin 1 has no "type"/],
    ['{"name":"n","disableCheck":1,"plugins":[{"type":"x"}]}', /"disableCheck" must be true or false/],
    ['['.repeat(10_000), /too-deep/],
  ];
  for (const [text, expected] of cases)
    assert.throws(() => parseNetworkList(text), expected, text.slice(0, 60));
});

test('versions compare by number', () => {
  assert.ok(versionAtLeast('0.10.0', '0.4.0'));
  assert.ok(!versionAtLeast('', '0.4.0'));
});

test('a result of any version gives MAC, address and router', () => {
  const router = '10.0.0.1';
  const old = { cniVersion: '0.2.0', ip4: { ip: '10.0.0.5/24', gateway: router } };
  assert.deepEqual(viewResult(old), { mac: undefined, address: { address: '10.0.0.5', prefix: 24 }, router });
  const interfaces = [
    { name: 'cni0', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/x' },
  ];
  const current = {
    cniVersion: '1.0.0',
    interfaces,
    ips: [{ address: '10.0.0.5/24', gateway: router, interface: 1 }],
  };
  assert.deepEqual(viewResult(current), {
    mac: '02:00:00:00:00:02',
    address: { address: '10.0.0.5', prefix: 24 },
    router,
  });
  assert.deepEqual(viewResult({ ips: [{ address: 'x' }] }), {
    mac: undefined,
    address: undefined,
    router: undefined,
  });
});
