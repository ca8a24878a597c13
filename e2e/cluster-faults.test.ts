import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Cluster } from './support/cluster/cluster.ts';
import { STATIC_PODS } from './support/cluster/kube-programs.ts';
import type { Pod } from './support/cluster/kubectl.ts';
import { LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE, MANIFEST } from './support/cluster/leasehold.ts';
import { CNI_BIN_DIR, CNI_CONF_DIR } from './support/cluster/containerd.ts';
import type { Node } from './support/cluster/node.ts';
import { type Asker, fromMachine, fromPodNetwork, get, getDuring } from './support/cluster/who.ts';
import { deployment, pod, service, WHO_PORT } from './support/cluster/workloads.ts';

// One cluster for all of it, in the order of the file.

/** One after another without a failure: then kube-proxy has written the service. */
const SERVICE_QUESTIONS = 20;
const MANY = 60;
const LABEL = 'app.kubernetes.io/name=leasehold';
/** Something that no other process of a node has on its command line. */
const AGENT = '--daemonset=kube-system/leasehold';

const who = (address: string, port: number = WHO_PORT): string => `http://${address}:${port}/who`;

describe('a cluster in which things go wrong', () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.create();
    await cluster.kubectl.apply(deployment('web', 4), service('web'), pod('asker', { nodeName: 'n1' }));
    await cluster.kubectl.rollout('deployment/web');
    await cluster.kubectl.run('wait', '--for=condition=Ready', 'pod/asker', '--timeout=60s');
  });
  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  const webPods = async (): Promise<readonly Pod[]> =>
    (await cluster.kubectl.pods('app=web')).filter(({ isTerminating }) => !isTerminating);
  const leased = async (): Promise<readonly string[]> =>
    (await cluster.lan.server.leases()).map(({ ip }) => ip).toSorted();

  /** The laptop asks each pod, and a pod asks their service. */
  const traffic = async (): Promise<readonly { readonly from: Asker; readonly url: string }[]> => {
    const address = await cluster.kubectl.run('get', 'service', 'web', '--output=jsonpath={.spec.clusterIP}');
    const [{ ip: own } = { ip: '' }] = await cluster.kubectl.pods('app=asker');
    const asker = { from: await fromPodNetwork(cluster.node('n1'), own), url: who(address, 80) };
    // Pods are ready before kube-proxy of each node knows them.
    await cluster.kubectl.until(
      'the service to answer',
      async () => (await get(asker.from, asker.url, SERVICE_QUESTIONS)).failed === 0,
    );
    const laptop = fromMachine(cluster.laptop);
    return [asker, ...(await webPods()).map(({ ip }) => ({ from: laptop, url: who(ip) }))];
  };

  /** A pod that is made now starts on this node, and is reached. */
  const startsPodOn = async (node: Node, name: string): Promise<void> => {
    await cluster.kubectl.apply(pod(name, { nodeName: node.name }));
    await cluster.kubectl.run('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=90s');
    const [made] = await cluster.kubectl.pods(`app=${name}`);
    assert.equal((await get(fromMachine(cluster.laptop), who(made?.ip ?? ''))).failed, 0);
    await cluster.kubectl.run('delete', 'pod', name);
  };

  /** Exactly the laptop and the pods that are there have leases. */
  const untilLeasesFit = async (): Promise<void> => {
    await cluster.kubectl.until('the leases to be those of the laptop and of the pods', async () => {
      const pods = [...(await cluster.kubectl.pods('app'))].map(({ ip }) => ip);
      const expected = [await cluster.lan.laptop.address(), ...pods];
      return (await leased()).join() === expected.toSorted().join();
    });
  };

  test('a rolling update loses no request, and fails no pod that starts meanwhile', async () => {
    const formerly = new Set((await cluster.kubectl.pods(LABEL, LEASEHOLD_NAMESPACE)).map(({ uid }) => uid));
    const failures = await cluster.kubectl.failedSandboxes();
    const { failed, lastError } = await getDuring(await traffic(), async () => {
      await cluster.kubectl.run(
        'rollout',
        'restart',
        LEASEHOLD_DAEMONSET,
        '--namespace',
        LEASEHOLD_NAMESPACE,
      );
      const over = new AbortController();
      const rollout = cluster.kubectl
        .rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE)
        .finally(() => over.abort());
      for (let made = 1; !over.signal.aborted; made++)
        await startsPodOn(cluster.node(made % 2 === 0 ? 'n1' : 'n2'), `new-${made}`);
      await rollout;
    });
    assert.deepEqual([failed, lastError], [0, undefined]);
    assert.equal(await cluster.kubectl.failedSandboxes(), failures);
    const now = await cluster.kubectl.pods(LABEL, LEASEHOLD_NAMESPACE);
    assert.deepEqual(
      now.filter(({ uid }) => formerly.has(uid)),
      [],
    );
    await untilLeasesFit();
  });

  test('the agent is killed: pods do not notice, and the next one starts', async () => {
    const node = cluster.node('n2');
    const restartsOf = async (): Promise<number> =>
      (await cluster.kubectl.pods(LABEL, LEASEHOLD_NAMESPACE)).find((one) => one.node === node.name)
        ?.restarts ?? 0;
    const restarts = await restartsOf();
    const { failed, lastError } = await getDuring(await traffic(), async () => {
      await node.run(['pkill', '-KILL', '-f', '--', AGENT]);
      await cluster.kubectl.until(
        'the agent to be started again',
        async () => (await restartsOf()) > restarts,
      );
      await startsPodOn(node, 'after-kill');
    });
    assert.deepEqual([failed, lastError], [0, undefined]);
  });

  test('kubelet and containerd are killed and started again: pods do not notice, and the next one starts', async () => {
    for (const program of ['kubelet', 'containerd']) {
      for (const node of cluster.nodes) {
        const { failed, lastError } = await getDuring(await traffic(), async () => {
          await node.kill(program);
          await node.restart(program);
          await cluster.untilNodesReady();
          await startsPodOn(node, `after-${program}-${node.name}`);
        });
        assert.deepEqual([failed, lastError], [0, undefined], `${program} on ${node.name}`);
      }
    }
  });

  test('without an API server pods come and go', async () => {
    const node = cluster.node('n2');
    const manifest = `${STATIC_PODS}/local.json`;
    const formerly = new Set(await leased());
    const laptop = fromMachine(cluster.laptop);
    const pods = await webPods();
    await cluster.controlPlane.kill('kube-apiserver');
    await node.writeFile(manifest, JSON.stringify(pod('local')));
    let address = '';
    await cluster.kubectl.until('a pod of the node itself to answer', async () => {
      address = (await leased()).find((ip) => !formerly.has(ip)) ?? '';
      return (
        address !== '' &&
        Object.keys((await get(laptop, who(address))).seen)
          .join()
          .startsWith('local-n2 ')
      );
    });
    for (const { ip } of pods) assert.equal((await get(laptop, who(ip))).failed, 0);
    await node.run(['rm', manifest]);
    await cluster.kubectl.until(
      'its lease to be given back',
      async () => !(await leased()).includes(address),
    );
    await cluster.controlPlane.restart('kube-apiserver');
    await cluster.untilApiReady();
    // They end when they cannot renew their lock or watch for long; on a node the kubelet starts them again.
    for (const name of ['kube-controller-manager', 'kube-scheduler']) {
      if (!cluster.controlPlane.isServiceRunning(name)) await cluster.controlPlane.restart(name);
    }
    await cluster.untilNodesReady();
    await startsPodOn(node, 'after-api');
  });

  test('a node loses its power: its pods are back with it, and what they had is given back', async () => {
    const node = cluster.node('n2');
    const formerly = (await webPods()).filter((one) => one.node === node.name);
    assert.ok(formerly.length > 0);
    await node.powerCut();
    await cluster.boot(node);
    await cluster.kubectl.until('the pods of the node to be started again', async () => {
      const now = (await webPods()).filter((one) => one.node === node.name);
      return now.length === formerly.length && now.every(({ isReady, restarts }) => isReady && restarts > 0);
    });
    await cluster.untilNodesReady();
    for (const { ip } of await webPods())
      assert.equal((await get(fromMachine(cluster.laptop), who(ip))).failed, 0);
    await untilLeasesFit();
  });

  test(`from no pod to ${MANY}, and back`, async () => {
    const failures = await cluster.kubectl.failedSandboxes();
    await cluster.kubectl.apply(deployment('many', MANY));
    await cluster.kubectl.rollout('deployment/many');
    const pods = await cluster.kubectl.pods('app=many');
    assert.equal(new Set(pods.map(({ ip }) => ip)).size, MANY);
    const ips = new Set(await leased());
    for (const { ip } of pods) assert.ok(ips.has(ip), ip);
    assert.equal(await cluster.kubectl.failedSandboxes(), failures);
    await cluster.kubectl.run('delete', 'deployment', 'many');
    await cluster.kubectl.until(
      'its pods to be gone',
      async () => (await cluster.kubectl.pods('app=many')).length === 0,
    );
    await untilLeasesFit();
  });

  test('a node is drained: its pods start on the other one, and it gives their leases back', async () => {
    await cluster.kubectl.run('drain', 'n2', '--ignore-daemonsets', '--force', '--timeout=90s');
    await cluster.kubectl.rollout('deployment/web');
    for (const { node, ip } of await webPods()) {
      assert.equal(node, 'n1');
      assert.equal((await get(fromMachine(cluster.laptop), who(ip))).failed, 0);
    }
    await untilLeasesFit();
    await cluster.kubectl.run('uncordon', 'n2');
    await startsPodOn(cluster.node('n2'), 'after-drain');
  });

  test('uninstalled: nothing is left on node, server and cluster', async () => {
    await cluster.kubectl.run('delete', 'deployment,pod', '--all', '--wait=true');
    await cluster.kubectl.run('delete', '--filename', MANIFEST, '--wait=true');
    await cluster.kubectl.until(
      'its pods to be gone',
      async () => (await cluster.kubectl.pods(LABEL, LEASEHOLD_NAMESPACE)).length === 0,
    );
    assert.deepEqual(await leased(), [await cluster.lan.laptop.address()]);
    const kinds = 'daemonsets,configmaps,serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings';
    assert.equal(await cluster.kubectl.run('get', kinds, '-A', '--selector', LABEL, '--output=name'), '');
    for (const node of cluster.nodes) {
      assert.deepEqual(await readdir(node.path(CNI_BIN_DIR)), []);
      assert.deepEqual(await readdir(node.path(CNI_CONF_DIR)), []);
      const links = JSON.parse(await node.run(['ip', '-j', 'link', 'show'])) as readonly {
        readonly ifname: string;
      }[];
      assert.deepEqual(links.map(({ ifname }) => ifname).toSorted(), ['eth0', 'lo']);
      assert.doesNotMatch(await node.run(['nft', 'list', 'tables']), /leasehold/);
      assert.doesNotMatch(await node.run(['ip', 'rule', 'show']), /lh0|proto 76/);
    }
  });
});
