import type { Cluster, ClusterParts } from './daemon-cluster.ts';
import { apiServersFor } from './node/services/access.ts';

/** The Kubernetes API, where there is one for this daemon; elsewhere its client is not even loaded. Rejects with SysError. */
export async function openCluster(
  kubeconfig: string | undefined,
  parts: Omit<ClusterParts, 'servers'>,
): Promise<Cluster | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const servers = () => apiServersFor(parts.facts, parts.places, { kubeconfig, host, port });
  if (servers() === undefined) return undefined;
  const { Cluster: opened } = await import('./daemon-cluster.ts');
  return await opened.open({ ...parts, servers });
}
