import type { JsonObject } from '../../../src/base/json.ts';

/** Values of the chart that have to be taken, and such that have to be refused, with what the error names. */

type Case = readonly [what: string, values: JsonObject];
type BadCase = readonly [what: string, values: JsonObject, at: string];

export const GOOD_VALUES: readonly Case[] = [
  ['nothing', {}],
  [
    'an image of a registry',
    { image: { repository: 'registry.home.arpa:5000/lan/leasehold', tag: '0.1.0-rc.1' } },
  ],
  ['an image by digest', { image: { digest: `sha256:${'0a'.repeat(32)}`, pullPolicy: 'Always' } }],
  ['a secret of a registry', { imagePullSecrets: [{ name: 'registry' }] }],
  [
    'a network with every kind of key',
    {
      network: {
        master: ['eth0', 'eth1'],
        mtu: 1400,
        mac: 'pod',
        identity: 'pod',
        services: '10.43.0.0/16',
        routes: 'all',
        dhcp: {
          hostname: '{pod}',
          clientId: 'pod',
          send: { 'vendor-class-identifier': 'lab' },
          servers: ['192.168.2.1'],
        },
      },
    },
  ],
  ['hostPort', { chain: [{ type: 'portmap', capabilities: { portMappings: true } }] }],
  [
    'a list of its own',
    {
      conflist: {
        cniVersion: '1.0.0',
        name: 'lan',
        plugins: [
          { type: 'macvlan', ipam: { type: 'dhcp' } },
          { type: 'leasehold', chained: true },
        ],
      },
      dropIn: true,
    },
  ],
  [
    "the daemon's file",
    {
      config: {
        dhcp: {
          deadlineSeconds: 2.5,
          mac: 'pod',
          broadcast: 'always',
          fqdn: { name: '{pod}.lan', update: 'none' },
        },
        identity: { cluster: 'home', key: 'secret' },
        protect: ['10.42.0.0/16'],
        services: ['10.43.0.0/16', '169.254.20.10/32'],
        lan: ['192.168.2.0/24'],
      },
    },
  ],
  [
    'paths',
    { paths: { cniBin: '/var/lib/rancher/k3s/data/cni', cniConf: '/a/.b/c.d', kubeletKubeconfig: '' } },
  ],
  [
    'the pod',
    {
      resources: { requests: { cpu: '50m', memory: '100Mi' }, limits: { memory: '1Gi', cpu: 2 } },
      nodeSelector: { lan: 'home' },
      affinity: { nodeAffinity: {} },
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoSchedule' }],
      podAnnotations: { a: 'b' },
      podLabels: { c: 'd' },
      extraArgs: ['--service-cidr=10.43.0.0/16'],
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=128' }],
      extraCapabilities: ['SYS_PTRACE', 'DAC_OVERRIDE'],
      seLinuxOptions: { type: 'spc_t' },
      logLevel: 'debug',
      conflistName: '00-lan.conflist',
    },
  ],
];

export const BAD_VALUES: readonly BadCase[] = [
  ['a key that is none', { networks: {} }, 'networks'],
  ['a misspelled key of the network', { network: { hostAcess: true } }, 'hostAcess'],
  ['a value of another type', { network: { mtu: '1400' } }, 'mtu'],
  ['an MTU that is none', { network: { mtu: 20 } }, 'mtu'],
  ['a mode that is none', { network: { mode: 'ipvlan' } }, 'mode'],
  ['a name that no interface has', { network: { master: '..' } }, 'master'],
  ['a MAC address of nobody', { network: { mac: '00:00:00:00:00:00' } }, 'mac'],
  ['a service network that is none', { network: { services: '10.43.0.0' } }, 'services'],
  ['an option that the exchange sets itself', { network: { dhcp: { send: { '53': 1 } } } }, 'send'],
  ['an option that is none', { network: { dhcp: { request: ['no-such-option'] } } }, 'request'],
  ['ipam in the network', { network: { ipam: { type: 'dhcp' } } }, 'ipam'],
  ['a type in the network', { network: { type: 'macvlan' } }, 'type'],
  ['chained in the network', { network: { chained: true } }, 'chained'],
  ['a metric without a route', { network: { routes: { use: 'none', metric: 1 } } }, 'network'],
  ['a plugin without a type', { chain: [{ capabilities: {} }] }, 'type'],
  [
    'a plugin of ours with a key that is none',
    { chain: [{ type: 'leasehold', chainedd: true }] },
    'chainedd',
  ],
  ['a list without a name', { conflist: { cniVersion: '1.0.0', plugins: [{ type: 'leasehold' }] } }, 'name'],
  ['a list without plugins', { conflist: { cniVersion: '1.0.0', name: 'lan', plugins: [] } }, 'plugins'],
  [
    'a list of a version that is none',
    { conflist: { cniVersion: '9', name: 'lan', plugins: [{ type: 'leasehold' }] } },
    'cniVersion',
  ],
  [
    'a key that is none in a list',
    { conflist: { cniVersion: '1.0.0', name: 'lan', plugins: [{ type: 'leasehold', masterr: 'eth0' }] } },
    'masterr',
  ],
  ['a name that no runtime reads', { conflistName: '05-leasehold.json' }, 'conflistName'],
  ['a name with a folder', { conflistName: '../05-leasehold.conflist' }, 'conflistName'],
  ["a key that is none of the daemon's file", { config: { dchp: {} } }, 'dchp'],
  ['a deadline of nothing', { config: { dhcp: { deadlineSeconds: 0 } } }, 'deadlineSeconds'],
  ['a deadline of more than a day', { config: { dhcp: { deadlineSeconds: 86_401 } } }, 'deadlineSeconds'],
  ['a network of everything', { config: { protect: ['0.0.0.0/0'] } }, 'protect'],
  ['a service network that is too large', { config: { services: ['10.0.0.0/7'] } }, 'services'],
  ['the name of one node for all', { config: { node: 'n1' } }, 'node'],
  ['a kubeconfig in a pod', { config: { kubeconfig: '/etc/kubernetes/kubelet.conf' } }, 'kubeconfig'],
  ['a cluster without a name', { config: { identity: { cluster: '' } } }, 'cluster'],
  ['a path that is not absolute', { paths: { cniBin: 'opt/cni/bin' } }, 'cniBin'],
  ['a path with ..', { paths: { state: '/var/lib/../etc' } }, 'state'],
  ['the root', { paths: { netns: '/' } }, 'netns'],
  ['a path that is none of the chart', { paths: { bin: '/opt/cni/bin' } }, 'bin'],
  ['a tag in the repository', { image: { repository: 'leasehold:' } }, 'repository'],
  ['a digest that is none', { image: { digest: 'sha256:12' } }, 'digest'],
  ['a pull policy that is none', { image: { pullPolicy: 'Sometimes' } }, 'pullPolicy'],
  ['a log level that is none', { logLevel: 'verbose' }, 'logLevel'],
  ['an argument that is no flag', { extraArgs: ['daemon'] }, 'extraArgs'],
  ["a capability with the kernel's name", { extraCapabilities: ['CAP_SYS_PTRACE'] }, 'extraCapabilities'],
  ['every capability', { extraCapabilities: ['ALL'] }, 'extraCapabilities'],
  ['privileged', { privileged: true }, 'privileged'],
  ['resources of a kind that is none', { resources: { request: {} } }, 'request'],
  ['a quantity that is none', { resources: { requests: { memory: '100 MB' } } }, 'memory'],
  ['an effect that is none', { tolerations: [{ operator: 'Exists', effect: 'Never' }] }, 'effect'],
  ['a label that is no text', { podLabels: { a: 1 } }, 'podLabels'],
];
