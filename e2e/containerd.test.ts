import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ping } from '../src/lab/ping.ts';
import { ipv4 } from '../src/base/ipv4.ts';
import { criNode } from './support/cri-node.ts';
import { containerd, CONTAINERD_1_6, CONTAINERD_2 } from './support/containerd.ts';
import { PAUSE, POD_IMAGE } from './support/images.ts';
import { removePods, runPod, sandboxConfig } from './support/pods.ts';

for (const version of [CONTAINERD_2, CONTAINERD_1_6]) {
  void test(`${version.name}: a pod has an address of the LAN's server`, async (t) => {
    const { runtime, lan, space } = await criNode(t, { start: containerd(version) });
    const pod = await runPod(runtime, 'web-0');
    const lease = (await lan.server.leases()).find(({ ip }) => ip === pod.ip);
    assert.ok(lease !== undefined, `the server has no lease of ${pod.ip}`);
    assert.ok(await ping(lan.router, ipv4(pod.ip), { tries: 2 }), 'the router does not reach the pod');

    const config = { metadata: { name: 'main', attempt: 0 }, image: { image: POD_IMAGE }, command: [PAUSE] };
    const container = await runtime.cri.runContainer(pod.id, sandboxConfig(runtime, 'web-0'), config);
    const links = await runtime.cri.execSync(container, ['ip', '-4', 'addr', 'show', 'eth0']);
    assert.match(links.stdout, new RegExp(`inet ${pod.ip.replaceAll('.', '\\.')}/24`));
    assert.ok(pod.netns !== undefined);
    const inPod = await space.runToEnd(
      space.inPod(pod.netns, ['ping', '-c1', '-W2', lan.routerAddress.address]),
    );
    assert.equal(inPod.status, 0, inPod.stderr);

    await removePods(runtime, [pod]);
    assert.ok(!(await lan.server.leases()).some(({ ip }) => ip === pod.ip));
  });
}
