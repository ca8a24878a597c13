/** The test that runs a command, and what is written there. */
export type Evidence = readonly [file: string, written: string];

/** The pages whose commands are all accounted for. */
export const PAGES = [
  'docs/kubernetes.md',
  'docs/podman.md',
  'docs/cri-o.md',
  'docs/changing-over.md',
] as const;

/** The test that reads docs/kubernetes.md, and runs each command that is neither marked nor run elsewhere. */
export const KUBERNETES_PAGE_TEST = 'e2e/kubernetes-page.test.ts';
export const KUBERNETES_PAGE = 'docs/kubernetes.md';

/** Commands that a test has in its own words: by page and text. */
export const RUN_BY: Readonly<Record<string, Readonly<Record<string, Evidence>>>> = {
  [KUBERNETES_PAGE]: {
    'make image': ['scripts/e2e.sh', 'sh scripts/image.sh'],
    'helm install leasehold deploy/chart/leasehold --namespace kube-system --values deploy/profiles/kubeadm.yaml':
      ['e2e/helm.test.ts', "'install', 'leasehold', CHART, `--values=${PROFILE}`"],
    'kubectl delete -f deploy/install.yaml': [KUBERNETES_PAGE_TEST, "'delete', '-f', MANIFEST"],
  },
  'docs/podman.md': {
    "podman info --format '{{.Host.NetworkBackend}}'": [
      'e2e/podman.test.ts',
      "'info', '--format', '{{.Host.NetworkBackend}}'",
    ],
    'leasehold install --cni-bin /usr/local/libexec/cni --drop-in': [
      'e2e/podman.test.ts',
      "install('/usr/local/libexec/cni', '--drop-in'",
    ],
    'podman network ls': ['e2e/podman.test.ts', "'network', 'ls'"],
    'podman run --detach --name web --network lan IMAGE': [
      'e2e/podman.test.ts',
      "serve('web', '--network', 'lan'",
    ],
    "podman inspect web --format '{{.NetworkSettings.Networks.lan.IPAddress}}'": [
      'e2e/podman.test.ts',
      "['--format', '{{.NetworkSettings.Networks.lan.IPAddress}}']",
    ],
    'leasehold leases': ['e2e/podman.test.ts', "'leasehold', 'leases'"],
    'podman network create --driver macvlan --opt parent=eth0 plain': [
      'e2e/podman.test.ts',
      "'network', 'create', '--driver', 'macvlan', '--opt', 'parent=eth0', 'plain'",
    ],
    'podman run --detach --name web --network plain IMAGE': [
      'e2e/podman.test.ts',
      "serve('gone', '--network', 'plain'",
    ],
  },
  'docs/changing-over.md': {
    'leasehold install --drop-in --replace --no-conflist': [
      'e2e/adopt.test.ts',
      "'--drop-in', '--no-conflist', '--replace'",
    ],
    'leasehold adopt': ['e2e/adopt.test.ts', "'leasehold', 'adopt'"],
    'ip route replace 192.168.2.131/32 dev mac0 src 192.168.2.125': [
      'e2e/by-hand.test.ts',
      "ip('route', 'replace', `${pod.ip}/32`, 'dev', 'mac0', 'src', NODE)",
    ],
    'ip route del 192.168.2.128/25 dev mac0': [
      'e2e/by-hand.test.ts',
      "ip('route', 'del', PODS, 'dev', 'mac0')",
    ],
    'ip route del 192.168.2.131/32 dev mac0': [
      'e2e/by-hand.test.ts',
      "ip('route', 'del', `${pod.ip}/32`, 'dev', 'mac0')",
    ],
    'ip link del mac0': ['e2e/by-hand.test.ts', "ip('link', 'del', 'mac0')"],
  },
};
