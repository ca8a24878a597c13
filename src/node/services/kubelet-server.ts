import { isIpv4, parseIp } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { kubeletOf } from './distribution.ts';
import { serverOf } from './kubeconfig.ts';
import type { ClusterPlaces } from './places.ts';
import type { ApiServer, ClusterFacts } from './ports.ts';
import { kubeconfigsOf } from './search.ts';

/**
 * The API server that the node's own kubelet uses. Nothing else of its kubeconfig is needed: in a container the files that
 * it names are not there.
 */
export function kubeletServer(
  facts: ClusterFacts,
  places: ClusterPlaces,
): Pick<ApiServer, 'url' | 'name'> | undefined {
  const kubelet = kubeletOf(facts, places);
  if (kubelet === undefined) return undefined;
  for (const path of kubeconfigsOf(facts, places, kubelet)) {
    const server = serverOf(facts.readText(path) ?? '');
    if (server !== undefined) return server;
  }
  return undefined;
}

/** Its address; undefined where there is none, or the kubeconfig has a name in its place. */
export function kubeletServerAddress(facts: ClusterFacts, places: ClusterPlaces): Ipv4 | undefined {
  const url = URL.parse(kubeletServer(facts, places)?.url ?? '');
  const address = url === null ? undefined : parseIp(url.hostname);
  return address !== undefined && isIpv4(address) ? address : undefined;
}

/** That address as it was at the last look: to look costs a walk through /proc. */
export class ApiServerSight {
  readonly #read: () => Ipv4 | undefined;
  readonly #changed: () => void;
  #address: Ipv4 | undefined;

  constructor(read: () => Ipv4 | undefined, changed: () => void) {
    this.#read = read;
    this.#changed = changed;
  }

  get address(): Ipv4 | undefined {
    return this.#address;
  }

  look(): void {
    const now = this.#read();
    if (now === this.#address) return;
    this.#address = now;
    this.#changed();
  }
}
