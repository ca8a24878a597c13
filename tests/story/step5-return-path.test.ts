import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { KUBE_PROXY_MODES, kubeProxy, withoutKubeProxy } from './support/kube-proxy.ts';
import {
  API_PORT,
  API_SERVER_PORT,
  API_SERVICE,
  NODE_PORT,
  OWN_API,
  POD_PORT,
  WEB_PORT,
  WEB_SERVICE,
} from './support/names.ts';
import { GO_STYLE, LEASEHOLD } from './support/networks.ts';
import {
  LAPTOP_ADDRESS,
  NODE_ADDRESS,
  SECOND_NODE_ADDRESS,
  useStage,
  type StageNode,
  type StagePod,
} from './support/stage.ts';
import { ask, askInVain } from './support/talk.ts';
import { timeUntil } from './support/view.ts';

const API = { to: API_SERVICE, port: API_PORT };
/** Answered by a pod of the second node that Leasehold does nothing for. */
const FAR_SERVICE = '10.43.8.8';
const FAR = { to: FAR_SERVICE, port: WEB_PORT };
const WEB = { to: WEB_SERVICE, port: WEB_PORT };
const RETURN_PATH = ['nft', 'list', 'table', 'ip', 'leasehold'];
const PROTOCOLS = ['tcp', 'udp'] as const;

const serving = (name: string) => ({ serving: { name, port: POD_PORT } });

type Pods = { readonly web: StagePod; readonly client: StagePod; readonly far: StagePod };

/** Without a cluster CIDR: kube-proxy masquerades nobody but a pod that asks itself. */
function servicesOf({ web, far }: Pods) {
  return PROTOCOLS.flatMap((protocol) => {
    const service = (name: string, address: string, port: number, endpoint: readonly [string, number]) => ({
      name: `${name}-${protocol}`,
      protocol,
      address,
      port,
      endpoints: [{ address: endpoint[0], port: endpoint[1] }],
    });
    return [
      service('kubernetes', API_SERVICE, API_PORT, [SECOND_NODE_ADDRESS, API_SERVER_PORT]),
      service('far', FAR_SERVICE, WEB_PORT, [far.address, POD_PORT]),
      {
        ...service('web', WEB_SERVICE, WEB_PORT, [web.address, POD_PORT]),
        nodePort: NODE_PORT,
        policy: 'Local' as const,
      },
    ];
  });
}

async function hasReturnPath({ namespace }: StageNode): Promise<boolean> {
  return (await namespace.runToEnd(RETURN_PATH)).status === 0;
}

describe('step 5: services that another node answers', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ secondNode: true });
  let made: Pods | undefined;
  const pods = (): Pods => {
    assert.ok(made !== undefined);
    return made;
  };

  before(async () => {
    const { node, second } = stage();
    await stage().serve(second.namespace, OWN_API, API_SERVER_PORT);
    const web = await node.add(LEASEHOLD, serving('web'));
    const client = await node.add(LEASEHOLD);
    made = { web, client, far: await second.add(GO_STYLE, serving('far')) };
  });

  for (const mode of KUBE_PROXY_MODES) {
    test(`return-path: ${mode}: without, whoever answers from elsewhere answers the pod directly, in vain`, async () => {
      const { node } = stage();
      await kubeProxy(node.namespace, { services: servicesOf(pods()) }, mode);
      await node.stopDaemon();
      await node.namespace.run(['nft', 'delete', 'table', 'ip', 'leasehold']);
      for (const by of PROTOCOLS) {
        assert.equal(await askInVain(pods().client.namespace, { ...API, by }), undefined, by);
        assert.equal(await askInVain(pods().client.namespace, { ...FAR, by }), undefined, by);
      }
      // What this node answers itself needs no help.
      const { client } = pods();
      assert.equal(await ask(client.namespace, WEB), `web ${client.address}`);
      await node.startDaemon();
      await timeUntil('the table to be back', async () => await hasReturnPath(node));
      await withoutKubeProxy(node.namespace, mode);
    });

    test(`return-path: ${mode}: the answer of another node, and of a pod on it, comes back`, async () => {
      const { node } = stage();
      await kubeProxy(node.namespace, { services: servicesOf(pods()) }, mode);
      const { client, web } = pods();
      for (const by of PROTOCOLS) {
        // The other end sees the node, to which it answers.
        assert.equal(await ask(client.namespace, { ...API, by }), `${OWN_API} ${NODE_ADDRESS}`);
        assert.equal(await ask(client.namespace, { ...FAR, by }), `far ${NODE_ADDRESS}`);
        // On this node the client's address stays what kube-proxy left: to itself it masquerades.
        assert.equal(await ask(client.namespace, { ...WEB, by }), `web ${client.address}`);
        assert.equal(await ask(web.namespace, { ...WEB, by }), `web ${NODE_ADDRESS}`);
      }
      await withoutKubeProxy(node.namespace, mode);
    });

    test(`return-path: ${mode}: who comes from the LAN, or asks a pod itself, keeps its address`, async () => {
      const { node } = stage();
      await kubeProxy(node.namespace, { services: servicesOf(pods()) }, mode);
      const { client, far } = pods();
      for (const by of PROTOCOLS) {
        const nodePort = { to: NODE_ADDRESS, port: NODE_PORT, by };
        assert.equal(await ask(stage().laptop, nodePort), `web ${LAPTOP_ADDRESS}`);
        assert.equal(await ask(far.namespace, nodePort), `web ${far.address}`);
        const direct = { to: far.address, port: POD_PORT, by };
        assert.equal(await ask(client.namespace, direct), `far ${client.address}`);
      }
      await withoutKubeProxy(node.namespace, mode);
    });
  }
});
