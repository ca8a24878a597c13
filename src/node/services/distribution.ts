import { commandOf, named, pathOf, programOf } from './argv.ts';
import type { ClusterPlaces, Distribution } from './places.ts';
import type { ClusterFacts, NodeProcess } from './ports.ts';

/** The service network where nobody stated another one (each project's reference of its flags). */
export const DEFAULT_NETWORKS: Readonly<Record<Distribution, string>> = {
  k3s: '10.43.0.0/16',
  rke2: '10.43.0.0/16',
  microk8s: '10.152.183.0/24',
  k0s: '10.96.0.0/12',
  // Talos too, and minikube.
  kubeadm: '10.96.0.0/12',
};

/** That this machine is a node of a cluster, and how it was set up. */
export type Kubelet = {
  /** What shows it: "kubelet (process 4711)", or a file. */
  readonly seen: string;
  readonly distribution: Distribution;
  /** Undefined where only a file shows it. */
  readonly process: NodeProcess | undefined;
};

/** Undefined on a machine that is no node. A daemon in a container sees no process of the node, and goes by its files. */
export function kubeletOf(facts: ClusterFacts, places: ClusterPlaces): Kubelet | undefined {
  for (const process of facts.processes()) {
    const distribution = distributionOf(process);
    if (distribution !== undefined) return { seen: named(process), distribution, process };
  }
  const file = places.kubeconfigs.find(({ path }) => facts.readText(path) !== undefined);
  return file === undefined
    ? undefined
    : { seen: file.path, distribution: file.distribution, process: undefined };
}

function distributionOf({ argv }: NodeProcess): Distribution | undefined {
  const [name, path] = [programOf(argv), pathOf(argv)];
  switch (name) {
    case 'kubelet':
      if (path.startsWith('/var/lib/rancher/rke2/')) return 'rke2';
      if (path.startsWith('/var/lib/k0s/')) return 'k0s';
      return path.startsWith('/snap/microk8s/') ? 'microk8s' : 'kubeadm';
    case 'kubelite':
      return 'microk8s';
    case 'k3s-agent':
    case 'k3s-server':
      return 'k3s';
    case 'k3s':
    case 'rke2':
      // Not "k3s kubectl", which somebody may run anywhere.
      return ['agent', 'server'].includes(commandOf(argv) ?? '') ? name : undefined;
    default:
      return undefined;
  }
}
