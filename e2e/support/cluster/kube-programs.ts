import { CONTAINERD_SOCKET } from './containerd.ts';
import type { Node } from './node.ts';
import type { Pki } from './pki.ts';

/** Where kubeadm has it. */
export const KUBERNETES = '/etc/kubernetes';
const PKI = `${KUBERNETES}/pki`;
/** What a kubelet runs without an API server. */
export const STATIC_PODS = `${KUBERNETES}/manifests`;
const API_PORT = 6443;
/** kubeadm's default is 10.96.0.0/12; k3s' is this one, and no lease of the LAN is in it. */
export const SERVICE_CIDR = '10.43.0.0/16';
/** The first address of it: the service `kubernetes`. */
export const API_SERVICE = '10.43.0.1';

export type ProxyMode = 'iptables' | 'nftables';

export function apiUrl(controlPlane: Node): string {
  return `https://${controlPlane.address}:${API_PORT}`;
}

/** Certificates, kubeconfigs and configuration of a node, the control plane's too: n2 does not use them. */
export async function writeNodeFiles(
  node: Node,
  pki: Pki,
  server: string,
  proxyMode: ProxyMode,
): Promise<void> {
  const confs = { kubelet: node.name, proxy: 'kube-proxy', kcm: 'kcm', scheduler: 'scheduler' };
  for (const [file, identity] of Object.entries(confs)) {
    await node.writeFile(`${KUBERNETES}/${file}.conf`, await pki.kubeconfig(identity, server), 0o600);
  }
  await node.run(['mkdir', '-p', PKI, STATIC_PODS]);
  for (const file of [
    'ca.crt',
    'ca.key',
    'sa.key',
    'sa.pub',
    ...pair('apiserver'),
    ...pair('kubelet-client'),
  ]) {
    await node.copyFile(pki.path(file), `${PKI}/${file}`);
  }
  await node.writeFile(`${KUBERNETES}/kubelet.yaml`, kubeletConfiguration());
  await writeProxyConfiguration(node, proxyMode);
}

async function writeProxyConfiguration(node: Node, mode: ProxyMode): Promise<void> {
  await node.writeFile(`${KUBERNETES}/proxy.yaml`, proxyConfiguration(node, mode));
}

/** kube-proxy in another mode: what it made in the one before is taken away, as it does itself with --cleanup. */
export async function changeProxyMode(node: Node, mode: ProxyMode): Promise<void> {
  await node.stop('kube-proxy');
  await node.run(['kube-proxy', '--cleanup']);
  await writeProxyConfiguration(node, mode);
  await node.restart('kube-proxy');
}

function pair(name: string): readonly string[] {
  return [`${name}.crt`, `${name}.key`];
}

/** JSON is YAML. What is not Kubernetes' default says why. */
function kubeletConfiguration(): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    // From 1.35 on a kubelet refuses cgroup v1.
    failCgroupV1: false,
    // There is no systemd in a node.
    cgroupDriver: 'cgroupfs',
    failSwapOn: false,
    // Without CAP_SYS_RESOURCE nobody may lower it.
    oomScoreAdj: 0,
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    staticPodPath: STATIC_PODS,
    volumePluginDir: '/var/lib/kubelet/volumeplugins',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${PKI}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    // The disk is this machine's, however full it is.
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    maxPods: 200,
    registryPullQPS: 0,
    nodeStatusUpdateFrequency: '5s',
  });
}

function proxyConfiguration(node: Node, mode: ProxyMode): string {
  return JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode,
    hostnameOverride: node.name,
    clientConnection: { kubeconfig: `${KUBERNETES}/proxy.conf` },
    // These are sysctls of the whole machine.
    conntrack: { maxPerCore: 0, min: 0 },
  });
}

/** etcd and the API server; the latter is not waited for. */
export async function startApiServer(node: Node): Promise<void> {
  const etcd = 'http://127.0.0.1:2379';
  if (!node.isServiceRunning('etcd')) {
    const urls = ['--listen-client-urls', etcd, '--advertise-client-urls', etcd];
    const peers = ['--listen-peer-urls', 'http://127.0.0.1:2380'];
    // A power cut here leaves what was written in the machine's page cache.
    await node.start('etcd', ['etcd', '--data-dir', '/var/lib/etcd', ...urls, ...peers, '--unsafe-no-fsync']);
  }
  await node.start('kube-apiserver', [
    'kube-apiserver',
    `--advertise-address=${node.address}`,
    `--etcd-servers=${etcd}`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--client-ca-file=${PKI}/ca.crt`,
    `--tls-cert-file=${PKI}/apiserver.crt`,
    `--tls-private-key-file=${PKI}/apiserver.key`,
    `--kubelet-client-certificate=${PKI}/kubelet-client.crt`,
    `--kubelet-client-key=${PKI}/kubelet-client.key`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${PKI}/sa.pub`,
    `--service-account-signing-key-file=${PKI}/sa.key`,
  ]);
}

/** Controllers and scheduler. They end when the API server is away for long, as everywhere; on a node systemd or kubelet start them again. */
export async function startControllers(node: Node): Promise<void> {
  await node.start('kube-controller-manager', [
    'kube-controller-manager',
    `--kubeconfig=${KUBERNETES}/kcm.conf`,
    `--service-account-private-key-file=${PKI}/sa.key`,
    `--root-ca-file=${PKI}/ca.crt`,
    `--cluster-signing-cert-file=${PKI}/ca.crt`,
    `--cluster-signing-key-file=${PKI}/ca.key`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--allocate-node-cidrs=false',
    // Half of the default, for tests of nodes that are gone.
    '--node-monitor-grace-period=20s',
  ]);
  await node.start('kube-scheduler', [
    'kube-scheduler',
    `--kubeconfig=${KUBERNETES}/scheduler.conf`,
    '--leader-elect=false',
  ]);
}

export async function startKubelet(node: Node): Promise<void> {
  await node.start('kubelet', [
    'kubelet',
    `--config=${KUBERNETES}/kubelet.yaml`,
    `--kubeconfig=${KUBERNETES}/kubelet.conf`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
  ]);
}

export async function startProxy(node: Node): Promise<void> {
  await node.start('kube-proxy', ['kube-proxy', `--config=${KUBERNETES}/proxy.yaml`]);
}
