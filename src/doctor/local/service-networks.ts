import { equalNetwork, networkOf, parseCidr, type Cidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { DaemonView, NodeFacts } from './ports.ts';
import type { NodePlaces } from './places.ts';

/** A network of service addresses, host bits cleared, and where that stands. */
export type FoundServiceNetwork = { readonly network: Cidr<Ipv4>; readonly source: string };

/** Of k3s and RKE2, where nothing else is said. */
const K3S_DEFAULT = '10.43.0.0/16';
/** Of kube-apiserver, where nothing else is said: no flag in its manifest, for example. */
const API_SERVER_DEFAULT = '10.0.0.0/24';
/** Two families, and as many again for a mistake; a longer list is no list of service networks. */
const MOST_NETWORKS = 16;

/** The node programs that take `--service-cidr`, by the last part of their path. */
const K3S_NAMES: ReadonlySet<string> = new Set(['k3s', 'k3s-server', 'rke2']);

/**
 * The IPv4 service networks of the cluster that this node belongs to, as far as its own files and processes tell: each
 * once, the surest source first. None on a worker of kubeadm, where only the Kubernetes API knows.
 */
export function localServiceNetworks(facts: NodeFacts, places: NodePlaces): readonly FoundServiceNetwork[] {
  const found = [...ofProcesses(facts), ...ofManifest(facts, places), ...ofK3sFiles(facts, places)];
  if (found.length === 0) found.push(...k3sDefault(facts));
  return eachOnce(found);
}

/** With those that the daemon was told of. */
export function allServiceNetworks(
  facts: NodeFacts,
  places: NodePlaces,
  daemon: DaemonView,
): readonly FoundServiceNetwork[] {
  const told = (daemon.host?.services ?? []).flatMap((text) => networks(text, 'the daemon'));
  return eachOnce([...localServiceNetworks(facts, places), ...told]);
}

function eachOnce(found: readonly FoundServiceNetwork[]): readonly FoundServiceNetwork[] {
  const once: FoundServiceNetwork[] = [];
  for (const one of found) {
    if (!once.some(({ network }) => equalNetwork(network, one.network))) once.push(one);
  }
  return once.slice(0, MOST_NETWORKS);
}

function ofProcesses(facts: NodeFacts): FoundServiceNetwork[] {
  return facts.processes().flatMap(({ pid, argv }) => {
    const name = programOf(argv);
    if (name === 'kube-apiserver') {
      const flag = flagOf(argv, '--service-cluster-ip-range');
      const source = `kube-apiserver (process ${pid}) --service-cluster-ip-range`;
      return flag === undefined
        ? networks(API_SERVER_DEFAULT, `kube-apiserver (process ${pid}), its default`)
        : networks(flag, source);
    }
    if (!K3S_NAMES.has(name)) return [];
    const flag = flagOf(argv, '--service-cidr');
    return flag === undefined ? [] : networks(flag, `${name} (process ${pid}) --service-cidr`);
  });
}

/** kubeadm runs the API server as a static pod, whose process may be in sight or not. */
function ofManifest(facts: NodeFacts, { apiServerManifest }: NodePlaces): FoundServiceNetwork[] {
  const text = facts.readText(apiServerManifest);
  const match = /--service-cluster-ip-range[= ]"?([0-9a-fA-F.:/,]+)/.exec(text ?? '');
  return match === null ? [] : networks(match[1] ?? '', `${apiServerManifest} --service-cluster-ip-range`);
}

function ofK3sFiles(facts: NodeFacts, places: NodePlaces): FoundServiceNetwork[] {
  const more = places.k3sConfigFolders.flatMap((folder) =>
    (facts.list(folder) ?? []).filter((name) => /\.ya?ml$/.test(name)).map((name) => `${folder}/${name}`),
  );
  return [...places.k3sConfigs, ...more].flatMap((path) => {
    const text = facts.readText(path) ?? '';
    return serviceCidrOfYaml(text).flatMap((value) => networks(value, `${path} service-cidr`));
  });
}

/** `service-cidr: A`, `service-cidr: [A, B]` or a list below it: what k3s documents. Not the rest of YAML. */
function serviceCidrOfYaml(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.replace(/\s+#.*$/, '').trimEnd());
  const at = lines.findIndex((line) => /^service-cidr\+?\s*:/.test(line));
  if (at < 0) return [];
  const inline = (lines[at] ?? '').replace(/^[^:]*:/, '');
  const below = lines.slice(at + 1);
  const end = below.findIndex((line) => !/^\s*-\s/.test(line));
  const items = inline.trim() === '' ? below.slice(0, end < 0 ? below.length : end) : [inline];
  return items.flatMap((item) => item.match(/[0-9a-fA-F.:]+\/\d{1,3}/g) ?? []);
}

function k3sDefault(facts: NodeFacts): FoundServiceNetwork[] {
  const runs = facts.processes().find(({ argv }) => K3S_NAMES.has(programOf(argv)));
  if (runs === undefined) return [];
  return networks(K3S_DEFAULT, `${programOf(runs.argv)} (process ${runs.pid}), its default`);
}

/** k3s writes its own command line into argv[0] as one text: "/usr/local/bin/k3s server". */
export function programOf(argv: readonly string[]): string {
  const path = (argv[0] ?? '').split(' ', 1)[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The value of `--flag=value` or `--flag value`. */
function flagOf(argv: readonly string[], flag: string): string | undefined {
  const at = argv.findIndex((argument) => argument === flag || argument.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  const argument = argv[at] ?? '';
  return argument === flag ? argv[at + 1] : argument.slice(flag.length + 1);
}

function networks(text: string, source: string): FoundServiceNetwork[] {
  return text
    .split(',')
    .slice(0, MOST_NETWORKS)
    .flatMap((part) => {
      const parsed = parseCidr(part.trim());
      if (parsed === undefined || !isIpv4(parsed.address) || parsed.prefix === 0) return [];
      return [{ network: networkOf({ address: parsed.address, prefix: parsed.prefix }), source }];
    });
}
