import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import type { JsonObject } from '../../src/base/json.ts';
import { CLUSTER_PLACES } from '../../src/node/services/places.ts';
import { ROOT } from '../support/leasehold.ts';
import { grantsOfPage } from './support/granted.ts';
import {
  at,
  DEPLOY,
  grantsOf,
  list,
  MANIFESTS,
  manifestText,
  named,
  nameOf,
  object,
  objectsIn,
  text,
} from './support/manifest.ts';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

/** What a node gets: container path, and the node's own with its kind. */
const MOUNTS = {
  '/run/leasehold': '/run/leasehold DirectoryOrCreate',
  '/var/lib/leasehold': '/var/lib/leasehold DirectoryOrCreate',
  '/var/lib/cni': '/var/lib/cni DirectoryOrCreate',
  '/run/netns': '/run/netns DirectoryOrCreate',
  '/var/run/netns': '/run/netns DirectoryOrCreate',
  '/host/opt/cni/bin': '/opt/cni/bin DirectoryOrCreate',
  '/host/etc/cni/net.d': '/etc/cni/net.d DirectoryOrCreate',
} as const;

const RANCHER = '/var/lib/rancher';
const SNAP = '/var/snap/microk8s/current';

/** What is different from MOUNTS, by profile. */
const DIFFERENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  kubeadm: { '/etc/kubernetes/kubelet.conf': '/etc/kubernetes/kubelet.conf File' },
  k3s: {
    '/host/opt/cni/bin': `${RANCHER}/k3s/data/cni DirectoryOrCreate`,
    '/host/etc/cni/net.d': `${RANCHER}/k3s/agent/etc/cni/net.d DirectoryOrCreate`,
    [`${RANCHER}/k3s/agent/kubelet.kubeconfig`]: `${RANCHER}/k3s/agent/kubelet.kubeconfig File`,
  },
  rke2: { [`${RANCHER}/rke2/agent/kubelet.kubeconfig`]: `${RANCHER}/rke2/agent/kubelet.kubeconfig File` },
  microk8s: {
    '/host/opt/cni/bin': `${SNAP}/opt/cni/bin DirectoryOrCreate`,
    '/host/etc/cni/net.d': `${SNAP}/args/cni-network DirectoryOrCreate`,
    [`${SNAP}/credentials/kubelet.config`]: `${SNAP}/credentials/kubelet.config File`,
  },
  k0s: { '/var/lib/k0s/kubelet.conf': '/var/lib/k0s/kubelet.conf File' },
  talos: {
    '/run/netns': '/var/run/netns DirectoryOrCreate',
    '/var/run/netns': '/var/run/netns DirectoryOrCreate',
    '/etc/kubernetes/kubeconfig-kubelet': '/etc/kubernetes/kubeconfig-kubelet File',
  },
};

function podOf(objects: readonly JsonObject[]): JsonObject {
  return object(at(named(objects, 'DaemonSet kube-system/leasehold'), 'spec', 'template', 'spec'));
}

/** Each mount of the node's: its path in the container, and on the node. */
function hostMounts(pod: JsonObject): Readonly<Record<string, string>> {
  const volumes = new Map(list(pod['volumes']).map((volume) => [at(volume, 'name'), volume]));
  return Object.fromEntries(
    list(at(pod, 'containers', 0, 'volumeMounts')).flatMap((mount) => {
      const path = at(volumes.get(at(mount, 'name')), 'hostPath');
      if (path === undefined) return [];
      return [[text(at(mount, 'mountPath')), `${text(at(path, 'path'))} ${text(at(path, 'type'))}`]];
    }),
  );
}

test('there is a manifest for each profile, and no other', () => {
  const profiles = readdirSync(join(DEPLOY, 'profiles')).map((file) => file.replace('.yaml', ''));
  assert.deepEqual(profiles.toSorted(), Object.keys(MANIFESTS).toSorted());
  const files = readdirSync(DEPLOY).filter((file) => file.startsWith('install'));
  assert.deepEqual(files.toSorted(), Object.values(MANIFESTS).toSorted());
});

for (const profile of Object.keys(MANIFESTS)) {
  test(`${profile}: the node's paths are exactly these, and the kubelet's kubeconfig is one that is looked for`, () => {
    const mounts: Readonly<Record<string, string>> = hostMounts(podOf(objectsIn(manifestText(profile))));
    assert.deepEqual(mounts, { ...MOUNTS, ...DIFFERENT[profile] });
    const kubeconfigs = Object.entries(mounts).flatMap(([path, on]) => (on.endsWith(' File') ? [path] : []));
    assert.equal(kubeconfigs.length, 1);
    assert.ok(CLUSTER_PLACES.kubeconfigs.some(({ path }) => path === kubeconfigs[0]));
  });

  test(`${profile}: the profile holds nothing but paths that are not the chart's own`, () => {
    const chart = parse(readFileSync(join(DEPLOY, 'chart/leasehold/values.yaml'), 'utf8')) as JsonObject;
    const values = parse(readFileSync(join(DEPLOY, `profiles/${profile}.yaml`), 'utf8')) as JsonObject;
    assert.deepEqual(Object.keys(values), ['paths']);
    for (const [key, path] of Object.entries(object(values['paths']))) {
      assert.notEqual(path, at(chart, 'paths', key), key);
    }
  });
}

describe('install.yaml', () => {
  const yaml = manifestText('kubeadm');
  const objects = objectsIn(yaml);
  const daemonSet = named(objects, 'DaemonSet kube-system/leasehold');
  const pod = podOf(objects);
  const container = object(at(pod, 'containers', 0));

  test('has these objects and no others: no hook stays behind, nothing is in a namespace of its own', () => {
    assert.deepEqual(objects.map(nameOf).toSorted(), [
      'ClusterRole leasehold',
      'ClusterRoleBinding leasehold',
      'ConfigMap kube-system/leasehold',
      'DaemonSet kube-system/leasehold',
      'Role default/leasehold',
      'Role kube-system/leasehold',
      'Role kube-system/leasehold-kubeadm-config',
      'RoleBinding default/leasehold',
      'RoleBinding kube-system/leasehold',
      'RoleBinding kube-system/leasehold-kubeadm-config',
      'ServiceAccount kube-system/leasehold',
    ]);
    assert.ok(!yaml.includes('helm.sh/hook'));
  });

  test('the image, the chart and its labels have the version of package.json', () => {
    const chart = parse(readFileSync(join(DEPLOY, 'chart/leasehold/Chart.yaml'), 'utf8')) as JsonObject;
    assert.equal(chart['version'], version);
    assert.equal(chart['appVersion'], version);
    assert.equal(container['image'], `localhost/leasehold:${version}`);
    assert.equal(container['imagePullPolicy'], 'IfNotPresent');
    for (const one of objects) {
      assert.equal(at(one, 'metadata', 'labels', 'app.kubernetes.io/version'), version, nameOf(one));
    }
  });

  test("the capabilities are those of docs/image.md's table, each with its reason beside it", () => {
    const table = readFileSync(join(ROOT, 'docs/image.md'), 'utf8').split('## Not privileged')[1] ?? '';
    const wanted = [...table.matchAll(/^\| `([A-Z_]+)` \|/gm)].flatMap(([, name]) => name ?? []);
    const capabilities = at(container, 'securityContext', 'capabilities');
    assert.deepEqual(at(capabilities, 'drop'), ['ALL']);
    assert.deepEqual(at(capabilities, 'add'), wanted);
    assert.equal(wanted.length, 5);
    for (const name of wanted) assert.match(yaml, new RegExp(`# \\S.*\\n +- ${name}\\n`), name);
  });

  test('the container is not privileged, and sees of the host what it names', () => {
    const { capabilities: _, ...security } = object(at(container, 'securityContext'));
    assert.deepEqual(security, {
      runAsUser: 0,
      runAsGroup: 0,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      seccompProfile: { type: 'RuntimeDefault' },
      appArmorProfile: { type: 'Unconfined' },
    });
    assert.equal(list(pod['containers']).length, 1);
    for (const key of ['hostPID', 'hostIPC', 'initContainers', 'securityContext'])
      assert.ok(!(key in pod), key);
    assert.equal(pod['hostNetwork'], true);
    assert.equal(pod['dnsPolicy'], 'Default');
  });

  test('namespaces that come later are seen; what is only read cannot be written', () => {
    const mounts = list(container['volumeMounts']);
    const netns = mounts.filter((mount) => at(mount, 'name') === 'netns');
    assert.deepEqual(
      netns.map((mount) => at(mount, 'mountPropagation')),
      ['HostToContainer', 'HostToContainer'],
    );
    const written = mounts.filter((mount) => at(mount, 'readOnly') !== true);
    assert.deepEqual(
      written.map((mount) => at(mount, 'name')),
      ['run', 'state', 'cni-state', 'cni-bin', 'cni-conf', 'agent'],
    );
  });

  test('it runs on every node, before anything else, and is updated beside the old one', () => {
    assert.deepEqual(pod['tolerations'], [{ operator: 'Exists' }]);
    assert.equal(pod['priorityClassName'], 'system-node-critical');
    assert.deepEqual(pod['nodeSelector'], { 'kubernetes.io/os': 'linux' });
    assert.deepEqual(at(daemonSet, 'spec', 'updateStrategy'), {
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    assert.equal(pod['terminationGracePeriodSeconds'], 30);
    assert.equal(container['terminationMessagePolicy'], 'FallbackToLogsOnError');
    // Two pods of it are on a node during an update: a port of the node's could only be one's.
    assert.ok(!('ports' in container));
  });

  test('the probes ask by a program: only "ready" counts for the update, and only a dead one is restarted', () => {
    const asked = ['startupProbe', 'readinessProbe', 'livenessProbe'].map((probe) =>
      at(container, probe, 'exec', 'command'),
    );
    const program = '/usr/lib/leasehold/dist/cni/leasehold-probe';
    assert.deepEqual(asked, [
      [program, 'live'],
      [program, 'ready'],
      [program, 'live'],
    ]);
  });

  test('the files that the arguments name are in the ConfigMap', () => {
    const data = object(at(named(objects, 'ConfigMap kube-system/leasehold'), 'data'));
    const args = list(container['args']).map(text);
    const files = args.flatMap((arg) => /=\/etc\/leasehold\/(.*)$/.exec(arg)?.[1] ?? []);
    assert.deepEqual(files.toSorted(), Object.keys(data).toSorted());
    assert.deepEqual(JSON.parse(text(data['daemon.json'])), {});
    assert.deepEqual(JSON.parse(text(data['05-leasehold.conflist'])), {
      cniVersion: '1.0.0',
      cniVersions: ['1.0.0', '1.1.0'],
      name: 'lan',
      plugins: [{ type: 'leasehold' }],
    });
    assert.match(
      text(at(daemonSet, 'spec', 'template', 'metadata', 'annotations', 'checksum/config')),
      /^[0-9a-f]{64}$/,
    );
  });

  test('each role is bound to the service account, and grants what docs/kubernetes.md grants', () => {
    assert.deepEqual(grantsOf(objects), grantsOfPage());
    const bindings = objects.filter(({ kind }) => text(kind).endsWith('RoleBinding'));
    const roles = objects.filter(({ kind }) => text(kind).endsWith('Role'));
    assert.deepEqual(
      bindings.map((binding) => nameOf(binding).replace('RoleBinding', 'Role')).toSorted(),
      roles.map(nameOf).toSorted(),
    );
    for (const binding of bindings) {
      assert.equal(at(binding, 'roleRef', 'name'), at(binding, 'metadata', 'name'));
      assert.deepEqual(binding['subjects'], [
        { kind: 'ServiceAccount', name: 'leasehold', namespace: 'kube-system' },
      ]);
    }
  });
});
