import { err, ok, type Result } from '../../base/result.ts';
import type { ApiServer, ClusterFacts } from './ports.ts';
import { tokenIn } from './token.ts';
import { yamlValues } from './yaml.ts';

/** The keys of a kubeconfig that say whom to ask and how (kubectl's reference, "kubeconfig (v1)"). */
const FILES_OR_DATA = ['certificate-authority', 'client-certificate', 'client-key'] as const;

/**
 * The API server of a node's own kubeconfig, with its files read; or why it cannot be asked. Only what kubelet, kube-proxy
 * and service accounts have is understood: one cluster, one user with a certificate or a token. A server that is not to be
 * verified is not asked.
 */
export function readKubeconfig(facts: ClusterFacts, path: string): Result<ApiServer, string> {
  const text = facts.readText(path);
  if (text === undefined) return err('cannot be read');
  const server = serverOf(text);
  if (server === undefined) return err('names no single https server');
  if (yamlValues(text, 'insecure-skip-tls-verify').includes('true')) return err('does not verify its server');
  const [ca, certificate, key] = FILES_OR_DATA.map((name) => {
    const data = single(text, `${name}-data`);
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    const file = single(text, name);
    return file === undefined ? undefined : facts.readText(beside(path, file));
  });
  const tokenFile = single(text, 'tokenFile');
  const stated = tokenFile === undefined ? single(text, 'token') : facts.readText(beside(path, tokenFile));
  const token = stated === undefined ? undefined : tokenIn(stated);
  if (ca === undefined) return err('has no authority that vouches for its server');
  if (token === undefined && (certificate === undefined || key === undefined)) {
    return err('has neither a certificate nor a token');
  }
  return ok({ ...server, ca, certificate, key, token });
}

/** The server that a kubeconfig names, and the name in its certificate. */
export function serverOf(text: string): Pick<ApiServer, 'url' | 'name'> | undefined {
  const url = serverUrl(single(text, 'server'));
  return url === undefined ? undefined : { url, name: single(text, 'tls-server-name') };
}

export function serverUrl(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function single(text: string, key: string): string | undefined {
  const values = yamlValues(text, key);
  return values.length === 1 ? values[0] : undefined;
}

/** A path in a kubeconfig counts from its own folder. */
function beside(path: string, file: string): string {
  return file.startsWith('/') ? file : `${path.slice(0, path.lastIndexOf('/'))}/${file}`;
}
