import { clusterDns, networkAround, proxiedAddresses, type KnownAddress } from './addresses.ts';
import { askForServices } from './api.ts';
import { flagOf } from './argv.ts';
import { DEFAULT_NETWORKS, kubeletOf, type Kubelet } from './distribution.ts';
import { eachOnce, type FoundServiceNetwork, networksIn } from './found.ts';
import { namedNetworks } from './named.ts';
import type { ClusterPlaces } from './places.ts';
import type { ClusterFacts } from './ports.ts';

export type ServiceSearch = {
  /** Each once, the surest first. */
  readonly networks: readonly FoundServiceNetwork[];
  /** What shows that this machine is a node of a cluster; undefined where nothing does. */
  readonly kubelet: string | undefined;
  /** Why the places that were looked at did not help, one a line. */
  readonly failed: readonly string[];
};

/**
 * The IPv4 service networks of the cluster that this node belongs to, as far as the node can tell: by the flags and files
 * of a control plane that is here; else by the API, asked with the node's own certificate; else by the addresses of
 * services that kube-proxy and the kubelet know.
 */
export async function searchServiceNetworks(
  facts: ClusterFacts,
  places: ClusterPlaces,
): Promise<ServiceSearch> {
  const kubelet = kubeletOf(facts, places);
  const stated = eachOnce(namedNetworks(facts, places));
  if (stated.length > 0 || kubelet === undefined) {
    return { networks: stated, kubelet: kubelet?.seen, failed: [] };
  }
  const failed: string[] = [];
  const known: KnownAddress[] = [];
  for (const path of kubeconfigsOf(facts, places, kubelet)) {
    const { networks, addresses, why } = await askForServices(facts, path);
    if (networks.length > 0) return { networks: eachOnce(networks), kubelet: kubelet.seen, failed: [] };
    known.push(...addresses);
    if (why !== undefined) failed.push(why);
    if (addresses.length > 0) break;
  }
  if (known.length === 0) known.push(...proxiedAddresses(await facts.proxyRules()));
  if (known.length === 0) {
    failed.push("kube-proxy's rules on this node name no service");
    known.push(...clusterDns(facts, places, kubelet));
  }
  if (known.length === 0) failed.push("the kubelet's clusterDNS is of no known service network");
  const found = known.length > 0 ? networkAround(kubelet, known) : unconfirmed(kubelet);
  return { networks: eachOnce(found), kubelet: kubelet.seen, failed };
}

/** That of the kubelet's own command line first, then those that are there. */
export function kubeconfigsOf(
  facts: ClusterFacts,
  places: ClusterPlaces,
  kubelet: Kubelet,
): readonly string[] {
  const own = flagOf(kubelet.process?.argv ?? [], '--kubeconfig');
  const there = places.kubeconfigs
    .map(({ path }) => path)
    .filter((path) => facts.readText(path) !== undefined);
  return [...new Set([...(own?.startsWith('/') === true ? [own] : []), ...there])];
}

/** Whoever has k3s or RKE2 has its default, as a rule, servers too; of a kubelet nobody can say that. */
function unconfirmed({ distribution, seen }: Kubelet): readonly FoundServiceNetwork[] {
  if (distribution !== 'k3s' && distribution !== 'rke2') return [];
  const found = networksIn(
    DEFAULT_NETWORKS[distribution],
    `${seen}: the default of ${distribution}, not confirmed`,
  );
  return found.map((one) => ({ ...one, inferred: 'unconfirmed' as const }));
}
