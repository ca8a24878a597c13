import { err, ok, type Result } from '../../base/result.ts';
import { readKubeconfig, serverUrl } from './kubeconfig.ts';
import { kubeletServer } from './kubelet-server.ts';
import type { ClusterPlaces } from './places.ts';
import type { ApiServer, ClusterFacts } from './ports.ts';
import { tokenIn } from './token.ts';

/** Where kubelet puts what a pod's service account has (Kubernetes, "Accessing the API from a Pod"). */
export const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export type AccessSettings = {
  /** A kubeconfig that somebody named: then only that counts. */
  readonly kubeconfig: string | undefined;
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: kubelet gives them to every container. */
  readonly host: string | undefined;
  readonly port: string | undefined;
};

/**
 * The API servers to ask, the first choice first; or why none can be asked; undefined where nothing says that there is one
 * for us. In a pod the first choice is the server that the node's own kubelet uses: the address in the environment is a
 * service, which is reached only when kube-proxy has been there. Both are verified by the service account's authority.
 */
export function apiServersFor(
  facts: ClusterFacts,
  places: ClusterPlaces,
  { kubeconfig, host, port }: AccessSettings,
): Result<readonly ApiServer[], string> | undefined {
  if (kubeconfig !== undefined) {
    const server = readKubeconfig(facts, kubeconfig);
    return server.ok ? ok([server.value]) : err(`${kubeconfig} ${server.error}`);
  }
  const read = facts.readText(`${SERVICE_ACCOUNT}/token`);
  if (read === undefined) return undefined;
  const token = tokenIn(read);
  if (token === undefined) return err(`${SERVICE_ACCOUNT}/token holds no token`);
  const ca = facts.readText(`${SERVICE_ACCOUNT}/ca.crt`);
  if (ca === undefined) return err(`${SERVICE_ACCOUNT}/ca.crt cannot be read`);
  const who = { ca, token, certificate: undefined, key: undefined };
  const own = kubeletServer(facts, places);
  const servers = [...(own === undefined ? [] : [own]), ...ofEnvironment(host, port)];
  const distinct = servers.filter(({ url }, at) => servers.findIndex((other) => other.url === url) === at);
  if (distinct.length === 0) {
    return err(
      'neither KUBERNETES_SERVICE_HOST nor a kubeconfig of the kubelet says where the API server is',
    );
  }
  return ok(distinct.map((server) => ({ ...server, ...who })));
}

type Address = Pick<ApiServer, 'url' | 'name'>;

function ofEnvironment(host: string | undefined, port: string | undefined): readonly Address[] {
  if (host === undefined || host === '') return [];
  const bracketed = host.includes(':') ? `[${host}]` : host;
  const url = serverUrl(`https://${bracketed}:${port === undefined || port === '' ? '443' : port}`);
  return url === undefined ? [] : [{ url, name: undefined }];
}
