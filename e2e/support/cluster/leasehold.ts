import { join } from 'node:path';
import * as v from 'valibot';
import { getOverSocket } from '../../../src/lab/daemon.ts';
import { ROOT } from '../cache.ts';
import type { Cluster } from './cluster.ts';
import type { Node } from './node.ts';

export const MANIFEST = join(ROOT, 'deploy', 'install.yaml');
export const LEASEHOLD_NAMESPACE = 'kube-system';
export const LEASEHOLD_DAEMONSET = 'daemonset/leasehold';
/** The network configuration's name, in the ConfigMap and on a node. */
const CONFLIST = '05-leasehold.conflist';
/** The path of the daemon's socket on a node. */
export const LEASEHOLD_SOCKET = '/run/leasehold/leasehold.sock';

/** As a person does it: one command, nothing configured. Returns when the pods of all nodes are ready. */
export async function installLeasehold({ kubectl }: Cluster): Promise<void> {
  await kubectl.run('apply', '-f', MANIFEST);
  await kubectl.rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE);
}

/** Another network configuration, as a person gives it: in the ConfigMap, which the pods read at their start. */
export async function configureNetwork({ kubectl }: Cluster, conflist: object): Promise<void> {
  const patch = JSON.stringify({ data: { [CONFLIST]: JSON.stringify(conflist) } });
  const where = ['--namespace', LEASEHOLD_NAMESPACE];
  await kubectl.run('patch', 'configmap', 'leasehold', ...where, '--type=merge', `--patch=${patch}`);
  await kubectl.run('rollout', 'restart', LEASEHOLD_DAEMONSET, ...where);
  await kubectl.rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE);
}

const hostSchema = v.object({
  serviceSources: v.array(v.looseObject({ network: v.string() })),
  kubernetes: v.nullable(v.object({ server: v.nullable(v.string()), problem: v.nullable(v.string()) })),
});

/** What the daemon of a node says of it (GET /v1/host). */
export async function hostView(node: Node): Promise<v.InferOutput<typeof hostSchema>> {
  const answer = await getOverSocket(node.path(LEASEHOLD_SOCKET), '/v1/host');
  return v.parse(hostSchema, JSON.parse(answer?.body ?? ''));
}
