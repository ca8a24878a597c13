import type { Json } from '../../base/json.ts';

/** What is looked at to find the cluster's service networks. kernel/ has it; it changes nothing. */
export interface ClusterFacts {
  /** The text of a regular file of at most 1 MiB. Undefined: there is none, or it cannot be read. */
  readText(path: string): string | undefined;
  /** The names in a folder, in no order. Undefined: there is none, or it cannot be read. */
  list(folder: string): readonly string[] | undefined;
  /** Those of this network namespace, as far as this process may look. */
  processes(): readonly NodeProcess[];
  /** What kube-proxy has put on this node; what cannot be listed is undefined. Bounded in time and size. */
  proxyRules(): Promise<ProxyRules>;
  /** One GET, answered by the server itself or not at all: no redirect, no proxy, its certificate verified. */
  askApi(server: ApiServer, path: string): Promise<ApiAnswer>;
}

export interface NodeProcess {
  readonly pid: number;
  /** The command line; empty for threads of the kernel. */
  readonly argv: readonly string[];
}

export type ProxyRules = {
  /** As `iptables-save -t nat` prints it, of iptables' old kind (x_tables) and of the one on nftables. */
  readonly iptables: string | undefined;
  /** The set of services' addresses of kube-proxy's nftables mode, as JSON text of `nft -j`. */
  readonly nftables: string | undefined;
};

/** The Kubernetes API, as a kubeconfig names it. */
export type ApiServer = {
  /** "https://192.168.2.10:6443", perhaps with a path; no slash at its end. */
  readonly url: string;
  /** The name in the server's certificate, where it is another than the host of the URL. */
  readonly name: string | undefined;
  /** PEM: who vouches for the server. */
  readonly ca: string;
  /** Who asks: a certificate and its key in PEM, or a token of a service account. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
};

export type ApiAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: Json }
  | { readonly kind: 'failed'; readonly why: string };
