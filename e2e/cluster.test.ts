import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { Cluster } from './support/cluster/cluster.ts';
import { SERVICE_CIDR } from './support/cluster/kube-programs.ts';
import type { Pod } from './support/cluster/kubectl.ts';
import { configureNetwork, hostView, LEASEHOLD_NAMESPACE } from './support/cluster/leasehold.ts';
import { installGoPlugin } from './support/cluster/containerd.ts';
import { type Asker, askApi, fromMachine, fromPod, get, hostsIn } from './support/cluster/who.ts';
import { deployment, pod, service, statefulSet, WHO_PORT } from './support/cluster/workloads.ts';

// One cluster for all of it, in the order of the file.

const REPLICAS = 4;
/** With four pods to choose from by chance, one is not seen in sixty answers once in ten million runs. */
const QUESTIONS = 60;
const NODE_PORT = 30_080;
const HOST_PORT = 8081;
/** A network of services that comes later, and an address in it. */
const LATER = { cidr: '10.44.0.0/24', address: '10.44.0.10' } as const;

const reportSchema = v.object({ findings: v.array(v.looseObject({ id: v.string(), severity: v.string() })) });

const who = (address: string, port: number = WHO_PORT): string => `http://${address}:${port}/who`;

describe('a cluster of two nodes, installed by deploy/install.yaml', () => {
  let cluster: Cluster;
  /** A pod of each node that only asks. */
  let askers: readonly Pod[] = [];

  before(async () => {
    cluster = await Cluster.create();
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  const asks = ({ name, namespace }: Pod): Asker => fromPod(cluster.kubectl, { name, namespace });
  const webPods = async (): Promise<readonly Pod[]> =>
    (await cluster.kubectl.pods('app=web')).filter(({ isTerminating }) => !isTerminating);
  const clusterIpOf = async (name: string): Promise<string> =>
    await cluster.kubectl.run('get', 'service', name, '--output=jsonpath={.spec.clusterIP}');

  /** Until kube-proxy has written it on all nodes. */
  const untilAnswered = async (what: string, asker: Asker, url: string): Promise<void> =>
    await cluster.kubectl.until(what, async () => (await get(asker, url)).failed === 0);

  test('both nodes are Ready, and the networks of services come from the API', async () => {
    assert.deepEqual(await cluster.kubectl.nodesReady(), { n1: true, n2: true });
    const agents = await cluster.kubectl.pods('app.kubernetes.io/name=leasehold', LEASEHOLD_NAMESPACE);
    assert.equal(agents.length, cluster.nodes.length);
    assert.deepEqual(Object.fromEntries(agents.map(({ node, isReady }) => [node, isReady])), {
      n1: true,
      n2: true,
    });
    for (const node of cluster.nodes) {
      const { serviceSources, kubernetes } = await hostView(node);
      assert.deepEqual(
        serviceSources.map(({ network }) => network),
        [SERVICE_CIDR],
      );
      // Not the service `kubernetes`, which needs kube-proxy.
      assert.deepEqual(kubernetes, { server: `https://${cluster.controlPlane.address}:6443`, problem: null });
    }
  });

  test('a Deployment runs on both nodes, its probes pass, its addresses are leases of the router', async () => {
    await cluster.kubectl.apply(
      deployment('web', REPLICAS),
      service('web'),
      service('web-port', {
        selector: { app: 'web' },
        type: 'NodePort',
        externalTrafficPolicy: 'Local',
        ports: [{ port: 80, targetPort: WHO_PORT, nodePort: NODE_PORT }],
      }),
      pod('asker-n1', { nodeName: 'n1' }),
      pod('asker-n2', { nodeName: 'n2' }),
    );
    await cluster.kubectl.rollout('deployment/web');
    await cluster.kubectl.run(
      'wait',
      '--for=condition=Ready',
      'pod/asker-n1',
      'pod/asker-n2',
      '--timeout=60s',
    );
    const pods = await webPods();
    assert.deepEqual(pods.map(({ node }) => node).toSorted(), ['n1', 'n1', 'n2', 'n2']);
    askers = (
      await Promise.all(['asker-n1', 'asker-n2'].map((name) => cluster.kubectl.pods(`app=${name}`)))
    ).flat();
    assert.deepEqual(
      askers.map(({ node }) => node),
      ['n1', 'n2'],
    );
    const leased = new Set<string>((await cluster.lan.server.leases()).map(({ ip }) => ip));
    for (const { name, ip } of [...pods, ...askers]) assert.ok(leased.has(ip), `${name} has ${ip}`);
  });

  test('the laptop reaches each pod, and is seen by its own address', async () => {
    const laptop = await cluster.lan.laptop.address();
    for (const { name, ip } of [...(await webPods()), ...askers]) {
      const { seen } = await get(fromMachine(cluster.laptop), who(ip));
      assert.deepEqual(seen, { [`${name} ${laptop}`]: 1 });
    }
  });

  test('in the pod of the DaemonSet, the doctor finds nothing wrong, and the leases are those of its node', async () => {
    const [agent] = await cluster.kubectl.pods('app.kubernetes.io/name=leasehold', LEASEHOLD_NAMESPACE);
    assert.ok(agent);
    const inPod = async (...command: readonly string[]): Promise<string> =>
      await cluster.kubectl.run('exec', `--namespace=${LEASEHOLD_NAMESPACE}`, agent.name, '--', ...command);
    const report = v.parse(reportSchema, JSON.parse(await inPod('leasehold', 'doctor', '--json')));
    assert.deepEqual(
      report.findings.filter(({ severity }) => severity === 'error' || severity === 'warning'),
      [],
    );
    const leases = await inPod('leasehold', 'leases');
    for (const { name, ip, node } of [...(await webPods()), ...askers]) {
      assert.equal(leases.includes(`${ip} `), node === agent.node, `${name} on ${node}: ${leases}`);
    }
  });

  for (const mode of ['iptables', 'nftables'] as const) {
    describe(`kube-proxy in mode ${mode}`, () => {
      before(async () => {
        if (mode !== 'iptables') await cluster.setProxyMode(mode);
      });

      test('a pod reaches the pods behind a service, on its own node and on the other', async () => {
        const address = await clusterIpOf('web');
        for (const asker of askers) {
          await untilAnswered(`the service on ${asker.node}`, asks(asker), who(address, 80));
          const { seen, failed } = await get(asks(asker), who(address, 80), QUESTIONS);
          assert.equal(failed, 0);
          // One on another node sees the node: its answer has to come back by the way of the question (docs/story.md).
          const node = cluster.node(asker.node);
          const expected = (await webPods()).map(
            (one) => `${one.name} ${one.node === node.name ? asker.ip : node.address}`,
          );
          assert.deepEqual(Object.keys(seen).toSorted(), expected.toSorted());
        }
      });

      test('a pod behind a service reaches itself by it, too', async () => {
        const address = await clusterIpOf('web');
        const [first] = await webPods();
        assert.ok(first);
        const answers = await get(asks(first), who(address, 80), QUESTIONS);
        assert.equal(answers.failed, 0);
        assert.ok(hostsIn(answers).includes(first.name));
      });

      test('a pod reaches the API server by the service `kubernetes`, with its token', async () => {
        for (const asker of askers) {
          assert.equal((await askApi(asks(asker), '/version')).status, 200);
          const refused = await askApi(asks(asker), '/api/v1/nodes');
          assert.equal(refused.status, 403);
          assert.match(refused.body, /system:serviceaccount:default:default/);
        }
      });

      test('the laptop reaches a node port of each node with externalTrafficPolicy Local, and is seen', async () => {
        const laptop = await cluster.lan.laptop.address();
        const pods = await webPods();
        for (const node of cluster.nodes) {
          const url = who(node.address, NODE_PORT);
          await untilAnswered(`the node port of ${node.name}`, fromMachine(cluster.laptop), url);
          const { seen, failed } = await get(fromMachine(cluster.laptop), url, QUESTIONS);
          assert.equal(failed, 0);
          const own = pods.filter((one) => one.node === node.name).map(({ name }) => `${name} ${laptop}`);
          assert.deepEqual(Object.keys(seen).toSorted(), own.toSorted());
        }
      });
    });
  }

  test('a service follows its endpoints: all gone, and others in their place', async () => {
    const address = await clusterIpOf('web');
    const [asker] = askers;
    assert.ok(asker);
    const former = new Set((await webPods()).map(({ name }) => name));
    await cluster.kubectl.run('scale', 'deployment/web', '--replicas=0');
    await cluster.kubectl.until(
      'nobody behind the service',
      async () => (await get(asks(asker), who(address, 80))).failed === 1,
    );
    await cluster.kubectl.run('scale', 'deployment/web', '--replicas=2');
    await cluster.kubectl.rollout('deployment/web');
    const now = (await webPods()).map(({ name }) => name).toSorted();
    // A pod is ready before kube-proxy of each node knows it.
    await cluster.kubectl.until('both to be behind the service', async () => {
      const answers = await get(asks(asker), who(address, 80), QUESTIONS);
      return answers.failed === 0 && isDeepStrictEqual(hostsIn(answers).toSorted(), now);
    });
    assert.deepEqual(
      now.filter((name) => former.has(name)),
      [],
    );
    // What the gone ones had is given back.
    const held = new Set([...(await webPods()), ...askers].map(({ ip }) => ip));
    held.add(await cluster.lan.laptop.address());
    await cluster.kubectl.until('the leases of gone pods to be given back', async () => {
      const leases = (await cluster.lan.server.leases()).map(({ ip }) => ip);
      return leases.every((ip) => held.has(ip));
    });
  });

  test('a network of services that is added later reaches running pods, and goes again', async () => {
    const later = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: 'later' },
      spec: { cidrs: [LATER.cidr] },
    };
    const networksOf = async (name: string): Promise<string> =>
      (await hostView(cluster.node(name))).serviceSources.map(({ network }) => network).join();
    await cluster.kubectl.apply(later);
    await cluster.kubectl.run('wait', '--for=condition=Ready', 'servicecidr/later', '--timeout=30s');
    await cluster.kubectl.apply(service('later', { selector: { app: 'web' }, clusterIP: LATER.address }));
    for (const asker of askers) {
      await untilAnswered(`the later service on ${asker.node}`, asks(asker), who(LATER.address, 80));
    }
    await cluster.kubectl.delete(service('later'), later);
    for (const { name } of cluster.nodes) {
      await cluster.kubectl.until(
        `the later network to be gone on ${name}`,
        async () => (await networksOf(name)) === SERVICE_CIDR,
      );
    }
  });

  describe('with the old address kept, and portmap chained behind', () => {
    before(async () => {
      for (const node of cluster.nodes) await installGoPlugin(node, 'portmap');
      await configureNetwork(cluster, {
        cniVersion: '1.0.0',
        name: 'lan',
        plugins: [
          { type: 'leasehold', identity: 'pod' },
          { type: 'portmap', capabilities: { portMappings: true } },
        ],
      });
    });

    test('a pod of a StatefulSet that is deleted comes back with its address', async () => {
      await cluster.kubectl.apply(service('db', { clusterIP: 'None' }), statefulSet('db', 2));
      await cluster.kubectl.rollout('statefulset/db');
      const former = new Map((await cluster.kubectl.pods('app=db')).map((one) => [one.name, one]));
      await cluster.kubectl.run('delete', 'pod', 'db-0');
      await cluster.kubectl.until('db-0 to be back', async () => {
        const found = (await cluster.kubectl.pods('app=db')).find(({ name }) => name === 'db-0');
        return found !== undefined && found.isReady && found.uid !== former.get('db-0')?.uid;
      });
      const now = await cluster.kubectl.pods('app=db');
      assert.deepEqual(
        Object.fromEntries(now.map(({ name, ip }) => [name, ip])),
        Object.fromEntries([...former.values()].map(({ name, ip }) => [name, ip])),
      );
      const url = who(now.find(({ name }) => name === 'db-0')?.ip ?? '');
      assert.equal((await get(fromMachine(cluster.laptop), url)).failed, 0);
    });

    test('the laptop reaches a pod by a hostPort of its node', async () => {
      const ports = [{ containerPort: WHO_PORT, hostPort: HOST_PORT }];
      await cluster.kubectl.apply(pod('mapped', { nodeName: 'n2' }, { ports }));
      await cluster.kubectl.run('wait', '--for=condition=Ready', 'pod/mapped', '--timeout=60s');
      const { seen } = await get(fromMachine(cluster.laptop), who(cluster.node('n2').address, HOST_PORT));
      assert.deepEqual(hostsIn({ seen, failed: 0 }), ['mapped']);
    });
  });

  test('pods that are deleted give their leases back', async () => {
    await cluster.kubectl.run('delete', 'deployment,statefulset,pod', '--all', '--wait=true');
    await cluster.kubectl.until('only the laptop to have a lease', async () => {
      const leases = (await cluster.lan.server.leases()).map(({ ip }) => ip);
      return leases.join() === (await cluster.lan.laptop.address());
    });
  });
});
