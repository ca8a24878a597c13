import assert from 'node:assert/strict';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Outcome, systemEnv } from '../src/lab/process.ts';
import { commandsOf } from '../tests/docs/support/page-commands.ts';
import { KUBERNETES_PAGE, RUN_BY } from '../tests/docs/support/run-by.ts';
import { CACHE_BIN, LEASEHOLD_ARCHIVE, ROOT } from './support/cache.ts';
import { Cluster } from './support/cluster/cluster.ts';
import { LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE, MANIFEST } from './support/cluster/leasehold.ts';

// docs/kubernetes.md as a person types it, from its first line to its last: the test has no commands of its own for it.

const TIMEOUT_MS = 150_000;
/** The doctor's exit status where it found errors (docs/doctor.md); notes and warnings are less. */
const ERRORS_FOUND = 2;
const AGENTS = 'app.kubernetes.io/name=leasehold';
/** What is different from a reader's: no registry is asked here, and nodes have names. */
const OF_THIS_CLUSTER: readonly (readonly [string, string])[] = [
  ['--image=nginx', '--image=localhost/pause:1'],
  ['NODE', 'n2'],
];

/** In a shell on the administrator's machine, or for `ctr` on each node, where the archive was copied to. */
async function typed(cluster: Cluster, text: string): Promise<Outcome> {
  if (text.startsWith('ctr ')) {
    const script = `cd /e2e/dist && ${text}`;
    const outcomes: Outcome[] = [];
    for (const node of cluster.nodes)
      outcomes.push(await node.runToEnd(['sh', '-euc', script], { timeoutMs: TIMEOUT_MS }));
    return (
      outcomes.find(({ status }) => status !== 0) ?? outcomes[0] ?? assert.fail('a cluster without nodes')
    );
  }
  const { folder } = cluster.lan;
  const env = systemEnv({
    PATH: `${CACHE_BIN}:${process.env['PATH'] ?? ''}`,
    KUBECONFIG: join(folder, 'pki/admin.conf'),
    KUBECACHEDIR: join(folder, 'kubectl'),
    HELM_CACHE_HOME: join(folder, 'helm'),
    HELM_CONFIG_HOME: join(folder, 'helm'),
    HELM_DATA_HOME: join(folder, 'helm'),
  });
  return await cluster.laptop.runToEnd(['sh', '-euc', text], { cwd: ROOT, env, timeoutMs: TIMEOUT_MS });
}

/** Names in the node's folders, and what of its network is ours. */
async function leftOn(cluster: Cluster): Promise<readonly string[]> {
  const script =
    'find /opt/cni/bin /etc/cni/net.d /run/leasehold /var/lib/leasehold -mindepth 1; ip -o link; ip rule; nft list tables';
  const seen = await Promise.all(cluster.nodes.map(async (node) => await node.run(['sh', '-euc', script])));
  return seen.flatMap((text) => text.split('\n')).filter((line) => /leasehold|\blh\d|proto 76/.test(line));
}

describe('docs/kubernetes.md', () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.create({ install: 'later' });
  });
  after(async () => await cluster?.[Symbol.asyncDispose]());

  const untilGone = async (): Promise<void> =>
    await cluster.kubectl.until('the agents to be gone', async () => {
      return (await cluster.kubectl.pods(AGENTS, LEASEHOLD_NAMESPACE)).length === 0;
    });

  test('each command that the page shows does what it is there for', async (t) => {
    assert.equal(dirname(LEASEHOLD_ARCHIVE), join(ROOT, 'dist'));
    let ran = 0;
    for (const { text, isMarked } of commandsOf(KUBERNETES_PAGE)) {
      if (isMarked || RUN_BY[KUBERNETES_PAGE]?.[text] !== undefined) continue;
      let command = text;
      for (const [shown, here] of OF_THIS_CLUSTER) command = command.replace(shown, here);
      const { status, stdout, stderr } = await typed(cluster, command);
      const isWell = command.endsWith(' leasehold doctor') ? status < ERRORS_FOUND : status === 0;
      assert.ok(isWell, `${command}: status ${status}: ${stdout}${stderr}`);
      t.diagnostic(`ran: ${command}`);
      ran += 1;
      if (command === 'kubectl get pod web -o wide') {
        const leases = (await cluster.lan.server.leases()).map(({ ip }) => ip);
        assert.ok(
          leases.some((ip) => stdout.includes(` ${ip} `)),
          `${stdout} ${leases.join(' ')}`,
        );
      }
      if (command.startsWith('ctr ')) assert.ok(command.includes(basename(LEASEHOLD_ARCHIVE)), command);
    }
    assert.ok(ran > 0);
    await untilGone();
    assert.deepEqual(await leftOn(cluster), []);
  });

  test('what the manifest has installed, kubectl delete takes away: from the cluster and from each node', async () => {
    await cluster.kubectl.run('apply', '-f', MANIFEST);
    await cluster.kubectl.rollout(LEASEHOLD_DAEMONSET, LEASEHOLD_NAMESPACE);
    assert.notDeepEqual(await leftOn(cluster), []);
    await cluster.kubectl.run('delete', '-f', MANIFEST);
    await untilGone();
    assert.deepEqual(await leftOn(cluster), []);
  });
});
