import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerd, CONTAINERD_1_6, CONTAINERD_2 } from './support/cri/containerd.ts';
import { criNode } from './support/cri/cri-node.ts';
import { PAUSE, POD_IMAGE } from './support/cri/pod-image.ts';
import { assertOnTheLan } from './support/cri/on-the-lan.ts';
import { nothingIsLeft } from './support/cri/pod-leftovers.ts';
import { podNames, removePods, runPod, runPods, sandboxConfig } from './support/cri/pods.ts';

/** At once; 110 is what a kubelet allows on a node (maxPods). */
const AT_ONCE = [1, 20, 50, 110];

/** As for the Go plugins; `dhcp` and `macvlan` are ours. */
const GO_STYLE_CONFLIST = `{
  "cniVersion": "1.0.0",
  "name": "lan",
  "plugins": [{ "type": "macvlan", "master": "eth0", "mode": "bridge", "ipam": { "type": "dhcp" } }]
}
`;
const DROPPED_IN = 20;

for (const version of [CONTAINERD_2, CONTAINERD_1_6]) {
  void test(`${version.name}: pods`, async (t) => {
    const node = await criNode(t, { start: containerd(version) });
    const { runtime, lan, space } = node;

    await t.test('a container in a pod is on the LAN', async () => {
      const pod = await runPod(runtime, 'web-0');
      await assertOnTheLan(node, [pod]);
      const config = {
        metadata: { name: 'main', attempt: 0 },
        image: { image: POD_IMAGE },
        command: [PAUSE],
      };
      const container = await runtime.cri.runContainer(pod.id, sandboxConfig(runtime, 'web-0'), config);
      const addresses = await runtime.cri.execSync(container, ['ip', '-4', '-o', 'addr', 'show', 'eth0']);
      assert.match(addresses.stdout, new RegExp(`inet ${pod.ip.replaceAll('.', '\\.')}/24`));
      const loopback = await runtime.cri.execSync(container, ['ping', '-c', '1', '-W', '2', '127.0.0.1']);
      assert.equal(loopback.exitCode, 0, loopback.stdout);
      assert.ok(pod.netns !== undefined);
      const outward = space.inPod(pod.netns, ['ping', '-c', '1', '-W', '2', lan.routerAddress.address]);
      assert.equal((await space.runToEnd(outward)).status, 0, 'the pod reaches the router');
      await removePods(runtime, [pod]);
      await nothingIsLeft(node);
    });

    for (const count of AT_ONCE) {
      await t.test(`${count} at once`, async () => {
        const pods = await runPods(runtime, podNames(count));
        await assertOnTheLan(node, pods);
        await removePods(runtime, pods);
        await nothingIsLeft(node);
      });
    }
  });

  void test(`${version.name}: ${DROPPED_IN} pods at once by a configuration for the Go plugins`, async (t) => {
    const node = await criNode(t, { conflist: GO_STYLE_CONFLIST, start: containerd(version) });
    const pods = await runPods(node.runtime, podNames(DROPPED_IN));
    await assertOnTheLan(node, pods);
    await removePods(node.runtime, pods);
    await nothingIsLeft(node);
  });
}
