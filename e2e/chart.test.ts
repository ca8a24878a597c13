import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { helmProgram, helmTemplate, renderManifest } from '../scripts/deploy/render.ts';
import type { JsonObject } from '../src/base/json.ts';
import { at, DEPLOY, MANIFESTS, named, objectsIn, text } from '../tests/deploy/support/manifest.ts';
import { BAD_VALUES, GOOD_VALUES } from '../tests/deploy/support/values.ts';

/** The chart as the real Helm reads it; scripts/e2e/helm.sh builds that. */

const HELM = helmProgram();
const CHART = join(DEPLOY, 'chart/leasehold');

/** JSON is YAML. */
function valuesFile(t: TestContext, values: JsonObject): string {
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-chart-`));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'values.yaml');
  writeFileSync(path, JSON.stringify(values));
  return path;
}

function rendered(t: TestContext, values: JsonObject): readonly JsonObject[] {
  return objectsIn(helmTemplate(HELM, DEPLOY, ['--values', valuesFile(t, values)]));
}

/** What Helm says on stderr; it must fail. */
function refusal(t: TestContext, values: JsonObject): string {
  const { status, stderr } = spawnSync(
    HELM,
    ['template', 'leasehold', CHART, '--values', valuesFile(t, values)],
    {
      encoding: 'utf8',
    },
  );
  assert.notEqual(status, 0, 'Helm takes it');
  return stderr;
}

for (const profile of Object.keys(MANIFESTS)) {
  test(`${profile}: the manifest is what Helm renders: make deploy`, () => {
    const manifest = renderManifest(HELM, DEPLOY, profile);
    assert.equal(readFileSync(manifest.path, 'utf8'), manifest.text);
  });
}

test('helm lint --strict finds nothing, with each profile and example', () => {
  const files = ['profiles', 'examples'].flatMap((folder) =>
    readdirSync(join(DEPLOY, folder)).map((file) => join(DEPLOY, folder, file)),
  );
  assert.ok(files.length > 6);
  for (const file of files)
    execFileSync(HELM, ['lint', '--strict', CHART, '--values', file], { stdio: 'pipe' });
});

test('helm package makes an archive of it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-chart-`));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync(HELM, ['package', CHART, '--destination', folder], { stdio: 'pipe' });
  assert.equal(readdirSync(folder).length, 1);
});

describe('the schema, as Helm reads it', () => {
  for (const [what, values] of GOOD_VALUES) {
    test(`takes: ${what}`, (t) => {
      assert.equal(rendered(t, values).length, 11);
    });
  }

  for (const [what, values, key] of BAD_VALUES) {
    test(`refuses: ${what}`, (t) => {
      const said = refusal(t, values);
      assert.match(said, /values don't meet the specifications of the schema/);
      assert.ok(said.includes(key), said);
    });
  }
});

describe('values', () => {
  test('network and chain make the list; a list of its own is taken as it is, and not both', (t) => {
    const listOf = (values: JsonObject): unknown => {
      const map = named(rendered(t, values), 'ConfigMap kube-system/leasehold');
      return JSON.parse(text(at(map, 'data', '05-leasehold.conflist')));
    };
    const chain = [{ type: 'portmap', capabilities: { portMappings: true } }];
    assert.deepEqual(listOf({ network: { mtu: 1400 }, chain }), {
      cniVersion: '1.0.0',
      cniVersions: ['1.0.0', '1.1.0'],
      name: 'lan',
      plugins: [{ type: 'leasehold', mtu: 1400 }, ...chain],
    });
    const conflist = { cniVersion: '1.1.0', name: 'home', plugins: [{ type: 'leasehold' }] };
    assert.deepEqual(listOf({ conflist }), conflist);
    assert.match(refusal(t, { conflist, network: { mtu: 1400 } }), /leave those out/);
  });

  test('a change of the configuration makes new pods, another log level does too, the same values do not', (t) => {
    const templateOf = (values: JsonObject): unknown =>
      at(named(rendered(t, values), 'DaemonSet kube-system/leasehold'), 'spec', 'template');
    const usual = templateOf({});
    assert.deepEqual(templateOf({}), usual);
    assert.notDeepEqual(templateOf({ config: { protect: ['10.42.0.0/16'] } }), usual);
    assert.notDeepEqual(templateOf({ network: { mtu: 1400 } }), usual);
    assert.notDeepEqual(templateOf({ logLevel: 'debug' }), usual);
  });

  test('what is said of the pod is in the pod', (t) => {
    const objects = rendered(t, {
      image: { repository: 'registry.home.arpa/leasehold', digest: `sha256:${'0a'.repeat(32)}` },
      imagePullSecrets: [{ name: 'registry' }],
      dropIn: true,
      logLevel: 'debug',
      conflistName: '00-lan.conflist',
      extraArgs: ['--service-cidr=10.43.0.0/16'],
      extraEnv: [{ name: 'A', value: '1' }],
      extraCapabilities: ['SYS_PTRACE'],
      seLinuxOptions: { type: 'spc_t' },
      resources: { requests: { memory: '200Mi' } },
      nodeSelector: { lan: 'home' },
      affinity: { nodeAffinity: {} },
      podAnnotations: { a: 'b' },
      podLabels: { c: 'd' },
      paths: { kubeletKubeconfig: '' },
    });
    const template = at(named(objects, 'DaemonSet kube-system/leasehold'), 'spec', 'template');
    const container = at(template, 'spec', 'containers', 0);
    assert.equal(at(container, 'image'), `registry.home.arpa/leasehold@sha256:${'0a'.repeat(32)}`);
    assert.deepEqual(at(template, 'spec', 'imagePullSecrets'), [{ name: 'registry' }]);
    assert.deepEqual(at(container, 'args'), [
      'agent',
      '--config=/etc/leasehold/daemon.json',
      '--conflist=/etc/leasehold/05-leasehold.conflist',
      '--conflist-name=00-lan.conflist',
      '--cni-bin-dir=/host/opt/cni/bin',
      '--cni-conf-dir=/host/etc/cni/net.d',
      '--drop-in',
      '--daemonset=kube-system/leasehold',
      '--log-level=debug',
      '--service-cidr=10.43.0.0/16',
    ]);
    assert.deepEqual(at(container, 'env'), [{ name: 'A', value: '1' }]);
    assert.equal(at(container, 'securityContext', 'capabilities', 'add', 5), 'SYS_PTRACE');
    assert.deepEqual(at(container, 'securityContext', 'seLinuxOptions'), { type: 'spc_t' });
    assert.equal(at(container, 'resources', 'requests', 'memory'), '200Mi');
    assert.deepEqual(at(template, 'spec', 'nodeSelector'), { 'kubernetes.io/os': 'linux', lan: 'home' });
    assert.deepEqual(at(template, 'spec', 'affinity'), { nodeAffinity: {} });
    assert.equal(at(template, 'metadata', 'annotations', 'a'), 'b');
    assert.equal(at(template, 'metadata', 'labels', 'c'), 'd');
    assert.ok(!JSON.stringify(template).includes('kubelet-kubeconfig'));
  });

  test('a release in another namespace is there as a whole, but for what it reads elsewhere', (t) => {
    const yaml = execFileSync(
      HELM,
      ['template', 'leasehold', CHART, '--namespace', 'lan', '--values', valuesFile(t, {})],
      { encoding: 'utf8' },
    );
    const objects = objectsIn(yaml);
    named(objects, 'DaemonSet lan/leasehold');
    named(objects, 'Role kube-system/leasehold-kubeadm-config');
    const subjects = objects.flatMap((one) => at(one, 'subjects', 0, 'namespace') ?? []);
    assert.deepEqual(new Set(subjects), new Set(['lan']));
    assert.ok(yaml.includes('--daemonset=lan/leasehold'));
  });
});
