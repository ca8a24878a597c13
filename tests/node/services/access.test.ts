import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiServersFor, SERVICE_ACCOUNT } from '../../../src/node/services/access.ts';
import { CLUSTER_PLACES } from '../../../src/node/services/places.ts';
import type { ClusterFacts } from '../../../src/node/services/ports.ts';

const POD = { [`${SERVICE_ACCOUNT}/token`]: 'aaa.bbb.ccc\n', [`${SERVICE_ACCOUNT}/ca.crt`]: 'CA' };
const KUBELET =
  'clusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://192.168.2.10:6443\n';
const SERVICE = { host: '10.96.0.1', port: '443' };

function access(
  files: Readonly<Record<string, string>>,
  settings: { readonly kubeconfig?: string; readonly host?: string; readonly port?: string } = {},
): readonly string[] | string | undefined {
  const facts: ClusterFacts = {
    readText: (path) => files[path],
    list: () => undefined,
    processes: () => [],
    proxyRules: () => Promise.resolve({ iptables: undefined, nftables: undefined }),
    askApi: () => Promise.resolve({ kind: 'failed', why: 'nobody asks here' }),
  };
  const { kubeconfig, host, port } = settings;
  const found = apiServersFor(facts, CLUSTER_PLACES, { kubeconfig, host, port });
  if (found === undefined || !found.ok) return found?.error;
  return found.value.map(
    ({ url, ca, token, key }) => `${url} ca=${ca} token=${token ?? ''} key=${key ?? ''}`,
  );
}

test('no service account and no file: there is no API for us', () => {
  assert.equal(access({}, SERVICE), undefined);
  assert.equal(access({ '/etc/kubernetes/kubelet.conf': KUBELET }, SERVICE), undefined);
});

test("in a pod: the kubelet's server first, for the service needs kube-proxy; both by the account's token and authority", () => {
  const files = { ...POD, '/etc/kubernetes/kubelet.conf': KUBELET };
  const who = 'ca=CA token=aaa.bbb.ccc key=';
  assert.deepEqual(access(files, SERVICE), [`https://192.168.2.10:6443 ${who}`, `https://10.96.0.1 ${who}`]);
  assert.deepEqual(access(POD, SERVICE), [`https://10.96.0.1 ${who}`]);
  assert.deepEqual(access(files), [`https://192.168.2.10:6443 ${who}`]);
  assert.deepEqual(access(files, { host: '192.168.2.10', port: '6443' }), [
    `https://192.168.2.10:6443 ${who}`,
  ]);
  assert.deepEqual(access(POD, { host: 'fd00::1', port: '6443' }), [`https://[fd00::1]:6443 ${who}`]);
});

test('what is missing or odd in a pod is said', () => {
  assert.match(String(access(POD)), /neither KUBERNETES_SERVICE_HOST nor/);
  assert.match(String(access(POD, { host: 'a b' })), /neither KUBERNETES_SERVICE_HOST nor/);
  assert.match(
    String(access({ ...POD, [`${SERVICE_ACCOUNT}/token`]: 'a\r\nHost: b' }, SERVICE)),
    /holds no token/,
  );
  assert.match(
    String(access({ ...POD, [`${SERVICE_ACCOUNT}/token`]: 'a'.repeat(9000) }, SERVICE)),
    /holds no token/,
  );
  assert.match(String(access({ [`${SERVICE_ACCOUNT}/token`]: 'aaa' }, SERVICE)), /ca\.crt cannot be read/);
});

test('a file that is named counts alone: certificates, a token, a file with a token', () => {
  const base =
    'clusters:\n- cluster:\n    certificate-authority-data: Q0E=\n    server: https://h:1\nusers:\n- user:\n';
  const named = (user: string, more = {}): ReturnType<typeof access> =>
    access({ ...POD, '/k/conf': `${base}${user}`, ...more }, { ...SERVICE, kubeconfig: '/k/conf' });
  assert.deepEqual(named('    token: abc\n'), ['https://h:1 ca=CA token=abc key=']);
  assert.deepEqual(named('    tokenFile: tok\n', { '/k/tok': 'def\n' }), [
    'https://h:1 ca=CA token=def key=',
  ]);
  assert.deepEqual(named('    client-certificate-data: QQ==\n    client-key-data: SQ==\n'), [
    'https://h:1 ca=CA token= key=I',
  ]);
  assert.equal(named('    username: x\n'), '/k/conf has neither a certificate nor a token');
  assert.equal(named('    tokenFile: gone\n'), '/k/conf has neither a certificate nor a token');
  assert.equal(access(POD, { ...SERVICE, kubeconfig: '/gone' }), '/gone cannot be read');
});
