/** A file of a node that belongs to one way to set a cluster up. */
export type ClusterFile = { readonly path: string; readonly distribution: Distribution };

export type Distribution = 'k3s' | 'rke2' | 'microk8s' | 'k0s' | 'kubeadm';

/** Where the service networks of a cluster are written down on its nodes. */
export type ClusterPlaces = {
  readonly apiServerManifest: string;
  readonly k3sConfigs: readonly string[];
  readonly k3sConfigFolders: readonly string[];
  /** Those of kube-proxy, which may ask for more, before the kubelet's. */
  readonly kubeconfigs: readonly ClusterFile[];
  readonly kubeletConfigs: readonly string[];
  readonly kubeletConfigFolders: readonly string[];
};

const RANCHER = '/var/lib/rancher';
const MICROK8S = '/var/snap/microk8s/current';

export const CLUSTER_PLACES: ClusterPlaces = {
  apiServerManifest: '/etc/kubernetes/manifests/kube-apiserver.yaml',
  k3sConfigs: ['/etc/rancher/k3s/config.yaml', '/etc/rancher/rke2/config.yaml'],
  k3sConfigFolders: ['/etc/rancher/k3s/config.yaml.d', '/etc/rancher/rke2/config.yaml.d'],
  kubeconfigs: [
    { path: `${RANCHER}/k3s/agent/kubeproxy.kubeconfig`, distribution: 'k3s' },
    { path: `${RANCHER}/k3s/agent/kubelet.kubeconfig`, distribution: 'k3s' },
    { path: `${RANCHER}/rke2/agent/kubeproxy.kubeconfig`, distribution: 'rke2' },
    { path: `${RANCHER}/rke2/agent/kubelet.kubeconfig`, distribution: 'rke2' },
    { path: `${MICROK8S}/credentials/proxy.config`, distribution: 'microk8s' },
    { path: `${MICROK8S}/credentials/kubelet.config`, distribution: 'microk8s' },
    { path: '/var/lib/k0s/kubelet.conf', distribution: 'k0s' },
    { path: '/etc/kubernetes/kubelet.conf', distribution: 'kubeadm' },
    // Talos, whose default service network is kubeadm's.
    { path: '/etc/kubernetes/kubeconfig-kubelet', distribution: 'kubeadm' },
    { path: '/var/lib/kubelet/kubeconfig', distribution: 'kubeadm' },
  ],
  kubeletConfigs: ['/var/lib/kubelet/config.yaml', '/var/lib/k0s/kubelet-config.yaml'],
  kubeletConfigFolders: [
    `${RANCHER}/k3s/agent/etc/kubelet.conf.d`,
    `${RANCHER}/rke2/agent/etc/kubelet.conf.d`,
  ],
};
