import type { Namespace } from '../../../src/lab/namespace.ts';
import { iptablesRules } from './kube-proxy-iptables.ts';
import { nftablesRules } from './kube-proxy-nftables.ts';

/** Where a service's packets go in the end. */
export type Endpoint = {
  readonly address: string;
  readonly port: number;
  /** On this node, as far as it knows; default true. */
  readonly local?: boolean;
};

export type KubeService = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly protocol?: 'tcp' | 'udp';
  readonly nodePort?: number;
  /** externalTrafficPolicy; default Cluster, which hides the client's address. */
  readonly policy?: 'Cluster' | 'Local';
  readonly endpoints: readonly Endpoint[];
};

export type KubeProxyRules = {
  readonly services: readonly KubeService[];
  /** `--cluster-cidr`: clients of a service that are not in it are masqueraded. Without it nobody but a pod to itself is. */
  readonly clusterCidr?: string;
};

export const KUBE_PROXY_MODES = ['iptables', 'nftables'] as const;
export type KubeProxyMode = (typeof KUBE_PROXY_MODES)[number];

/** The bit of the packet mark that asks for masquerading, kube-proxy's default (`--iptables-masquerade-bit 14`). */
export const MASQUERADE_MARK = '0x4000';

/** Sets the rules that kube-proxy writes for these services; what it wrote before is replaced. */
export async function kubeProxy(node: Namespace, rules: KubeProxyRules, mode: KubeProxyMode): Promise<void> {
  if (mode === 'iptables') await node.run(['iptables-restore'], { input: iptablesRules(rules) });
  else await node.run(['nft', '-f', '-'], { input: nftablesRules(rules) });
}

/** Takes its rules away again. */
export async function withoutKubeProxy(node: Namespace, mode: KubeProxyMode): Promise<void> {
  const tables = mode === 'iptables' ? ['nat', 'filter'] : ['kube-proxy'];
  for (const table of tables) await node.run(['nft', 'delete', 'table', 'ip', table]);
}

/** A part of a chain's name: kube-proxy has a hash of namespace, name and port there. */
export function chainSuffix(service: KubeService): string {
  return service.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
}

export function localEndpoints(service: KubeService): readonly Endpoint[] {
  return service.endpoints.filter(({ local }) => local ?? true);
}
