import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { join } from 'node:path';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';
import { hostState, untilSettled } from './support/host-state.ts';
import { kubeProxy } from './support/kube-proxy.ts';
import { API_PORT, API_SERVER_PORT, API_SERVICE } from './support/names.ts';
import { GO_STYLE, LEASEHOLD } from './support/networks.ts';
import { NODE_ADDRESS, StageNode, useStage, type Stage } from './support/stage.ts';

/** What `leasehold uninstall` does to the node after it has stopped the daemon, run in the node's namespace. */
async function undo(node: StageNode): Promise<void> {
  const script = `
    const { undoHost } = await import(${JSON.stringify(join(ROOT, 'src', 'host-undo.ts'))});
    const log = { info() {}, warn() {}, error: console.error, debug() {} };
    await undoHost(${JSON.stringify(node.stateDir)}, log);
  `;
  await node.namespace.run([process.execPath, '--input-type=module', '--eval', script]);
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
