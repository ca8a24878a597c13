import { join } from 'node:path';
import { ROOT } from './cache.ts';
import type { Cluster } from './cluster.ts';

export const MANIFEST = join(ROOT, 'deploy', 'install.yaml');
export const LEASEHOLD_NAMESPACE = 'kube-system';
export const LEASEHOLD_DAEMONSET = 'daemonset/leasehold';
/** The path of the daemon's socket on a node. */
export const LEASEHOLD_SOCKET = '/run/leasehold/leasehold.sock';

/** As a person does it: one command, nothing configured. Returns when the pods of all nodes are ready. */
export async function installLeasehold({ kubectl }: Cluster): Promise<void> {
  await kubectl.run('apply', '-f', process.env['H3_MANIFEST'] ?? MANIFEST);
  await kubectl.rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE);
}
