import assert from 'node:assert/strict';
import { readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as v from 'valibot';
import { ipv4 } from '../src/base/ipv4.ts';
import { getOverSocket } from '../src/lab/daemon.ts';
import { killProcess } from '../src/lab/long-process.ts';
import { ping } from '../src/lab/ping.ts';
import { waitFor } from '../src/lab/wait.ts';
import { CNI_BIN } from '../tests/support/leasehold.ts';
import { criNode, LEASEHOLD_CONFLIST, type CriNode } from './support/cri-node.ts';
import { startCrio } from './support/crio.ts';
import { CriError, type Sandbox, type SandboxStatus } from './support/cri.ts';
import { containerConfig, podNames, removePods, runPod, runPods, sandboxConfig } from './support/pods.ts';
import type { Runtime } from './support/runtime.ts';

/** Under load, and with what a server takes to write its file. */
const SETTLED = { deadlineMs: 30_000, everyMs: 100 };
const MOST_FAILURES = 20;
/** So many have a lease when something is killed. */
const BEGUN = 3;
const leasesSchema = v.array(v.object({ address: v.nullable(v.string()) }));

/** The addresses that pods have at the DHCP server; the node and the laptop are no pods. */
async function leasedToPods({ lan }: CriNode): Promise<readonly string[]> {
  const hosts = await Promise.all(lan.hosts.map(async (host) => await host.address()));
  const leases = await lan.server.leases();
  return leases
    .map(({ ip }) => ip)
    .filter((ip) => !hosts.some((address) => address === ip))
    .toSorted();
}

/** An ADD that has no address yet counts as none. */
async function heldByDaemon({ leasehold }: CriNode): Promise<readonly string[]> {
  const answer = await getOverSocket(leasehold.socket, '/v1/leases');
  const leases = v.parse(leasesSchema, JSON.parse(answer?.body ?? ''));
  return leases.flatMap(({ address }) => address ?? []).toSorted();
}

/** Waits until the daemon has leases of exactly these pods, and the server too, but for those that were `cut`. */
async function waitForLeases(
  node: CriNode,
  pods: readonly SandboxStatus[],
  cut: readonly string[] = [],
): Promise<void> {
  const addresses = pods.map(({ ip }) => ip);
  const wanted = [addresses, [...addresses, ...cut]].map((some) => some.toSorted().join(' ')).join('; ');
  const now = async (): Promise<string> =>
    [await heldByDaemon(node), await leasedToPods(node)].map((some) => some.join(' ')).join('; ');
  await waitFor(`leases of ${pods.length} pods`, async () => (await now()) === wanted, {
    ...SETTLED,
    describe: async () => `wanted ${wanted}; daemon and server have ${await now()}`,
  });
}

async function assertAnswer(node: CriNode, pods: readonly SandboxStatus[]): Promise<void> {
  const answers = await Promise.all(
    pods.map(async ({ ip }) => await ping(node.lan.laptop.namespace, ipv4(ip), { tries: 3 })),
  );
  assert.deepEqual(
    pods.filter((_, at) => answers[at] !== true).map(({ ip }) => ip),
    [],
    'these do not answer',
  );
}

async function statusesOf(node: CriNode, pods: readonly SandboxStatus[]): Promise<readonly SandboxStatus[]> {
  return await Promise.all(pods.map(async ({ id }) => await node.runtime.cri.podSandboxStatus(id)));
}

/** CRI-O asks the plugin every half a second, until it has been ready once. */
async function waitForNetwork({ runtime }: CriNode): Promise<void> {
  await waitFor('NetworkReady', async () => (await runtime.cri.networkReady()).status, SETTLED);
}

async function listed({ space }: CriNode, folder: string): Promise<readonly string[]> {
  return (await space.run(['find', folder, '-type', 'f'])).split('\n').filter(Boolean);
}

async function assertNothingLeft(node: CriNode, cut: readonly string[] = []): Promise<void> {
  await waitForLeases(node, [], cut);
  assert.deepEqual(await listed(node, '/run/netns'), [], 'network namespaces');
  assert.deepEqual(await listed(node, '/var/lib/cni/results'), [], 'results that CRI-O keeps');
  // The node's side follows by a look of its own.
  const routes = async (): Promise<string> => await node.space.run(['ip', 'route', 'show', 'dev', 'lh0']);
  await waitFor('no routes to pods', async () => (await routes()) === '', { ...SETTLED, describe: routes });
}

void test('CRI-O: 1, 20 and 50 sandboxes at once have addresses of the LAN, and leave nothing', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime } = node;
  await waitForNetwork(node);
  const one = await runPod(runtime, 'web-0');
  const container = await runtime.cri.runContainer(
    one.id,
    sandboxConfig(runtime, 'web-0'),
    containerConfig('main'),
  );
  const shown = await runtime.cri.execSync(container, ['ip', '-4', 'addr', 'show', 'eth0']);
  assert.match(shown.stdout, new RegExp(`inet ${one.ip.replaceAll('.', String.raw`\.`)}/24`));
  await assertAnswer(node, [one]);
  await removePods(runtime, [one]);
  for (const count of [20, 50]) {
    const pods = await runPods(runtime, podNames(count, `of-${count}`));
    assert.equal(new Set(pods.map(({ ip }) => ip)).size, count);
    await waitForLeases(node, pods);
    await assertAnswer(node, pods);
    await removePods(runtime, pods);
    await assertNothingLeft(node);
  }
});

type Started = { readonly pod: SandboxStatus; readonly failures: number };

/** What a kubelet does about a sandbox that failed, or whose answer was lost: looks whether it is there, else a new attempt. */
async function runUntilThere({ runtime }: CriNode, name: string): Promise<Started> {
  for (let failures = 0; ; failures++) {
    try {
      return { pod: await runPod(runtime, name, failures), failures };
    } catch (error) {
      if (failures === MOST_FAILURES) throw error;
    }
    const sandboxes = await waitFor('CRI-O to answer', async () => await sandboxesOrNone(runtime), SETTLED);
    const there = sandboxes.find(
      ({ metadata, state }) => metadata.name === name && state === 'SANDBOX_READY',
    );
    if (there !== undefined) return { pod: await runtime.cri.podSandboxStatus(there.id), failures };
  }
}

async function sandboxesOrNone({ cri }: Runtime): Promise<readonly Sandbox[] | undefined> {
  try {
    return await cri.listPodSandbox();
  } catch (error) {
    if (error instanceof CriError) return undefined;
    throw error;
  }
}

/** Runs 20 pods, and `interrupt` when some of them have a lease. */
async function runInterrupted(node: CriNode, interrupt: () => Promise<void>): Promise<readonly Started[]> {
  const coming = Promise.all(podNames(20).map(async (name) => await runUntilThere(node, name)));
  await waitFor('some of them to have a lease', async () => (await heldByDaemon(node)).length >= BEGUN);
  await interrupt();
  return await coming;
}

void test('CRI-O: the daemon is killed in the middle of 20 sandboxes; the kubelet tries again, and all are there', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold } = node;
  await waitForNetwork(node);
  const started = await runInterrupted(node, async () => {
    await killProcess(leasehold.process());
    await leasehold.restart();
  });
  const pods = started.map(({ pod }) => pod);
  const failures = started.reduce((sum, one) => sum + one.failures, 0);
  await assertAnswer(node, pods);
  assert.deepEqual(await heldByDaemon(node), pods.map(({ ip }) => ip).toSorted());
  // What the server gave to an ADD that died with the daemon ends by itself.
  const isOfPod = (address: string): boolean => pods.some(({ ip }) => ip === address);
  const cut = (await leasedToPods(node)).filter((address) => !isOfPod(address));
  t.diagnostic(
    `${failures} attempts failed, ${cut.length} of them with a lease that the server keeps to its end`,
  );
  assert.ok(cut.length <= failures);
  await removePods(runtime, pods);
  await assertNothingLeft(node, cut);
});

void test('CRI-O is killed in the middle of 20 sandboxes: the kubelet tries again, and what CRI-O forgot is given back', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, space } = node;
  await waitForNetwork(node);
  const started = await runInterrupted(node, async () => {
    await runtime.kill();
    await runtime.start();
  });
  await assertAnswer(
    node,
    started.map(({ pod }) => pod),
  );
  await removePods(runtime, await runtime.cri.listPodSandbox());
  await waitForLeases(node, []);
  assert.deepEqual(await listed(node, '/var/lib/cni/results'), []);
  // CRI-O pins a namespace before it notes it down, and looks for none afterwards. It has no link of ours.
  const forgotten = await listed(node, '/run/netns');
  t.diagnostic(`CRI-O left ${forgotten.length} namespaces`);
  for (const netns of forgotten) {
    assert.doesNotMatch(await space.run(space.inPod(netns, ['ip', '-o', 'link'])), /eth0/);
  }
});

void test('CRI-O: sandboxes are stopped while the daemon is away; their addresses are given back when it is there', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold } = node;
  await waitForNetwork(node);
  const pods = await runPods(runtime, podNames(5));
  await leasehold.stop();
  await removePods(runtime, pods);
  assert.deepEqual(await runtime.cri.listPodSandbox(), []);
  assert.equal((await leasedToPods(node)).length, pods.length, 'nobody was there to tell the server');
  await leasehold.restart();
  await assertNothingLeft(node);
});

/** Takes the sandbox out of CRI-O's store, as a lost disk would, and libcni's record of it (`result`) too. */
async function forget({ space }: CriNode, id: string, what: 'sandbox' | 'sandbox and result'): Promise<void> {
  const file = join(space.folder, 'crio', 'root', 'vfs-containers', 'volatile-containers.json');
  const known = v.parse(v.array(v.looseObject({ id: v.string() })), JSON.parse(await readFile(file, 'utf8')));
  await writeFile(file, JSON.stringify(known.filter((one) => one.id !== id)));
  if (what === 'sandbox') return;
  await rm(space.path(`/var/lib/cni/results/lan-${id}-eth0`));
}

void test('CRI-O restarted or killed: running pods keep their leases; its GC takes those that it no longer knows', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, space } = node;
  await waitForNetwork(node);
  const pods = await runPods(runtime, podNames(4));
  for (const end of [runtime.stop, runtime.kill]) {
    await end();
    await runtime.start();
    // GC comes before it.
    await waitForNetwork(node);
    assert.deepEqual(await statusesOf(node, pods), pods);
    await waitForLeases(node, pods);
    await assertAnswer(node, pods);
  }
  const [first, second, ...rest] = pods;
  assert.ok(first?.netns !== undefined && second?.netns !== undefined);
  await runtime.stop();
  // The first is undone by libcni's own DEL. Of the second only the plugin knows: that takes the verb GC.
  await forget(node, first.id, 'sandbox');
  await forget(node, second.id, 'sandbox and result');
  await runtime.start();
  await waitForNetwork(node);
  await waitForLeases(node, rest);
  await assertAnswer(node, rest);
  for (const netns of [first.netns, second.netns]) {
    const links = await space.run(space.inPod(netns, ['ip', '-o', 'link']));
    assert.doesNotMatch(links, /eth0/, 'its link is gone');
  }
  const again = await runPod(runtime, 'pod-1', 1);
  await waitForLeases(node, [...rest, again]);
});

void test('CRI-O without a daemon or uplink is NetworkReady=false and says why; a sandbox waits; once ready it asks no more', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold, lan } = node;
  await waitForNetwork(node);
  const cut = async (state: 'up' | 'down'): Promise<void> => {
    await lan.router.ip('link', 'set', lan.node.port, state);
  };
  const waitForMessage = async (message: RegExp): Promise<void> => {
    const says = async (): Promise<boolean> => message.test((await runtime.cri.networkReady()).message);
    await waitFor(`NetworkReady to say ${String(message)}`, says, SETTLED);
  };
  await runtime.stop();
  await leasehold.stop();
  await runtime.start();
  await waitForMessage(/cannot connect to the daemon/);
  const waiting = runPod(runtime, 'early');
  await cut('down');
  await leasehold.restart();
  await waitForMessage(/master "eth0" has no carrier/);
  await cut('up');
  const pod = await waiting;
  assert.ok((await runtime.cri.networkReady()).status);
  await waitForLeases(node, [pod]);
  // Not what a user wishes, but what CRI-O does: docs/kubernetes.md says so.
  await cut('down');
  await assert.rejects(runPod(runtime, 'late'), /eth0/);
  assert.ok((await runtime.cri.networkReady()).status);
  await cut('up');
});

/** Under its name when it is whole: CRI-O reads at each change. */
async function putFile(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content));
  await rename(`${file}.new`, file);
}

/** Makes a change, and waits until CRI-O has read the folder after it and takes this network. */
async function untilRead({ runtime }: CriNode, network: string, change: () => Promise<void>): Promise<void> {
  const networks = async (): Promise<readonly string[]> =>
    [
      ...(await readFile(runtime.logFile, 'utf8')).matchAll(/Updated default CNI network name to ([^"]*)"/g),
    ].map(([, name = '']) => name);
  const before = (await networks()).length;
  await change();
  await waitFor(`CRI-O to take ${network}`, async () => (await networks()).slice(before).at(-1) === network, {
    ...SETTLED,
    describe: async () => (await networks()).join(' '),
  });
}

void test("CRI-O's restart gives a daemon that lost its state the leases back: CHECK takes them up", async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold } = node;
  await waitForNetwork(node);
  const pods = await runPods(runtime, podNames(3));
  await leasehold.stop();
  await rm(leasehold.stateDir, { recursive: true });
  await leasehold.restart();
  assert.deepEqual(await heldByDaemon(node), []);
  await runtime.stop();
  await runtime.start();
  assert.deepEqual(await statusesOf(node, pods), pods);
  await waitForLeases(node, pods);
  await assertAnswer(node, pods);
  await removePods(runtime, pods);
  await assertNothingLeft(node);
});

void test('CRI-O takes the first list whose plugins are there, and its GC ends the pods of every other', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, cni } = node;
  await waitForNetwork(node);
  const plugins = [{ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }];
  const bridge = join(cni.conf, '11-crio-ipv4-bridge.conflist');
  await untilRead(
    node,
    'lan',
    async () => await putFile(bridge, { cniVersion: '1.0.0', name: 'crio', plugins }),
  );
  const pod = await runPod(runtime, 'web-0');
  const plugin = join(cni.bin, 'leasehold');
  // A plugin that goes is not noticed, but the next change of a file is.
  await rm(plugin);
  await untilRead(node, 'crio', async () => await symlink(join(CNI_BIN, 'dhcp'), join(cni.bin, 'other')));
  await untilRead(node, 'lan', async () => await symlink(join(CNI_BIN, 'leasehold'), plugin));
  await waitForLeases(node, [pod]);
  const first = { ...JSON.parse(LEASEHOLD_CONFLIST), name: 'first' };
  await untilRead(node, 'first', async () => await putFile(join(cni.conf, '00-first.conflist'), first));
  await assertAnswer(node, [pod]);
  await runtime.stop();
  await runtime.start();
  await waitForNetwork(node);
  // CRI-O names all its pods as those of the network that comes first; libcni then undoes what it has of the others.
  await waitForLeases(node, []);
  assert.equal((await runtime.cri.podSandboxStatus(pod.id)).state, 'SANDBOX_READY');
});

void test('CRI-O restarted while the daemon is away: pods keep their address in the status where the list has disableCheck', async (t) => {
  const node = await criNode(t, { start: startCrio });
  const { runtime, leasehold, cni } = node;
  await waitForNetwork(node);
  const checked = await runPod(runtime, 'checked');
  const list = { ...JSON.parse(LEASEHOLD_CONFLIST), disableCheck: true };
  await untilRead(node, 'lan', async () => await putFile(join(cni.conf, '05-leasehold.conflist'), list));
  const unchecked = await runPod(runtime, 'unchecked');
  await leasehold.stop();
  await runtime.stop();
  await runtime.start();
  // A kubelet makes a new sandbox for a pod without an address.
  assert.deepEqual(
    (await statusesOf(node, [checked, unchecked])).map(({ ip }) => ip),
    ['', unchecked.ip],
  );
  await leasehold.restart();
  await waitForNetwork(node);
  await assertAnswer(node, [checked, unchecked]);
  await waitForLeases(node, [checked, unchecked]);
});
