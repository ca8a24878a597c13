import { err, ok, type Result } from '../../base/result.ts';
import type { ApiServer, ClusterFacts } from './ports.ts';
import { yamlValues } from './yaml.ts';

/** The keys of a kubeconfig that say whom to ask and how (kubectl's reference, "kubeconfig (v1)"). */
const FILES_OR_DATA = ['certificate-authority', 'client-certificate', 'client-key'] as const;

/**
 * The API server of a node's own kubeconfig, with its certificates read; or why it cannot be asked. Only what kubelet and
 * kube-proxy have is understood: one cluster, one user with a certificate. A server that is not to be verified is not asked.
 */
export function readKubeconfig(facts: ClusterFacts, path: string): Result<ApiServer, string> {
  const text = facts.readText(path);
  if (text === undefined) return err('cannot be read');
  const one = (key: string): string | undefined => {
    const values = yamlValues(text, key);
    return values.length === 1 ? values[0] : undefined;
  };
  const url = serverUrl(one('server'));
  if (url === undefined) return err('names no single https server');
  if (yamlValues(text, 'insecure-skip-tls-verify').includes('true')) return err('does not verify its server');
  const [ca, certificate, key] = FILES_OR_DATA.map((name) => {
    const data = one(`${name}-data`);
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    const file = one(name);
    return file === undefined ? undefined : facts.readText(beside(path, file));
  });
  if (ca === undefined) return err('has no authority that vouches for its server');
  if (certificate === undefined || key === undefined) return err('has no certificate of this node');
  return ok({ url, name: one('tls-server-name'), ca, certificate, key });
}

function serverUrl(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** A path in a kubeconfig counts from its own folder. */
function beside(path: string, file: string): string {
  return file.startsWith('/') ? file : `${path.slice(0, path.lastIndexOf('/'))}/${file}`;
}
