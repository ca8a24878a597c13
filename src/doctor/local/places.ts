import { commandOf, flagOf } from '../../node/services/argv.ts';
import { CLUSTER_PLACES, type ClusterPlaces } from '../../node/services/places.ts';
import type { NodeFacts } from './ports.ts';

/** Where things lie on a node. */
export type NodePlaces = ClusterPlaces & {
  readonly cniConf: string;
  /** In the order in which they are searched. */
  readonly cniBins: readonly string[];
  /** The Go daemon's socket. */
  readonly goSocket: string;
  /** This release's own relay, to compare with; undefined where it is not known. */
  readonly relay: string | undefined;
  /** Where k3s, which brings its own runtime, has what others have in `cniConf` and `cniBins`. */
  readonly k3sConf: string;
  readonly k3sBins: readonly string[];
};

/** The folders that kubelet, containerd, CRI-O, k3s and Debian's package use, then the others of podman. */
export const DEFAULT_PLACES: NodePlaces = {
  ...CLUSTER_PLACES,
  cniConf: '/etc/cni/net.d',
  cniBins: [
    '/opt/cni/bin',
    '/usr/lib/cni',
    '/usr/libexec/cni',
    '/usr/local/libexec/cni',
    '/usr/local/lib/cni',
  ],
  goSocket: '/run/cni/dhcp.sock',
  relay: undefined,
  k3sConf: '/var/lib/rancher/k3s/agent/etc/cni/net.d',
  k3sBins: ['/var/lib/rancher/k3s/data/cni', '/var/lib/rancher/k3s/data/current/bin'],
};

/**
 * The folders that count on this node: those that a person named, else those of the agent whose container this is, else those
 * of k3s where it was installed.
 */
export function placesHere(
  facts: NodeFacts,
  places: NodePlaces,
  named: { readonly cniConf: string | undefined; readonly cniBins: readonly string[] },
): NodePlaces {
  const isK3s = facts.list(places.k3sConf) !== undefined;
  const usual = isK3s ? [...places.k3sBins, ...places.cniBins] : places.cniBins;
  const { conf, bin } = mountedHere(facts);
  return {
    ...places,
    cniConf: named.cniConf ?? conf ?? (isK3s ? places.k3sConf : places.cniConf),
    cniBins: named.cniBins.length > 0 ? named.cniBins : bin === undefined ? usual : [bin],
  };
}

/** Where an agent has the node's folders, by its flags. Its paths are those of its container: from outside nothing is there. */
function mountedHere(facts: NodeFacts): { readonly conf?: string; readonly bin?: string } {
  for (const { argv } of facts.processes()) {
    if (commandOf(argv) !== 'agent') continue;
    const [conf, bin] = [flagOf(argv, '--cni-conf-dir'), flagOf(argv, '--cni-bin-dir')];
    if (conf === undefined || bin === undefined) continue;
    if (facts.list(conf) !== undefined && facts.list(bin) !== undefined) return { conf, bin };
  }
  return {};
}
