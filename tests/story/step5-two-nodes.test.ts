import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseNetworkList } from '../../src/lab/cni-conf.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { removeShimByHand, shimByHand } from './support/by-hand.ts';
import { kubeProxy } from './support/kube-proxy.ts';
import {
  API_PORT,
  API_SERVER_PORT,
  API_SERVICE,
  OWN_API,
  POD_PORT,
  SERVICE_NETWORK,
} from './support/names.ts';
import { hardCoded, LEASEHOLD_TEXT } from './support/networks.ts';
import { NODE_ADDRESS, SECOND_NODE_ADDRESS, useStage, type Stage } from './support/stage.ts';
import { ask, askInVain } from './support/talk.ts';

const API = { to: API_SERVICE, port: API_PORT };

/** The API server runs on the second node; both nodes have the rules for it. */
async function clusterWithApiOnSecond(stage: Stage): Promise<void> {
  await stage.serve(stage.second.namespace, OWN_API, API_SERVER_PORT);
  const endpoints = [{ address: SECOND_NODE_ADDRESS, port: API_SERVER_PORT }];
  const services = [{ name: 'kubernetes', address: API_SERVICE, port: API_PORT, endpoints }];
  // Its default cluster CIDR makes k3s masquerade every client on the LAN, and so answers of another node come back here.
  const rules = { services, clusterCidr: '10.42.0.0/16' };
  for (const node of [stage.node, stage.second]) await kubeProxy(node.namespace, rules, 'iptables');
}

/** Takes the first node off the LAN while that runs. */
async function withoutFirstNode(stage: Stage, work: () => Promise<void>): Promise<void> {
  const { router, node } = stage.lan;
  await router.ip('link', 'set', node.port, 'down');
  try {
    await work();
  } finally {
    await router.ip('link', 'set', node.port, 'up');
  }
}

describe('step 5: two nodes and one configuration', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ secondNode: true });

  test('nothing-hard-coded: with a fixed next hop the pods of the second node depend on the first', async () => {
    await clusterWithApiOnSecond(stage());
    const { node, second } = stage();
    const network = hardCoded(SERVICE_NETWORK, NODE_ADDRESS);
    const pod = await second.add(network);
    await shimByHand(node.namespace, NODE_ADDRESS, []);
    await shimByHand(second.namespace, SECOND_NODE_ADDRESS, [pod.address]);
    const route = await pod.namespace.ip('route', 'get', API_SERVICE);
    assert.match(route, new RegExp(`via ${NODE_ADDRESS}`));
    await withoutFirstNode(stage(), async () => {
      assert.equal(await askInVain(pod.namespace, API), undefined);
    });
    for (const { namespace } of [node, second]) await removeShimByHand(namespace);
    await second.del(pod);
  });

  test('nothing-hard-coded: the same text serves the pods of both nodes, each from its own', async () => {
    const { node, second } = stage();
    const network = parseNetworkList(LEASEHOLD_TEXT);
    const serving = { name: 'pod', port: POD_PORT };
    const pods = [await node.add(network, { serving }), await second.add(network, { serving })] as const;
    for (const [at, pod] of [[node, pods[0]] as const, [second, pods[1]] as const]) {
      assert.ok(await ask(at.namespace, { to: pod.address, port: POD_PORT }));
      assert.match((await ask(pod.namespace, API)) ?? '', new RegExp(`^${OWN_API} `));
    }
    // Each node reaches the pods of the other too, as anything else on the LAN.
    assert.ok(await ask(node.namespace, { to: pods[1].address, port: POD_PORT }));
    assert.ok(await ask(second.namespace, { to: pods[0].address, port: POD_PORT }));
    await withoutFirstNode(stage(), async () => {
      assert.match((await ask(pods[1].namespace, API)) ?? '', new RegExp(`^${OWN_API} `));
    });
    await node.del(pods[0]);
    await second.del(pods[1]);
  });
});
