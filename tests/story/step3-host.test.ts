import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ping } from '../../src/lab/ping.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { API_SERVER_PORT, OWN_API, POD_PORT } from './support/names.ts';
import { CHAINED, GO_STYLE, LEASEHOLD } from './support/networks.ts';
import { NODE_ADDRESS, useStage } from './support/stage.ts';
import { ask, askInVain } from './support/talk.ts';

/** A server that is there before the pod has an address, as a container that starts quickly. */
const READY = { name: 'ready', port: POD_PORT };

/** Counts what the node answers when it is asked for its MAC address. */
const ANSWERS = `table netdev answers {
  chain in {
    type filter hook ingress device "eth0" priority 0; policy accept;
    arp operation reply arp saddr ip ${NODE_ADDRESS} counter
  }
}
`;

describe('step 3: a node and its pods', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();

  test('host-access: a macvlan pod and its node do not reach each other, whoever asks', async () => {
    const { node } = stage();
    const pod = await node.add(GO_STYLE, { serving: READY });
    assert.equal(await ping(node.namespace, pod.address), false);
    assert.equal(await ping(pod.namespace, ipv4(NODE_ADDRESS)), false);
    assert.equal(await askInVain(node.namespace, { to: pod.address, port: POD_PORT }), undefined);
    assert.equal(await askInVain(pod.namespace, { to: NODE_ADDRESS, port: API_SERVER_PORT }), undefined);
    // The rest of the LAN reaches it: nothing is wrong with the pod.
    assert.match((await ask(stage().laptop, { to: pod.address, port: POD_PORT })) ?? '', /^ready /);
    await node.del(pod);
  });

  test('host-access: a probe right after ADD is answered, and the pod reaches its node', async () => {
    const { node } = stage();
    const pod = await node.add(LEASEHOLD, { serving: READY });
    assert.equal(await ask(node.namespace, { to: pod.address, port: POD_PORT }), `ready ${NODE_ADDRESS}`);
    assert.ok(await ping(node.namespace, pod.address));
    assert.ok(await ping(pod.namespace, ipv4(NODE_ADDRESS)));
    const answer = await ask(pod.namespace, { to: NODE_ADDRESS, port: API_SERVER_PORT });
    assert.equal(answer, `${OWN_API} ${pod.address}`);
    await node.del(pod);
  });

  test('host-access: an address that goes from one pod to the next is reached at once', async () => {
    const { node } = stage();
    const first = await node.add(LEASEHOLD, { serving: READY });
    assert.ok(await ask(node.namespace, { to: first.address, port: POD_PORT }));
    await node.del(first);
    // Another MAC with the address that the first one had: what the node knew of it must be gone.
    const args = { IP: first.address, IgnoreUnknown: 'true' };
    const second = await node.add(LEASEHOLD, { serving: READY, args });
    assert.equal(second.address, first.address);
    assert.ok(await ask(node.namespace, { to: second.address, port: POD_PORT }));
    await node.del(second);
  });

  test('host-access: the LAN hears one answer to who has the address of the node, and that of its cable', async () => {
    const { node, lan } = stage();
    const { laptop } = stage();
    const pod = await node.add(LEASEHOLD);
    await laptop.run(['nft', '-f', '-'], { input: ANSWERS });
    await laptop.ip('neigh', 'flush', 'dev', 'eth0');
    assert.ok(await ping(laptop, ipv4(NODE_ADDRESS)));
    const uplink = await lan.node.state();
    const neighbour = await laptop.ip('neigh', 'show', NODE_ADDRESS);
    assert.ok(uplink !== undefined && neighbour.includes(uplink.mac), neighbour);
    // The pod is asked after the node: when its answer is there, a second answer of the node's would be too.
    assert.ok(await ping(laptop, pod.address));
    assert.match(await laptop.run(['nft', 'list', 'table', 'netdev', 'answers']), /counter packets 1 /);
    await node.del(pod);
  });

  test('host-access: the same behind the Go macvlan plugin', async () => {
    const { node } = stage();
    const runtime = await node.goRuntime();
    const pod = await node.add(CHAINED, { serving: READY, runtime });
    assert.equal(await ask(node.namespace, { to: pod.address, port: POD_PORT }), `ready ${NODE_ADDRESS}`);
    assert.ok(await ping(pod.namespace, ipv4(NODE_ADDRESS)));
    await runtime.check(pod.network, pod.attachment);
    await node.del(pod, runtime);
    const routes = await node.namespace.ip('route', 'show', pod.address);
    assert.equal(routes.trim(), '', 'the host route goes with the pod');
  });
});
