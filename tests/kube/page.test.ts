import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ClusterNetworks } from '../../src/kube/cluster-networks.ts';
import { grantsOf, objectsIn } from '../deploy/support/manifest.ts';
import { ROOT } from '../support/leasehold.ts';
import { listOf, serviceCidr, SimWorld } from './support/world.ts';

const PATH =
  /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/v1)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<resource>[^/?]+)(?:\/(?<name>[^/?]+))?(?:\?(?<query>.*))?$/;

/** The agent's own DaemonSet, which no client of the networks asks for. */
const OF_THE_AGENT = ['get', 'list', 'watch'].map((verb) => `${verb} daemonsets.apps kube-system leasehold`);

/** What RBAC is asked for a request: "list servicecidrs.networking.k8s.io". */
function permissionOf(path: string): string {
  const { group = '', namespace, resource = '', name, query = '' } = PATH.exec(path)?.groups ?? {};
  const verb = query.includes('watch=1') ? 'watch' : name === undefined ? 'list' : 'get';
  return [verb, `${resource}.${group}`, namespace, name].filter((part) => part !== undefined).join(' ');
}

test('docs/kubernetes.md grants exactly what the client asks, and the agent', () => {
  const world = new SimWorld();
  const client = new ClusterNetworks({ world, answered: () => undefined, problem: () => undefined });
  client.start();
  world.last(1).json(listOf([serviceCidr('kubernetes', ['10.96.0.0/16'])]));
  world.last(2).head(404);
  world.last(3).head(404);
  world.last(4).head(403);
  const asked = world.asked.map(({ path }) => permissionOf(path));
  assert.equal(asked.length, 4);
  const page = readFileSync(join(ROOT, 'docs', 'kubernetes.md'), 'utf8');
  const block = /```yaml\n(apiVersion: v1\nkind: ServiceAccount[^]*?)```/.exec(page)?.[1] ?? '';
  assert.deepEqual(grantsOf(objectsIn(block)), [...asked, ...OF_THE_AGENT].toSorted());
});
