import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { helmProgram } from '../scripts/deploy/render.ts';
import type { Outcome } from '../src/lab/process.ts';
import { DEPLOY } from '../tests/deploy/support/manifest.ts';
import { Cluster } from './support/cluster/cluster.ts';
import { installGoPlugin } from './support/cluster/containerd.ts';
import { LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE } from './support/cluster/leasehold.ts';
import type { Node } from './support/cluster/node.ts';
import { deployment } from './support/cluster/workloads.ts';

// docs/kubernetes.md with the real Helm: install, look at it, upgrade, roll back, uninstall. In the order of the file.

const CHART = join(DEPLOY, 'chart/leasehold');
const PROFILE = join(DEPLOY, 'profiles/kubeadm.yaml');
const WAIT = ['--wait', '--timeout=120s'] as const;
const UPGRADE = ['upgrade', 'leasehold', CHART, `--values=${PROFILE}`] as const;
const HELM_TIMEOUT_MS = 150_000;
const AGENTS = 'app.kubernetes.io/name=leasehold';
/** The doctor's exit status where it found errors (docs/doctor.md). */
const ERRORS_FOUND = 2;
/** What could have something of ours. */
const KINDS =
  'daemonsets,controllerrevisions,pods,serviceaccounts,configmaps,secrets,roles,rolebindings,clusterroles,clusterrolebindings,customresourcedefinitions,namespaces';

async function helm({ laptop, lan }: Cluster, ...args: readonly string[]): Promise<Outcome> {
  const kubeconfig = `--kubeconfig=${join(lan.folder, 'pki/admin.conf')}`;
  const command = [helmProgram(), ...args, `--namespace=${LEASEHOLD_NAMESPACE}`, kubeconfig];
  return await laptop.runToEnd(command, { timeoutMs: HELM_TIMEOUT_MS });
}

async function helmRuns(cluster: Cluster, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await helm(cluster, ...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function firstPlugin(node: Node): Promise<unknown> {
  const { plugins } = JSON.parse(await node.readFile('/etc/cni/net.d/05-leasehold.conflist')) as {
    readonly plugins: readonly unknown[];
  };
  return plugins[0];
}

/** Names in folders of the node, its links, and tables of nftables. */
async function whatIsThere(node: Node): Promise<readonly string[]> {
  const folders = ['/opt/cni/bin', '/etc/cni/net.d', '/run/leasehold', '/var/lib/leasehold'];
  const names = await Promise.all(
    folders.map(async (folder) => await node.run(['find', folder, '-mindepth', '1'])),
  );
  const links = await node.run(['ip', '-o', 'link']);
  const rules = await node.run(['ip', 'rule']);
  const tables = await node.run(['nft', 'list', 'tables']);
  return [...names, links, rules, tables].flatMap((text) => text.split('\n')).filter((line) => line !== '');
}

/** This node has a `loopback` of somebody else. */
function firstOf({ nodes }: Cluster): Node {
  const [node] = nodes;
  assert.ok(node !== undefined);
  return node;
}

describe('Helm', () => {
  let cluster: Cluster;
  let notes = '';
  const webs = deployment('web', 4);

  before(async () => {
    cluster = await Cluster.create({
      install: async (fresh) => {
        await installGoPlugin(firstOf(fresh), 'loopback');
        notes = await helmRuns(fresh, 'install', 'leasehold', CHART, `--values=${PROFILE}`, ...WAIT);
      },
    });
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const addresses = async (): Promise<Readonly<Record<string, string>>> =>
    Object.fromEntries((await cluster.kubectl.pods('app=web')).map(({ uid, ip }) => [uid, ip]));

  /** The laptop has one as well. */
  const podLeases = async (): Promise<readonly string[]> =>
    (await cluster.lan.server.leases()).flatMap(({ ip, hostname }) => (hostname === 'laptop' ? [] : [ip]));

  test('installs it: pods of both nodes get leases of the router', async () => {
    await cluster.kubectl.apply(webs);
    await cluster.kubectl.rollout('deployment/web');
    const leased = await podLeases();
    const pods = await cluster.kubectl.pods('app=web');
    assert.equal(pods.length, 4);
    assert.equal(new Set(pods.map(({ node }) => node)).size, 2);
    for (const { ip, name } of pods) assert.ok(leased.includes(ip), `${name} ${ip}: ${leased.join(' ')}`);
  });

  test('each command of its notes works, and the doctor finds no error', async () => {
    const commands = [...notes.matchAll(/^ {2}kubectl (.*)$/gm)].map(([, args = '']) => args.split(' '));
    assert.equal(commands.length, 3);
    for (const args of commands) {
      const { status, stdout, stderr } = await cluster.kubectl.runToEnd(args);
      const isDoctor = args.includes('doctor');
      assert.ok(isDoctor ? status < ERRORS_FOUND : status === 0, `${args.join(' ')}: ${stdout}${stderr}`);
    }
  });

  test('a value that cannot be is refused before anything is changed', async () => {
    const { status, stderr } = await helm(cluster, ...UPGRADE, '--set=network.masterr=eth0');
    assert.notEqual(status, 0);
    assert.match(stderr, /'\/network': additional properties 'masterr' not allowed/);
    assert.match(
      await helmRuns(cluster, 'history', 'leasehold', '--output=json'),
      /^\[\{"revision":1,[^}]*\}\]/,
    );
  });

  test('an upgrade changes the network on each node; pods that run keep their addresses', async () => {
    const earlier = await addresses();
    await helmRuns(cluster, ...UPGRADE, '--set=network.identity=pod', ...WAIT);
    await cluster.kubectl.rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE);
    for (const node of cluster.nodes) {
      assert.deepEqual(await firstPlugin(node), { type: 'leasehold', identity: 'pod' }, node.name);
    }
    assert.deepEqual(await addresses(), earlier);
    assert.deepEqual(await cluster.kubectl.nodesReady(), { n1: true, n2: true });
  });

  test('a rollback brings the earlier network back', async () => {
    await helmRuns(cluster, 'rollback', 'leasehold', '1', ...WAIT);
    await cluster.kubectl.rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE);
    for (const node of cluster.nodes) {
      assert.deepEqual(await firstPlugin(node), { type: 'leasehold' }, node.name);
    }
  });

  test('after the pods are gone, uninstall leaves nothing in the cluster, on the nodes and at the router', async () => {
    await cluster.kubectl.delete(webs);
    await cluster.kubectl.until('no pod to be left', async () => {
      return (await cluster.kubectl.pods('app=web')).length === 0;
    });
    await helmRuns(cluster, 'uninstall', 'leasehold', ...WAIT);
    await cluster.kubectl.until('the agents to be gone', async () => {
      return (await cluster.kubectl.pods(AGENTS, LEASEHOLD_NAMESPACE)).length === 0;
    });
    const objects = await cluster.kubectl.run('get', KINDS, '--all-namespaces', '--output=name');
    assert.deepEqual(
      objects.split('\n').filter((name) => name.includes('leasehold')),
      [],
    );
    for (const node of cluster.nodes) {
      const there = await whatIsThere(node);
      assert.equal(
        there.includes('/opt/cni/bin/loopback'),
        node === firstOf(cluster),
        'what others have put there stays, and ours does not',
      );
      assert.deepEqual(
        there.filter((line) => /leasehold|\blh\d|proto 76/.test(line)),
        [],
        node.name,
      );
    }
    assert.deepEqual(await podLeases(), []);
  });
});
