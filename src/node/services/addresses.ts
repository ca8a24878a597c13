import { cidrContains, formatCidr, networkOf, type Cidr } from '../../base/cidr.ts';
import { isIpv4, parseIp } from '../../base/ip.ts';
import { type Ipv4, ipv4ToNumber } from '../../base/ipv4.ts';
import { isJsonObject, type Json, parseJson } from '../../base/json.ts';
import { flagOf } from './argv.ts';
import { DEFAULT_NETWORKS, type Kubelet } from './distribution.ts';
import { type FoundServiceNetwork, networksIn } from './found.ts';
import type { ClusterPlaces } from './places.ts';
import type { ClusterFacts, ProxyRules } from './ports.ts';
import { yamlList } from './yaml.ts';

/** An address of a service, and who says so. */
export type KnownAddress = { readonly address: Ipv4; readonly source: string };

const MOST_ADDRESSES = 1024;
/** What is taken where only addresses are known and no default has them: as k3s and RKE2 do by default. */
const GUESSED_PREFIX = 16;
/** The largest network that any of the distributions has by default; addresses further apart are not of one network. */
const LARGEST_GUESS = 12;

/**
 * The resolver that a kubelet gives its pods is a service, as a rule. It may also be the router of the LAN, or a cache on
 * the node: alone it shows a network only where a default has it.
 */
export function clusterDns(
  facts: ClusterFacts,
  places: ClusterPlaces,
  kubelet: Kubelet,
): readonly KnownAddress[] {
  const argv = kubelet.process?.argv ?? [];
  const flag = flagOf(argv, '--cluster-dns');
  const stated = (flag ?? '').split(',').flatMap((text) => addressOf(text, `${kubelet.seen} --cluster-dns`));
  const own = flagOf(argv, '--config');
  const folders = places.kubeletConfigFolders.flatMap((folder) =>
    (facts.list(folder) ?? []).filter((name) => name.endsWith('.conf')).map((name) => `${folder}/${name}`),
  );
  const files = [...(own?.startsWith('/') === true ? [own] : []), ...places.kubeletConfigs, ...folders];
  const written = files.flatMap((path) =>
    yamlList(facts.readText(path) ?? '', 'clusterDNS').flatMap((text) =>
      addressOf(text, `${path} clusterDNS`),
    ),
  );
  return [...stated, ...written].filter(({ address }) => defaultWith(kubelet, [address]) !== undefined);
}

/** The services that kube-proxy leads to pods on this node. */
export function proxiedAddresses({ iptables, nftables }: ProxyRules): readonly KnownAddress[] {
  // Others than "cluster IP" are external addresses and load balancers, which lie anywhere.
  const rules = (iptables ?? '').matchAll(
    /^-A KUBE-SERVICES -d ([\d.]+)(?:\/32)? .*--comment "[^"\n]* cluster IP" /gm,
  );
  const chained = [...rules.take(MOST_ADDRESSES)].flatMap(([, text = '']) =>
    addressOf(text, "kube-proxy's chain KUBE-SERVICES"),
  );
  const json = parseJson(nftables ?? '');
  const listed = json.ok && isJsonObject(json.value) ? json.value['nftables'] : undefined;
  const elements = (Array.isArray(listed) ? listed : []).flatMap((entry) => {
    const set = isJsonObject(entry) ? entry['set'] : undefined;
    return isJsonObject(set) && Array.isArray(set['elem']) ? set['elem'] : [];
  });
  const inSet = elements
    .slice(0, MOST_ADDRESSES)
    .flatMap((text: Json) =>
      typeof text === 'string' ? addressOf(text, "kube-proxy's set cluster-ips") : [],
    );
  return [...chained, ...inSet];
}

/**
 * The network that the addresses are of. What is known is addresses: how far the network reaches is certain enough where
 * the default of the node's own distribution has all of them, and a guess elsewhere.
 */
export function networkAround(
  kubelet: Kubelet,
  known: readonly KnownAddress[],
): readonly FoundServiceNetwork[] {
  const [first] = known;
  if (first === undefined) return [];
  const said = `${first.address} (${first.source})`;
  const usual = defaultWith(
    kubelet,
    known.map(({ address }) => address),
  );
  if (usual !== undefined) {
    const source = `${said} is in ${formatCidr(usual.network)}, the default of ${usual.distributions}`;
    return [{ network: usual.network, source, inferred: usual.own ? 'usual' : 'size' }];
  }
  return enclosing(known.map(({ address }) => address)).map((network) => ({
    network,
    source: `around ${said}; its size is a guess`,
    inferred: 'size',
  }));
}

function defaultWith(
  { distribution }: Kubelet,
  addresses: readonly Ipv4[],
): { readonly network: Cidr<Ipv4>; readonly distributions: string; readonly own: boolean } | undefined {
  const all = Object.entries(DEFAULT_NETWORKS).flatMap(([name, text]) =>
    networksIn(text, name).map(({ network }) => ({
      network,
      distributions: name,
      own: name === distribution,
    })),
  );
  return all
    .toSorted((a, b) => Number(b.own) - Number(a.own))
    .find(({ network }) => addresses.every((address) => cidrContains(network, address)));
}

/** One network of at most a /12, else a /16 around each. */
function enclosing(addresses: readonly Ipv4[]): readonly Cidr<Ipv4>[] {
  const [first] = addresses;
  if (first === undefined) return [];
  const numbers = addresses.map(ipv4ToNumber);
  const common = Math.clz32(Math.min(...numbers) ^ Math.max(...numbers));
  if (common >= LARGEST_GUESS) {
    return [networkOf({ address: first, prefix: Math.min(common, GUESSED_PREFIX) })];
  }
  // What is equal is one by eachOnce.
  return addresses.map((address) => networkOf({ address, prefix: GUESSED_PREFIX }));
}

function addressOf(text: string, source: string): readonly KnownAddress[] {
  const address = parseIp(text.trim());
  return address !== undefined && isIpv4(address) ? [{ address, source }] : [];
}
