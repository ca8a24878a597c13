import assert from 'node:assert/strict';
import { readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { killProcess } from '../src/lab/long-process.ts';
import { waitFor } from '../src/lab/wait.ts';
import { containerd, CONTAINERD_1_6, CONTAINERD_2 } from './support/cri/containerd.ts';
import { criNode, type CriNode } from './support/cri/cri-node.ts';
import { bringUp, clearAway, removeTornResults } from './support/cri/kubelet.ts';
import { assertOnTheLan } from './support/cri/on-the-lan.ts';
import { nothingIsLeft, podLeases } from './support/cri/pod-leftovers.ts';
import { podNames, removePods, runPod, runPods } from './support/cri/pods.ts';

const FEW = 5;
/** Pods under way when a process is killed. */
const MANY = 50;
/** So many of them have a lease by then. */
const BEGUN = 10;
const DEADLINE_MS = 60_000;

async function someHaveBegun(node: CriNode): Promise<void> {
  await waitFor('leases of some pods', async () => (await podLeases(node)).length >= BEGUN, {
    deadlineMs: DEADLINE_MS,
  });
}

for (const version of [CONTAINERD_2, CONTAINERD_1_6]) {
  void test(`${version.name}: the daemon is killed while ${MANY} pods start: all come up`, async (t) => {
    const node = await criNode(t, { start: containerd(version) });
    const { runtime, leasehold } = node;
    const starting = Promise.all(podNames(MANY).map(async (name) => await bringUp(runtime, name)));
    await someHaveBegun(node);
    await killProcess(leasehold.process());
    await leasehold.restart();
    const up = await starting;
    const pods = up.map(({ pod }) => pod);
    const failures = up.flatMap((pod) => pod.failures);
    // What the server has given to an ADD that died with the daemon: it ends by itself.
    const cut = await assertOnTheLan(node, pods, failures.length);
    t.diagnostic(
      `${failures.length} attempts failed, ${cut.size} with a lease that the server keeps to its end`,
    );
    await removePods(runtime, pods);
    await nothingIsLeft(node, { leases: cut });
  });

  void test(`${version.name}: the daemon or the runtime is away for a while`, async (t) => {
    const node = await criNode(t, { start: containerd(version) });
    const { runtime, leasehold } = node;

    await t.test('pods are stopped while the daemon is down: settled when it is back', async () => {
      const pods = await runPods(runtime, podNames(FEW));
      await leasehold.stop();
      await removePods(runtime, pods);
      assert.equal((await podLeases(node)).length, FEW, 'nobody was there to release them');
      await leasehold.restart();
      await nothingIsLeft(node);
    });

    await t.test('a result that libcni has not written to its end', async () => {
      const pods = await runPods(runtime, podNames(FEW));
      const [torn] = pods;
      assert.ok(torn);
      const folder = node.space.path('/var/lib/cni/results');
      const results = (await readdir(folder)).filter((name) => name.startsWith(`lan-${torn.id}`));
      assert.equal(results.length, 1);
      for (const name of results) await truncate(join(folder, name));
      if (version === CONTAINERD_1_6) {
        const stopped = runtime.cri.stopPodSandbox(torn.id);
        await assert.rejects(stopped, /cached result: .*unexpected end of JSON input/);
        assert.deepEqual(await removeTornResults(node.space), results);
      }
      await removePods(runtime, pods);
      await nothingIsLeft(node);
    });

    for (const how of ['stop', 'kill'] as const) {
      await t.test(`the runtime is restarted (${how}) with running pods: they do not notice`, async () => {
        const pods = await runPods(runtime, podNames(FEW));
        await runtime[how]();
        await assertOnTheLan(node, pods);
        await runtime.start();
        const after = await Promise.all(pods.map(async ({ id }) => await runtime.cri.podSandboxStatus(id)));
        assert.deepEqual(after, pods);
        await assertOnTheLan(node, pods);
        await removePods(runtime, pods);
        await nothingIsLeft(node);
      });
    }
  });

  void test(`${version.name}: it is killed while ${MANY} pods start: what it had begun is taken back`, async (t) => {
    const node = await criNode(t, { start: containerd(version) });
    const { runtime } = node;
    const names = podNames(MANY);
    const starting = Promise.allSettled(names.map(async (name) => await runPod(runtime, name)));
    await someHaveBegun(node);
    await runtime.kill();
    const outcomes = await starting;
    assert.ok(outcomes.some(({ status }) => status === 'rejected'));
    await runtime.start();
    const known = await runtime.cri.listPodSandbox();
    for (const name of await removeTornResults(node.space)) t.diagnostic(`not JSON, removed: ${name}`);
    // As a kubelet does: what does not run is stopped and removed, and each pod that is missing is run again.
    const cleared = await clearAway(runtime);
    const running = new Set((await runtime.cri.listPodSandbox()).map(({ metadata }) => metadata.name));
    t.diagnostic(`${known.length} sandboxes known, ${cleared} of them not running; ${running.size} run`);
    await waitFor(
      'the leases of the others to be released',
      async () => (await podLeases(node)).length === running.size,
      { deadlineMs: DEADLINE_MS },
    );
    const missing = names.filter((name) => !running.has(name));
    await Promise.all(missing.map(async (name) => await bringUp(runtime, name, 1)));
    const all = await runtime.cri.listPodSandbox();
    const pods = await Promise.all(all.map(async ({ id }) => await runtime.cri.podSandboxStatus(id)));
    assert.equal(pods.length, MANY);
    await assertOnTheLan(node, pods);
    await removePods(runtime, pods);
    // It mounts a namespace before it notes it down, and does not look for one afterwards.
    await nothingIsLeft(node, { emptyNamespaces: true });
  });
}
