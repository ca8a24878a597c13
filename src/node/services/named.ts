import { commandOf, flagOf, named, programOf } from './argv.ts';
import { networksIn, type FoundServiceNetwork } from './found.ts';
import type { ClusterPlaces } from './places.ts';
import type { ClusterFacts, NodeProcess } from './ports.ts';
import { yamlList } from './yaml.ts';

/** Of kube-apiserver, where nothing else is said: no flag in its manifest, for example. */
const API_SERVER_DEFAULT = '10.0.0.0/24';
/** The programs that have the whole cluster in them, and take `--service-cidr` as a server. */
const K3S_NAMES: ReadonlySet<string> = new Set(['k3s', 'rke2']);

/**
 * The IPv4 service networks that the control plane's own flags and files on this node state, the surest first. None on a
 * node that is a worker only; and on a k3s server perhaps none, which hides its flags (it sets its process title).
 */
export function namedNetworks(facts: ClusterFacts, places: ClusterPlaces): readonly FoundServiceNetwork[] {
  return [...ofProcesses(facts), ...ofManifest(facts, places), ...ofK3sFiles(facts, places)];
}

function ofProcesses(facts: ClusterFacts): readonly FoundServiceNetwork[] {
  return facts.processes().flatMap((one) => {
    if (programOf(one.argv) === 'kube-apiserver') {
      const flag = flagOf(one.argv, '--service-cluster-ip-range');
      return flag === undefined
        ? networksIn(API_SERVER_DEFAULT, `${named(one)}, its default`)
        : networksIn(flag, `${named(one)} --service-cluster-ip-range`);
    }
    if (!isK3sServer(one)) return [];
    const flag = flagOf(one.argv, '--service-cidr');
    return flag === undefined ? [] : networksIn(flag, `${named(one)} --service-cidr`);
  });
}

/** kubeadm runs the API server as a static pod, whose process may be in sight or not. */
function ofManifest(
  facts: ClusterFacts,
  { apiServerManifest }: ClusterPlaces,
): readonly FoundServiceNetwork[] {
  const text = facts.readText(apiServerManifest);
  const match = /--service-cluster-ip-range[= ]"?([0-9a-fA-F.:/,]+)/.exec(text ?? '');
  return match === null ? [] : networksIn(match[1] ?? '', `${apiServerManifest} --service-cluster-ip-range`);
}

function ofK3sFiles(facts: ClusterFacts, places: ClusterPlaces): readonly FoundServiceNetwork[] {
  const more = places.k3sConfigFolders.flatMap((folder) =>
    (facts.list(folder) ?? []).filter((name) => /\.ya?ml$/.test(name)).map((name) => `${folder}/${name}`),
  );
  return [...places.k3sConfigs, ...more].flatMap((path) => {
    const stated = yamlList(facts.readText(path) ?? '', 'service-cidr');
    return stated.flatMap((value) => networksIn(value, `${path} service-cidr`));
  });
}

/** "k3s agent" is a worker: what its server was told is not known here. */
function isK3sServer({ argv }: NodeProcess): boolean {
  const name = programOf(argv);
  return name === 'k3s-server' || (K3S_NAMES.has(name) && commandOf(argv) === 'server');
}
