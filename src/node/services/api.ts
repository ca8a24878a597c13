import { isIpv4, parseIp } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import type { KnownAddress } from './addresses.ts';
import { type FoundServiceNetwork, MOST_NETWORKS, networksIn } from './found.ts';
import { readKubeconfig } from './kubeconfig.ts';
import type { ApiServer, ClusterFacts } from './ports.ts';

/** Kubernetes 1.33 and later, and only by what kube-proxy may (RBAC role system:node-proxier): the networks themselves. */
const NETWORKS_PATH = '/apis/networking.k8s.io/v1/servicecidrs?limit=16';
/** The API's own service has the first address of the network; a kubelet may list services (RBAC role system:node). */
const API_SERVICE_PATH =
  '/api/v1/namespaces/default/services?fieldSelector=metadata.name%3Dkubernetes&limit=1';
/** Others show where the network cannot end. */
const SERVICES_PATH = '/api/v1/services?limit=200';
const MOST_ITEMS = 200;
const OK = 200;

export type ApiFound = {
  readonly networks: readonly FoundServiceNetwork[];
  readonly addresses: readonly KnownAddress[];
  /** Why it does not help, where it does not. */
  readonly why: string | undefined;
};

/** What the Kubernetes API says to the node's own certificate. */
export async function askForServices(facts: ClusterFacts, path: string): Promise<ApiFound> {
  const server = readKubeconfig(facts, path);
  if (!server.ok) return nothing(`${path} ${server.error}`);
  const source = `the Kubernetes API at ${server.value.url}, by ${path}`;
  const cidrs = await facts.askApi(server.value, NETWORKS_PATH);
  if (cidrs.kind === 'failed') return nothing(`${server.value.url}: ${cidrs.why}`);
  const networks = cidrs.status === OK ? networksOf(cidrs.body, source) : [];
  if (networks.length > 0) return { networks, addresses: [], why: undefined };
  const addresses = [
    ...(await addressesAt(facts, server.value, API_SERVICE_PATH)),
    ...(await addressesAt(facts, server.value, SERVICES_PATH)),
  ].map((address) => ({ address, source }));
  const why = addresses.length > 0 ? undefined : `${server.value.url}: names no service to ${path}`;
  return { networks: [], addresses, why };
}

function nothing(why: string): ApiFound {
  return { networks: [], addresses: [], why };
}

/** ServiceCIDR (networking.k8s.io/v1): `spec.cidrs`. */
function networksOf(list: Json, source: string): readonly FoundServiceNetwork[] {
  return itemsOf(list)
    .flatMap(({ spec }) => (isJsonObject(spec) && Array.isArray(spec['cidrs']) ? spec['cidrs'] : []))
    .flatMap((network) => (typeof network === 'string' ? networksIn(network, source) : []))
    .slice(0, MOST_NETWORKS);
}

async function addressesAt(facts: ClusterFacts, server: ApiServer, path: string): Promise<readonly Ipv4[]> {
  const answer = await facts.askApi(server, path);
  if (answer.kind === 'failed' || answer.status !== OK) return [];
  return itemsOf(answer.body).flatMap(({ spec }) => {
    // "None" for a headless service, an IPv6 address where that comes first.
    const listed = isJsonObject(spec) ? [spec['clusterIP'] ?? null, ...listOf(spec['clusterIPs'])] : [];
    const addresses = listed.flatMap((text) => (typeof text === 'string' ? [parseIp(text)] : []));
    return addresses.filter((address) => address !== undefined).filter(isIpv4);
  });
}

function itemsOf(list: Json): readonly JsonObject[] {
  return isJsonObject(list) ? listOf(list['items']).filter(isJsonObject).slice(0, MOST_ITEMS) : [];
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
