import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatCidr } from '../../../src/base/cidr.ts';
import type { Json } from '../../../src/base/json.ts';
import { isGuess } from '../../../src/node/services/found.ts';
import { CLUSTER_PLACES } from '../../../src/node/services/places.ts';
import type { ApiServer, ClusterFacts } from '../../../src/node/services/ports.ts';
import { searchServiceNetworks } from '../../../src/node/services/search.ts';

/** As kubeadm writes it on a worker. */
const KUBELET_CONF = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from('CA').toString('base64')}
    server: https://192.168.2.10:6443
  name: default-cluster
contexts:
- context:
    cluster: default-cluster
    namespace: default
    user: default-auth
  name: default-context
current-context: default-context
kind: Config
users:
- name: default-auth
  user:
    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem
    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem
`;
const PEM = { '/var/lib/kubelet/pki/kubelet-client-current.pem': 'PEM' };
const KUBEADM = { '/etc/kubernetes/kubelet.conf': KUBELET_CONF, ...PEM };
const KUBELET = { pid: 7, argv: ['/usr/bin/kubelet', '--config=/var/lib/kubelet/config.yaml'] };
const AGENT = { pid: 8, argv: ['/usr/local/bin/k3s agent', '', ''] };
const K3S_AGENT = '/var/lib/rancher/k3s/agent';

type Node = {
  readonly files?: Readonly<Record<string, string>>;
  readonly processes?: ReturnType<ClusterFacts['processes']>;
  /** What the API says at a path that begins so; 403 elsewhere. None: nobody answers. */
  readonly api?: Readonly<Record<string, Json>>;
  readonly iptables?: string;
  readonly nftables?: string;
};

type Asked = { readonly server: ApiServer; readonly path: string };

function factsOf(node: Node, asked: Asked[] = []): ClusterFacts {
  const files = node.files ?? {};
  return {
    readText: (path) => files[path],
    list: (folder) => {
      const names = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
      return names.length === 0 ? undefined : names.map((path) => path.slice(folder.length + 1));
    },
    processes: () => node.processes ?? [],
    proxyRules: () => Promise.resolve({ iptables: node.iptables, nftables: node.nftables }),
    askApi: (server, path) => {
      asked.push({ server, path });
      if (node.api === undefined) return Promise.resolve({ kind: 'failed', why: 'connect ECONNREFUSED' });
      const [, body] = Object.entries(node.api).find(([start]) => path.startsWith(start)) ?? [];
      return Promise.resolve({ kind: 'answered', status: body === undefined ? 403 : 200, body: body ?? {} });
    },
  };
}

async function search(node: Node, asked?: Asked[]) {
  const { networks, kubelet, failed } = await searchServiceNetworks(factsOf(node, asked), CLUSTER_PLACES);
  const shown = networks.map((one) => `${formatCidr(one.network)}${isGuess(one) ? ' ?' : ''}`);
  return { shown, kubelet, failed, sources: networks.map(({ source }) => source) };
}

function services(...clusterIps: readonly string[]): Json {
  return { items: clusterIps.map((clusterIP) => ({ spec: { clusterIP } })) };
}

const API_SERVICE = '/api/v1/namespaces/default/services';
const ALL_SERVICES = '/api/v1/services';
const CIDRS = '/apis/networking.k8s.io/v1/servicecidrs';

const byApi = (...ips: readonly string[]) => ({
  [API_SERVICE]: services(ips[0] ?? ''),
  [ALL_SERVICES]: services(...ips),
});

const withDns = (dns: string) => ({
  ...KUBEADM,
  '/var/lib/kubelet/config.yaml': `kind: x\nclusterDNS:\n- ${dns}\nclusterDomain: a\n`,
});

describe('where a worker has its service network', () => {
  test('a machine that is no node of a cluster: nothing is found, nobody is asked', async () => {
    const asked: Asked[] = [];
    const podman = await search({ processes: [{ pid: 1, argv: ['/usr/bin/podman'] }] }, asked);
    assert.deepEqual(podman, { shown: [], kubelet: undefined, failed: [], sources: [] });
    const kubectl = [{ pid: 1, argv: ['/usr/local/bin/k3s', 'kubectl', 'get', 'pods'] }];
    assert.equal((await search({ processes: kubectl }, asked)).kubelet, undefined);
    assert.deepEqual(asked, []);
  });

  test('by the API with the node certificate: the networks themselves, where that is allowed', async () => {
    const asked: Asked[] = [];
    const cidrs = { items: [{ spec: { cidrs: ['10.77.0.0/20', 'fd00::/112'] } }, { spec: {} }, 7] };
    const found = await search({ files: KUBEADM, processes: [KUBELET], api: { [CIDRS]: cidrs } }, asked);
    assert.deepEqual(found.shown, ['10.77.0.0/20']);
    assert.match(
      found.sources[0] ?? '',
      /the Kubernetes API at https:\/\/192\.168\.2\.10:6443, by \/etc\/kube/,
    );
    assert.deepEqual(asked[0]?.server, {
      url: 'https://192.168.2.10:6443',
      name: undefined,
      ca: 'CA',
      certificate: 'PEM',
      key: 'PEM',
      token: undefined,
    });
  });

  for (const [what, node, expected] of [
    [
      'kubeadm',
      { files: KUBEADM, processes: [KUBELET], api: byApi('10.96.0.1', '10.111.2.3') },
      ['10.96.0.0/12'],
    ],
    [
      'k3s',
      {
        files: { [`${K3S_AGENT}/kubelet.kubeconfig`]: KUBELET_CONF, ...PEM },
        processes: [AGENT],
        api: byApi('10.43.0.1'),
      },
      ['10.43.0.0/16'],
    ],
    [
      'a network that is the default of another distribution',
      { files: KUBEADM, processes: [KUBELET], api: byApi('10.43.0.1', '10.43.9.9') },
      ['10.43.0.0/16 ?'],
    ],
    [
      "nobody's default",
      { files: KUBEADM, processes: [KUBELET], api: byApi('172.30.0.1', '172.30.200.7') },
      ['172.30.0.0/16 ?'],
    ],
    [
      'addresses further apart than a /16',
      { files: KUBEADM, processes: [KUBELET], api: byApi('172.16.0.1', '172.17.200.7') },
      ['172.16.0.0/15 ?'],
    ],
    [
      'addresses of two networks',
      { files: KUBEADM, processes: [KUBELET], api: byApi('10.3.0.1', '172.17.200.7') },
      ['10.3.0.0/16 ?', '172.17.0.0/16 ?'],
    ],
    [
      'what is no address of a service',
      { files: KUBEADM, processes: [KUBELET], api: byApi('None', 'fd00::1', '10.96.0.1', '') },
      ['10.96.0.0/12'],
    ],
  ] as const satisfies readonly (readonly [string, Node, readonly string[]])[]) {
    test(`by the API, from the addresses of services: ${what}`, async () => {
      assert.deepEqual((await search(node)).shown, expected);
    });
  }

  test('by the rules of kube-proxy, only those of cluster IPs', async () => {
    const iptables = [
      '*nat',
      ':KUBE-SERVICES - [0:0]',
      '-A KUBE-SERVICES -d 203.0.113.9/32 -p tcp -m comment --comment "a/b:c loadbalancer IP" -m tcp --dport 443 -j KUBE-EXT-A',
      '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-B',
      '-A OTHER -d 10.9.9.9/32 -m comment --comment "x cluster IP" -j RETURN',
      'COMMIT',
    ].join('\n');
    const one = await search({ files: KUBEADM, processes: [KUBELET], iptables });
    assert.deepEqual(one.shown, ['10.96.0.0/12']);
    assert.match(one.sources[0] ?? '', /10\.96\.0\.1 \(kube-proxy's chain KUBE-SERVICES\)/);
    const nftables = JSON.stringify({
      nftables: [{ metainfo: {} }, { set: { name: 'cluster-ips', elem: ['10.44.0.1', '10.44.3.3', 7] } }],
    });
    const other = await search({ files: KUBEADM, processes: [KUBELET], nftables });
    assert.deepEqual(other.shown, ['10.44.0.0/16 ?']);
    assert.match(other.failed.join('\n'), /https:\/\/192\.168\.2\.10:6443: connect ECONNREFUSED/);
  });

  test("by the kubelet's resolver, where a default has it; a cache on the node or a router of the LAN is none", async () => {
    assert.deepEqual((await search({ files: withDns('10.96.0.10'), processes: [KUBELET] })).shown, [
      '10.96.0.0/12',
    ]);
    for (const dns of ['169.254.20.10', '192.168.2.1', 'x', 'fd00::a']) {
      const found = await search({ files: withDns(dns), processes: [KUBELET] });
      assert.deepEqual(found.shown, [], dns);
      assert.equal(found.kubelet, 'kubelet (process 7)');
      assert.equal(found.failed.length, 3, found.failed.join('\n'));
    }
    const flag = { pid: 9, argv: ['/usr/bin/kubelet', '--cluster-dns', '10.43.0.10'] };
    assert.deepEqual((await search({ processes: [flag] })).shown, ['10.43.0.0/16 ?']);
    const own = { pid: 9, argv: ['/usr/bin/kubelet', '--config=/x/y.yaml'] };
    const files = { '/x/y.yaml': 'clusterDNS: [10.96.0.10]\n' };
    assert.deepEqual((await search({ files, processes: [own] })).shown, ['10.96.0.0/12']);
  });

  test('k3s: its default is a guess until something shows it, on a server too, whose flags are hidden', async () => {
    const server = { pid: 8, argv: ['/usr/local/bin/k3s server', '', ''] };
    for (const processes of [[AGENT], [server]]) {
      assert.deepEqual((await search({ processes })).shown, ['10.43.0.0/16 ?']);
      const api = { [CIDRS]: { items: [{ spec: { cidrs: ['10.55.0.0/16'] } }] } };
      const files = { '/var/lib/rancher/k3s/agent/kubeproxy.kubeconfig': KUBELET_CONF, ...PEM };
      assert.deepEqual((await search({ processes, files, api })).shown, ['10.55.0.0/16']);
    }
    const stated = { ...server, argv: ['/usr/local/bin/k3s', 'server', '--service-cidr=10.55.0.0/16'] };
    assert.deepEqual((await search({ processes: [stated] })).shown, ['10.55.0.0/16']);
  });

  test("the kubelet's own --kubeconfig; no process in sight, but its files", async () => {
    const asked: Asked[] = [];
    const own = { pid: 9, argv: ['/usr/bin/kubelet', '--kubeconfig=/opt/k.conf'] };
    await search({ files: { '/opt/k.conf': KUBELET_CONF, ...PEM }, processes: [own] }, asked);
    assert.equal(asked.length, 1, 'one that does not answer is not asked for more');
    assert.equal((await search({ files: KUBEADM })).kubelet, '/etc/kubernetes/kubelet.conf');
  });
});

describe('a kubeconfig that is not followed', () => {
  for (const [what, conf, why] of [
    ['http', KUBELET_CONF.replace('https:', 'http:'), /no single https server/],
    [
      'a file',
      KUBELET_CONF.replace('https://192.168.2.10:6443', 'file:///etc/passwd'),
      /no single https server/,
    ],
    ['a password in the URL', KUBELET_CONF.replace('https://', 'https://a:b@'), /no single https server/],
    ['several clusters', `${KUBELET_CONF}\n    server: https://other:6443\n`, /no single https server/],
    [
      'nobody is verified',
      `${KUBELET_CONF}    insecure-skip-tls-verify: true\n`,
      /does not verify its server/,
    ],
    ['no authority', KUBELET_CONF.replace(/certificate-authority-data/, 'x'), /no authority/],
    [
      'no certificate',
      KUBELET_CONF.replace('client-certificate', 'username'),
      /neither a certificate nor a token/,
    ],
    ['no text', '\0\0{]', /no single https server/],
  ] as const) {
    test(what, async () => {
      const asked: Asked[] = [];
      const files = { ...KUBEADM, '/etc/kubernetes/kubelet.conf': conf };
      const { failed } = await search({ files, processes: [KUBELET] }, asked);
      assert.match(failed[0] ?? '', why);
      assert.deepEqual(asked, []);
    });
  }
});
