import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterNetworks } from '../../src/kube/cluster-networks.ts';
import { DaemonSetWatch } from '../../src/kube/daemon-set.ts';
import { grantsOfPage } from '../deploy/support/granted.ts';
import { listOf, serviceCidr, SimWorld } from './support/world.ts';

const PATH =
  /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/v1)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<resource>[^/?]+)(?:\/(?<name>[^/?]+))?(?:\?(?<query>.*))?$/;

/** What RBAC is asked for a request: "list servicecidrs.networking.k8s.io". */
function permissionOf(path: string): string {
  const { group = '', namespace, resource = '', name, query = '' } = PATH.exec(path)?.groups ?? {};
  const verb = query.includes('watch=1') ? 'watch' : name === undefined ? 'list' : 'get';
  // RBAC takes a list and a watch of one name for requests about that name.
  const only = /fieldSelector=metadata\.name%3D([^&]+)/.exec(query)?.[1];
  return [verb, `${resource}.${group}`, namespace, name ?? only]
    .filter((part) => part !== undefined)
    .join(' ');
}

function askedByAgent(): readonly string[] {
  const world = new SimWorld();
  const watch = new DaemonSetWatch({
    world,
    namespace: 'kube-system',
    name: 'leasehold',
    changed: () => undefined,
    problem: () => undefined,
  });
  watch.start();
  const metadata = { name: 'leasehold', uid: 'a', resourceVersion: '1' };
  const daemonSet = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata };
  const list = { apiVersion: 'apps/v1', kind: 'DaemonSetList', metadata: { resourceVersion: '1' } };
  world.last(1).json({ ...list, items: [daemonSet] });
  watch.ask(() => undefined);
  world.last(3);
  return world.asked.map(({ path }) => permissionOf(path));
}

test('docs/kubernetes.md grants exactly what the client asks', () => {
  const world = new SimWorld();
  const client = new ClusterNetworks({ world, answered: () => undefined, problem: () => undefined });
  client.start();
  world.last(1).json(listOf([serviceCidr('kubernetes', ['10.96.0.0/16'])]));
  world.last(2).head(404);
  world.last(3).head(404);
  world.last(4).head(403);
  const asked = world.asked.map(({ path }) => permissionOf(path));
  assert.equal(asked.length, 4);
  assert.deepEqual(grantsOfPage(), [...asked, ...askedByAgent()].toSorted());
});
