import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readKubeconfig } from '../../../src/node/services/kubeconfig.ts';
import type { ClusterFacts } from '../../../src/node/services/ports.ts';
import { yamlList, yamlValues } from '../../../src/node/services/yaml.ts';

const CONFIG = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [
    {
      name: 'home, "the" lan',
      cluster: { 'certificate-authority-data': 'Q0E=', server: 'https://192.168.2.10:6443' },
    },
  ],
  users: [{ name: 'kubelet', user: { token: 'aaa.bbb' } }],
};

/** One kubeconfig in the ways in which it is written in the field. */
const KUBECONFIGS: Readonly<Record<string, string>> = {
  'block style': `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=   # of the cluster
    server: https://192.168.2.10:6443
  name: it's mine, {all} of it
users:
- name: kubelet
  user: {token: aaa.bbb}
`,
  'JSON in one line': JSON.stringify(CONFIG),
  'JSON in many lines': `\n${JSON.stringify(CONFIG, undefined, 2)}\n`,
  'JSON with an escaped slash': JSON.stringify(CONFIG).replaceAll('/', String.raw`\/`),
  'flow style in one line':
    '{apiVersion: v1, clusters: [{name: a, cluster: {certificate-authority-data: Q0E=, server: https://192.168.2.10:6443}}], users: [{name: b, user: {token: aaa.bbb}}]}',
  'flow style below keys': `---
clusters: [{name: 'it''s, {a}', cluster: {certificate-authority-data: "Q0E=",
  server: "https://192.168.2.10:6443"}}]   # a comment, {with: braces}
users:
- {name: b, user: {"token": "aaa.bbb"}}
`,
  'items in flow style': `clusters:
- { name: "a # b", cluster: { server: "https://192.168.2.10:6443", certificate-authority-data: Q0E= } }
users:
- { name: b, user: { token: 'aaa.bbb' } }
`,
};

function factsOf(files: Readonly<Record<string, string>>): ClusterFacts {
  return {
    readText: (path) => files[path],
    list: () => undefined,
    processes: () => [],
    proxyRules: () => Promise.resolve({ iptables: undefined, nftables: undefined }),
    askApi: () => Promise.resolve({ kind: 'failed', why: 'nobody asks here' }),
  };
}

describe('a kubeconfig is read as', () => {
  for (const [name, text] of Object.entries(KUBECONFIGS)) {
    test(name, () => {
      const found = readKubeconfig(factsOf({ '/conf': text }), '/conf');
      assert.ok(found.ok, found.ok ? '' : found.error);
      const { url, ca, token } = found.value;
      assert.deepEqual({ url, ca, token }, { url: 'https://192.168.2.10:6443', ca: 'CA', token: 'aaa.bbb' });
    });
  }
  test('not, in any style, one that does not verify its server, or has two', () => {
    for (const text of Object.values(KUBECONFIGS)) {
      for (const style of [
        text.replace(
          /(["']?)certificate-authority-data\1: ?(["']?)Q0E=\2/,
          '"insecure-skip-tls-verify": true',
        ),
        text.replace(/(["']?)token\1: ?(["']?)aaa.bbb\2/, '"server": "https://192.168.2.11:6443"'),
      ]) {
        assert.notEqual(style, text);
        const found = readKubeconfig(factsOf({ '/conf': style }), '/conf');
        assert.match(found.ok ? 'taken' : found.error, /does not verify|names no single/, style);
      }
    }
  });
});

test('what is no YAML, or none that is understood, gives nothing and ends', () => {
  for (const text of [
    '',
    '{',
    '[',
    '"',
    "server: '",
    '{"server": ',
    'server: "a',
    '}}}}]]]]',
    '#',
    '{'.repeat(5000),
  ]) {
    assert.ok(yamlValues(text, 'server').length <= 1);
    assert.deepEqual(yamlList(text, 'server').length <= 1, true);
  }
  assert.deepEqual(yamlValues('{"server": {"server": "a"}, "b": [{"server": 1}]}', 'server'), ['a', '1']);
});

test("lists of a kubelet's configuration, in block style, flow style and JSON", () => {
  for (const text of [
    'kind: KubeletConfiguration\nclusterDNS:\n- 10.96.0.10\n- "fd00::a"\nother: 1\n',
    'clusterDNS: [10.96.0.10, "fd00::a"]\n',
    '{"kind": "KubeletConfiguration", "clusterDNS": ["10.96.0.10", "fd00::a"]}',
  ]) {
    assert.deepEqual(yamlList(text, 'clusterDNS'), ['10.96.0.10', 'fd00::a']);
  }
  assert.deepEqual(yamlList('{"service-cidr": "10.43.0.0/16"}', 'service-cidr'), ['10.43.0.0/16']);
});
