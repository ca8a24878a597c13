import { err, type Result } from '../base/result.ts';
import { foreignFile } from '../kernel/ownership.ts';
import { apiServersFor } from '../node/services/access.ts';
import type { ClusterPlaces } from '../node/services/places.ts';
import type { ApiServer, ClusterFacts } from '../node/services/ports.ts';
import type { Cluster, ClusterParts } from './cluster.ts';

/** Whom to ask at this moment, or why nobody can be; undefined where there is no API for this process. */
export function apiServersOf(
  kubeconfig: string | undefined,
  facts: ClusterFacts,
  places: ClusterPlaces,
): Result<readonly ApiServer[], string> | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  // Whoever could write it would say where this node's services are.
  const problem = kubeconfig === undefined ? undefined : foreignFile(kubeconfig);
  if (problem !== undefined) return err(`${kubeconfig} ${problem}`);
  return apiServersFor(facts, places, { kubeconfig, host, port });
}

/** The Kubernetes API, where there is one for this daemon; elsewhere its client is not even loaded. */
export async function openCluster(
  kubeconfig: string | undefined,
  parts: Omit<ClusterParts, 'servers'>,
): Promise<Cluster | undefined> {
  const servers = () => apiServersOf(kubeconfig, parts.facts, parts.places);
  if (servers() === undefined) return undefined;
  const { Cluster: opened } = await import('./cluster.ts');
  return new opened({ ...parts, servers });
}
