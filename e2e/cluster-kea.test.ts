import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Cluster } from './support/cluster/cluster.ts';
import { fromMachine, fromPod, get, hostsIn } from './support/cluster/who.ts';
import { deployment, pod, service, WHO_PORT } from './support/cluster/workloads.ts';

/** With two pods to choose from by chance, one is not seen in forty answers once in 10^12 runs. */
const QUESTIONS = 40;

describe('a cluster whose router has Kea', () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.create({ server: { kind: 'kea' } });
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  const leased = async (): Promise<readonly string[]> =>
    (await cluster.lan.server.leases()).map(({ ip }) => ip).toSorted();

  test('pods on both nodes have leases of it, and are reached from the LAN and by a service', async () => {
    await cluster.kubectl.apply(deployment('web', 2), service('web'), pod('asker', { nodeName: 'n1' }));
    await cluster.kubectl.rollout('deployment/web');
    await cluster.kubectl.run('wait', '--for=condition=Ready', 'pod/asker', '--timeout=60s');
    const web = await cluster.kubectl.pods('app=web');
    const askers = await cluster.kubectl.pods('app=asker');
    assert.deepEqual(web.map(({ node }) => node).toSorted(), ['n1', 'n2']);
    const laptop = await cluster.lan.laptop.address();
    assert.deepEqual(await leased(), [laptop, ...[...web, ...askers].map(({ ip }) => ip)].toSorted());
    for (const { name, ip } of web) {
      const { seen } = await get(fromMachine(cluster.laptop), `http://${ip}:${WHO_PORT}/who`);
      assert.deepEqual(seen, { [`${name} ${laptop}`]: 1 });
    }
    const address = await cluster.kubectl.run('get', 'service', 'web', '--output=jsonpath={.spec.clusterIP}');
    const url = `http://${address}/who`;
    const asker = fromPod(cluster.kubectl, { name: 'asker', namespace: 'default' });
    // kube-proxy may know of one pod before the other.
    const names = web.map(({ name }) => name).toSorted();
    await cluster.kubectl.until('the service to lead to both pods', async () => {
      const answers = await get(asker, url, QUESTIONS);
      return answers.failed === 0 && hostsIn(answers).toSorted().join() === names.join();
    });
  });

  test('pods that are deleted give their leases back', async () => {
    await cluster.kubectl.run('delete', 'deployment,pod', '--all', '--wait=true');
    const laptop = await cluster.lan.laptop.address();
    await cluster.kubectl.until(
      'only the laptop to have a lease',
      async () => (await leased()).join() === laptop,
    );
  });
});
