import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { daemonSchema } from '../../scripts/daemon-schema.ts';
import type { Json, JsonObject } from '../../src/base/json.ts';
import { loadConfig } from '../../src/daemon/config.ts';
import { problemsOf } from '../support/json-schema.ts';
import { ROOT } from '../support/leasehold.ts';

const SCHEMA = JSON.parse(JSON.stringify(daemonSchema())) as JsonObject;

const FILES: readonly Json[] = [
  {},
  { dhcp: {}, identity: {}, protect: [], services: [], lan: [] },
  { dhcp: { deadlineSeconds: 0.5, carrierWaitSeconds: 86_400, mac: 'pod' } },
  { dhcp: { deadlineSeconds: 0 } },
  { dhcp: { deadlineSeconds: 86_401 } },
  { dhcp: { deadlineSeconds: '30' } },
  { dhcp: { mac: 'container' } },
  { dhcp: { provide: [] } },
  { dhcp: { clientId: 'pod', hostname: '{pod}', fqdn: { name: 'a', update: 'none' }, rapidCommit: null } },
  { dhcp: { fqdn: { update: 'none' } } },
  {
    dhcp: {
      clientId: 'anonymous',
      mac: 'random',
      hostname: '',
      servers: ['192.168.2.1'],
      rapidCommit: false,
    },
  },
  { dhcp: { clientId: 'anonymous', mac: 'pod' } },
  { dhcp: { clientId: 'anonymous', hostname: '{pod}' } },
  { dhcp: { clientId: 'anonymous', send: { 'vendor-class-identifier': 'lab' } } },
  { dhcp: { clientId: 'anonymous', request: ['ntp-servers'] } },
  { dhcp: { clientId: 'anonymous', rapidCommit: true } },
  { dhcp: { send: { 'vendor-class-identifier': 'lab' }, request: [43, 'ntp-servers'] } },
  { dhcp: { send: { '53': 1 } } },
  { dhcp: { request: [0] } },
  { dhcp: { broadcast: 'perhaps' } },
  { dhcp: { servers: ['192.168.2.1'], relays: ['192.168.2.254'] } },
  { dhcp: { servers: ['192.168.2'] } },
  { dhcp: [] },
  { identity: { cluster: 'home', key: 'k' } },
  { identity: { cluster: '' } },
  { identity: { cluster: 'c'.repeat(254) } },
  { identity: { name: 'home' } },
  { protect: ['10.0.0.0/1'] },
  { protect: ['0.0.0.0/0'] },
  { protect: ['10.0.0.0'] },
  { protect: ['fd00::/8'] },
  { protect: '10.0.0.0/8' },
  { protect: Array.from({ length: 257 }, (_, at) => `10.0.${at % 256}.0/24`) },
  { services: ['10.43.0.0/16'] },
  { services: ['10.0.0.0/7'] },
  { services: Array.from({ length: 17 }, (_, at) => `10.${at}.0.0/16`) },
  { lan: ['192.168.2.7/24'] },
  { lan: ['10.0.0.0/7'] },
  { node: 'n1' },
  { node: '' },
  { kubeconfig: '/etc/kubernetes/kubelet.conf' },
  { kubeconfig: 'kubelet.conf' },
  { kubeconfig: '' },
  { dchp: {} },
  [],
];

function isRead(t: TestContext, file: Json): boolean {
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-schema-`));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'daemon.json');
  writeFileSync(path, JSON.stringify(file));
  try {
    loadConfig(path);
    return true;
  } catch {
    return false;
  }
}

test('the shipped file is what the code generates: node scripts/generate-schema.ts', () => {
  const shipped: unknown = JSON.parse(readFileSync(join(ROOT, 'schema/daemon.schema.json'), 'utf8'));
  assert.deepEqual(shipped, SCHEMA);
});

test('the daemon and the schema judge alike', (t) => {
  const verdicts = FILES.map((file) => [file, problemsOf(SCHEMA, file, SCHEMA).length === 0] as const);
  assert.ok(verdicts.some(([, good]) => good) && verdicts.some(([, good]) => !good));
  for (const [file, good] of verdicts) {
    assert.equal(isRead(t, file), good, JSON.stringify(file).slice(0, 200));
  }
});
