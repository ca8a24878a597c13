import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { undoHostIn } from '../support/undo.ts';
import { hostState, untilSettled } from './support/host-state.ts';
import { kubeProxy } from './support/kube-proxy.ts';
import { API_PORT, API_SERVER_PORT, API_SERVICE, OWN_API } from './support/names.ts';
import { GO_STYLE, LEASEHOLD } from './support/networks.ts';
import { NODE_ADDRESS, StageNode, useStage, type Stage, type StagePod } from './support/stage.ts';
import { ask } from './support/talk.ts';

async function undo(node: StageNode): ReturnType<typeof undoHostIn> {
  return await undoHostIn(node.namespace, node.stateDir);
}

const FORWARDING = '/proc/sys/net/ipv4/conf/eth0/forwarding';

async function read(node: StageNode, path: string): Promise<string> {
  return (await node.namespace.run(['cat', path])).trim();
}

/** The node and the pod reach each other, and the pod the service. */
async function assertConnected(node: StageNode, pod: StagePod): Promise<void> {
  await node.namespace.run(['ping', '-c', '1', '-W', '2', pod.address]);
  await pod.namespace.run(['ping', '-c', '1', '-W', '2', NODE_ADDRESS]);
  const answer = await ask(pod.namespace, { to: API_SERVICE, port: API_PORT });
  assert.equal(answer?.split(' ')[0], OWN_API);
}

/** A node that is not as it comes: with settings and rules of its owner's. */
async function furnish(stage: Stage): Promise<void> {
  const { namespace } = stage.node;
  const api = { address: NODE_ADDRESS, port: API_SERVER_PORT };
  const services = [{ name: 'kubernetes', address: API_SERVICE, port: API_PORT, endpoints: [api] }];
  await kubeProxy(namespace, { services }, 'nftables');
  await namespace.ip('route', 'add', '10.9.0.0/16', 'via', '192.168.2.1');
  await namespace.ip('neigh', 'add', '192.168.2.9', 'lladdr', '02:00:00:00:00:09', 'dev', 'eth0');
  const own = 'cd /proc/sys/net/ipv4/conf && echo 1 >eth0/rp_filter && echo 0 >eth0/send_redirects';
  await namespace.run(['sh', '-c', own]);
}

describe('the node afterwards', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();

  test('uninstall: addresses, routes, neighbours, links, rules and sysctls are as they were', async () => {
    const { node } = stage();
    await furnish(stage());
    await untilSettled(node.namespace);
    const before = await hostState(node.namespace);
    const pods = [await node.add(LEASEHOLD), await node.add(LEASEHOLD)];
    assert.notDeepEqual(await hostState(node.namespace), before, 'something was made');
    for (const pod of pods) await node.del(pod);
    await node.stopDaemon();
    await undo(node);
    assert.deepEqual(await hostState(node.namespace), before);
  });

  test('uninstall: with pods that are still there, and after what somebody else changed', async () => {
    const { node } = stage();
    const again = await StageNode.create(stage().lan, node.host, 'again');
    // A pod of somebody else's: with one, and not before, the uplink takes frames for other MAC addresses.
    await again.add(GO_STYLE);
    const before = await hostState(node.namespace);
    await again.add(LEASEHOLD);
    // In the meantime the owner of the node changes something: that is to stay.
    await node.namespace.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/eth0/log_martians']);
    await again.stopDaemon();
    await undo(again);
    const martians = 'ipv4/conf/eth0/log_martians';
    const sysctls = before['sysctls']?.map((line) => (line === `${martians}:0` ? `${martians}:1` : line));
    assert.deepEqual(await hostState(node.namespace), { ...before, sysctls });
  });
});

describe('the node in between', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();

  test('uninstall: with an install that follows, pods that run are connected as before', async () => {
    const { node } = stage();
    await furnish(stage());
    const pod = await node.add(LEASEHOLD);
    await assertConnected(node, pod);
    await node.stopDaemon();
    const { done, failed } = await undo(node);
    assert.deepEqual(failed, []);
    assert.equal(done[0], 'removed lh0, with its addresses, routes and neighbours');
    assert.deepEqual((await undo(node)).done, [], 'what is not there is not said to be removed');
    await node.startDaemon();
    await assertConnected(node, pod);
    const another = await node.add(LEASEHOLD);
    await assertConnected(node, another);
    for (const one of [pod, another]) await node.del(one);
  });

  test('uninstall: forwarding stays when the whole node has been set to forward since', async () => {
    const { node } = stage();
    await node.stopDaemon();
    await undo(node);
    assert.equal(await read(node, FORWARDING), '0');
    await node.startDaemon();
    const pod = await node.add(LEASEHOLD);
    // As Docker, k3s and kubelet do.
    await node.namespace.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
    await node.del(pod);
    await node.stopDaemon();
    const { done } = await undo(node);
    assert.ok(done.some((line) => line.startsWith('left net.ipv4.conf.eth0.forwarding at 1')));
    assert.equal(await read(node, FORWARDING), '1');
    await node.namespace.run(['sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_forward']);
  });

  test('uninstall: what is ours is found without records too', async () => {
    const { node } = stage();
    await untilSettled(node.namespace);
    const before = await hostState(node.namespace);
    await node.startDaemon();
    await node.del(await node.add(LEASEHOLD));
    await node.stopDaemon();
    await rm(join(node.stateDir, 'host'), { recursive: true });
    const { done, failed } = await undo(node);
    assert.deepEqual(failed, []);
    assert.ok(done.includes('left net.ipv4.conf.eth0.forwarding at 1: what it was before is on no record'));
    await node.namespace.run(['sh', '-c', `echo 0 >${FORWARDING}`]);
    assert.deepEqual(await hostState(node.namespace), before);
  });
});
