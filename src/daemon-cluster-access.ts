import type { Cluster, ClusterParts } from './daemon-cluster.ts';
import { err } from './base/result.ts';
import { foreignFile } from './kernel/ownership.ts';
import { apiServersFor } from './node/services/access.ts';

/** The Kubernetes API, where there is one for this daemon; elsewhere its client is not even loaded. */
export async function openCluster(
  kubeconfig: string | undefined,
  parts: Omit<ClusterParts, 'servers'> & { readonly asking: () => void },
): Promise<Cluster | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const servers = () => {
    parts.asking();
    // Whoever could write it would say where this node's services are.
    const problem = kubeconfig === undefined ? undefined : foreignFile(kubeconfig);
    if (problem !== undefined) return err(`${kubeconfig} ${problem}`);
    return apiServersFor(parts.facts, parts.places, { kubeconfig, host, port });
  };
  if (servers() === undefined) return undefined;
  const { Cluster: opened } = await import('./daemon-cluster.ts');
  return new opened({ ...parts, servers });
}
