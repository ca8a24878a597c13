import assert from 'node:assert/strict';
import { readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { killProcess } from '../src/lab/long-process.ts';
import { waitFor } from '../src/lab/wait.ts';
import { CNI_BIN } from '../tests/support/leasehold.ts';
import { criNode, LEASEHOLD_CONFLIST, type CriNode } from './support/cri/cri-node.ts';
import { startCrio } from './support/cri/crio.ts';
import type { SandboxStatus } from './support/cri/cri.ts';
import { bringUp, clearAway, removeTornResults } from './support/cri/kubelet.ts';
import { assertOnTheLan } from './support/cri/on-the-lan.ts';
import { nothingIsLeft, podLeases } from './support/cri/pod-leftovers.ts';
import { containerConfig, podNames, removePods, runPod, runPods, sandboxConfig } from './support/cri/pods.ts';

// What docs/cri-o.md says.

/** On a machine that does other things too. */
const SETTLED = { deadlineMs: 30_000, everyMs: 100 };
/** Pods under way when a process is killed, and how many of them have a lease by then. */
const MANY = 20;
const BEGUN = 3;

/** CRI-O asks the plugin every half a second, until it has been ready once. */
async function untilNetworkReady({ runtime }: Pick<CriNode, 'runtime'>): Promise<void> {
  await waitFor('NetworkReady', async () => (await runtime.cri.networkReady()).status, SETTLED);
}

/** Ends CRI-O and starts it: when this resolves it has asked for a GC. */
async function restart(node: CriNode, end: 'stop' | 'kill' = 'stop'): Promise<void> {
  await node.runtime[end]();
  await node.runtime.start();
  await untilNetworkReady(node);
}

async function statusesOf(
  { runtime }: CriNode,
  pods: readonly Pick<SandboxStatus, 'id'>[],
): Promise<readonly SandboxStatus[]> {
  return await Promise.all(pods.map(async ({ id }) => await runtime.cri.podSandboxStatus(id)));
}

/** Waits until the server has leases of no other pods. */
async function untilLeasedTo(node: CriNode, pods: readonly SandboxStatus[]): Promise<void> {
  const wanted = pods.map(({ ip }) => ip).toSorted();
  const now = async (): Promise<string> => (await podLeases(node)).toSorted().join(' ');
  await waitFor(`leases of ${wanted.join(', ')} alone`, async () => (await now()) === wanted.join(' '), {
    ...SETTLED,
    describe: now,
  });
}

async function untilSomeHaveBegun(node: CriNode): Promise<void> {
  await waitFor('leases of some pods', async () => (await podLeases(node)).length >= BEGUN, SETTLED);
}

void test('CRI-O: 1, 20 and 50 pods at once', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime } = node;
  await untilNetworkReady(node);

  await t.test('one, with a container that has its address', async () => {
    const pod = await runPod(runtime, 'web-0');
    const sandbox = sandboxConfig(runtime, 'web-0');
    const container = await runtime.cri.runContainer(pod.id, sandbox, containerConfig('main'));
    const shown = await runtime.cri.execSync(container, ['ip', '-4', 'addr', 'show', 'eth0']);
    assert.match(shown.stdout, new RegExp(`inet ${pod.ip.replaceAll('.', String.raw`\.`)}/24`));
    await assertOnTheLan(node, [pod]);
    await removePods(runtime, [pod]);
    await nothingIsLeft(node);
  });

  for (const count of [20, 50]) {
    await t.test(`${count}`, async () => {
      const pods = await runPods(runtime, podNames(count));
      await assertOnTheLan(node, pods);
      await removePods(runtime, pods);
      await nothingIsLeft(node);
    });
  }
});

/** Takes the sandbox out of CRI-O's store, as a lost disk would, and libcni's record of it (`result`) too. */
async function forget({ space }: CriNode, id: string, what: 'sandbox' | 'sandbox and result'): Promise<void> {
  const file = join(space.folder, 'crio', 'root', 'vfs-containers', 'volatile-containers.json');
  const known = v.parse(v.array(v.looseObject({ id: v.string() })), JSON.parse(await readFile(file, 'utf8')));
  await writeFile(file, JSON.stringify(known.filter((one) => one.id !== id)));
  if (what === 'sandbox') return;
  await rm(space.path(`/var/lib/cni/results/lan-${id}-eth0`));
}

void test('CRI-O: restarts and kills', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold, space } = node;
  await untilNetworkReady(node);
  const kept = await runPods(runtime, podNames(4));

  for (const how of ['stop', 'kill'] as const) {
    await t.test(
      `CRI-O is restarted (${how}) with running pods: they do not notice, its GC takes none`,
      async () => {
        await restart(node, how);
        assert.deepEqual(await statusesOf(node, kept), kept);
        await assertOnTheLan(node, kept);
      },
    );
  }

  await t.test(
    'a daemon that lost its state has the pods back by the CHECK of the next restart',
    async () => {
      await leasehold.stop();
      await rm(leasehold.stateDir, { recursive: true });
      await leasehold.restart();
      await restart(node);
      assert.deepEqual(await statusesOf(node, kept), kept);
      await assertOnTheLan(node, kept);
    },
  );

  await t.test('pods that CRI-O no longer knows are given back by its GC', async () => {
    const [first, second, ...rest] = kept;
    assert.ok(first?.netns !== undefined && second?.netns !== undefined);
    await runtime.stop();
    // The first is undone by libcni's own DEL. Of the second only the plugin knows: that takes the verb GC.
    await forget(node, first.id, 'sandbox');
    await forget(node, second.id, 'sandbox and result');
    await runtime.start();
    await untilLeasedTo(node, rest);
    await assertOnTheLan(node, rest);
    for (const netns of [first.netns, second.netns]) {
      assert.doesNotMatch(await space.run(space.inPod(netns, ['ip', '-o', 'link'])), /eth0/);
    }
    const again = await runPod(runtime, 'pod-1', 1);
    await removePods(runtime, [...rest, again]);
    await nothingIsLeft(node, { emptyNamespaces: true });
  });

  await t.test('pods are stopped while the daemon is down: settled when it is back', async () => {
    const pods = await runPods(runtime, podNames(5));
    await leasehold.stop();
    await removePods(runtime, pods);
    assert.equal((await podLeases(node)).length, pods.length, 'nobody was there to release them');
    await leasehold.restart();
    await nothingIsLeft(node, { emptyNamespaces: true });
  });

  await t.test('CRI-O is killed while pods start: what it had begun is taken back', async (own) => {
    const names = podNames(MANY);
    const starting = Promise.allSettled(names.map(async (name) => await runPod(runtime, name)));
    await untilSomeHaveBegun(node);
    await runtime.kill();
    // libcni writes them without a rename, and the next CRI-O's GC does not know what an empty one is.
    for (const name of await removeTornResults(node.space)) own.diagnostic(`not JSON, removed: ${name}`);
    const outcomes = await starting;
    assert.ok(outcomes.some(({ status }) => status === 'rejected'));
    await runtime.start();
    await untilNetworkReady(node);
    await clearAway(runtime);
    const running = new Set((await runtime.cri.listPodSandbox()).map(({ metadata }) => metadata.name));
    await Promise.all(
      names.filter((name) => !running.has(name)).map(async (name) => await bringUp(runtime, name, 1)),
    );
    const pods = await statusesOf(node, await runtime.cri.listPodSandbox());
    assert.equal(pods.length, MANY);
    await untilLeasedTo(node, pods);
    await assertOnTheLan(node, pods);
    await removePods(runtime, pods);
    // It pins a namespace before it notes it down, and looks for none afterwards.
    await nothingIsLeft(node, { emptyNamespaces: true });
  });

  await t.test('the daemon is killed while pods start: all come up', async (own) => {
    const starting = Promise.all(podNames(MANY).map(async (name) => await bringUp(runtime, name)));
    await untilSomeHaveBegun(node);
    await killProcess(leasehold.process());
    await leasehold.restart();
    const up = await starting;
    const pods = up.map(({ pod }) => pod);
    const failures = up.flatMap((one) => one.failures);
    // What the server has given to an ADD that died with the daemon: it ends by itself.
    const cut = await assertOnTheLan(node, pods, failures.length);
    own.diagnostic(`${failures.length} attempts failed, ${cut.size} with a lease that the server keeps`);
    await removePods(runtime, pods);
    await nothingIsLeft(node, { leases: cut, emptyNamespaces: true });
  });
});

/** Under its name when it is whole: CRI-O reads at each change. */
async function putFile(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content));
  await rename(`${file}.new`, file);
}

/** Makes a change, and waits until CRI-O has read the folder after it and takes this network. */
async function untilTaken({ runtime }: CriNode, network: string, change: () => Promise<void>): Promise<void> {
  const taken = async (): Promise<readonly string[]> => {
    const log = await readFile(runtime.logFile, 'utf8');
    return [...log.matchAll(/Updated default CNI network name to ([^"]*)"/g)].map(([, name = '']) => name);
  };
  const before = (await taken()).length;
  await change();
  await waitFor(
    `CRI-O to take ${network}`,
    async () => (await taken()).slice(before).at(-1) === network,
    SETTLED,
  );
}

void test('CRI-O: what it asks, and when', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold, lan, cni } = node;
  await untilNetworkReady(node);
  const cut = async (state: 'up' | 'down'): Promise<void> => {
    await lan.router.ip('link', 'set', lan.node.port, state);
  };
  const untilMessage = async (message: RegExp): Promise<void> => {
    const says = async (): Promise<boolean> => message.test((await runtime.cri.networkReady()).message);
    await waitFor(`NetworkReady to say ${String(message)}`, says, SETTLED);
  };

  await t.test(
    'STATUS: NetworkReady says what is missing at a start, and sandboxes wait for it',
    async () => {
      await runtime.stop();
      await leasehold.stop();
      await runtime.start();
      await untilMessage(/cannot connect to the daemon/);
      const waiting = runPod(runtime, 'early');
      await cut('down');
      await leasehold.restart();
      await untilMessage(/master "eth0" has no carrier/);
      await cut('up');
      const pod = await waiting;
      assert.ok((await runtime.cri.networkReady()).status);
      await assertOnTheLan(node, [pod]);
      await removePods(runtime, [pod]);
    },
  );

  // Not what a user wishes, but what it does.
  await t.test('STATUS: once it was ready it is not asked any more, and a sandbox fails', async () => {
    await cut('down');
    await assert.rejects(runPod(runtime, 'late'), /eth0/);
    assert.ok((await runtime.cri.networkReady()).status);
    await cut('up');
  });

  await t.test(
    'CHECK: a restart while the daemon is away takes the address out of the status, unless the list has disableCheck',
    async () => {
      const checked = await runPod(runtime, 'checked');
      const list = { ...JSON.parse(LEASEHOLD_CONFLIST), disableCheck: true };
      await untilTaken(node, 'lan', async () => await putFile(join(cni.conf, '05-leasehold.conflist'), list));
      const unchecked = await runPod(runtime, 'unchecked');
      await leasehold.stop();
      await runtime.stop();
      await runtime.start();
      // A kubelet makes a new sandbox for a pod without an address.
      const addresses = (await statusesOf(node, [checked, unchecked])).map(({ ip }) => ip);
      assert.deepEqual(addresses, ['', unchecked.ip]);
      await leasehold.restart();
      await untilNetworkReady(node);
      await assertOnTheLan(node, [checked, unchecked]);
      await removePods(runtime, [checked, unchecked]);
    },
  );

  await t.test(
    'VERSION, GC: it takes the first list whose plugins are there, and ends the pods of every other',
    async () => {
      // By the name of the one that comes with it.
      const bridge = join(cni.conf, '11-crio-ipv4-bridge.conflist');
      const plugins = [{ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }];
      await untilTaken(
        node,
        'lan',
        async () => await putFile(bridge, { cniVersion: '1.0.0', name: 'crio', plugins }),
      );
      const pod = await runPod(runtime, 'web-0');
      const plugin = join(cni.bin, 'leasehold');
      // A plugin that goes is not noticed, but the next change of a file is.
      await rm(plugin);
      await untilTaken(
        node,
        'crio',
        async () => await symlink(join(CNI_BIN, 'dhcp'), join(cni.bin, 'other')),
      );
      await untilTaken(node, 'lan', async () => await symlink(join(CNI_BIN, 'leasehold'), plugin));
      const first = { ...JSON.parse(LEASEHOLD_CONFLIST), name: 'first' };
      await untilTaken(node, 'first', async () => await putFile(join(cni.conf, '00-first.conflist'), first));
      await assertOnTheLan(node, [pod]);
      await restart(node);
      // It names all its pods as those of the network that comes first; libcni then undoes what it has of the others.
      await untilLeasedTo(node, []);
      assert.equal((await runtime.cri.podSandboxStatus(pod.id)).state, 'SANDBOX_READY');
    },
  );
});
