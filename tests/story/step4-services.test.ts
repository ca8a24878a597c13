import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { KUBE_PROXY_MODES, kubeProxy, withoutKubeProxy } from './support/kube-proxy.ts';
import {
  API_PORT,
  API_SERVER_PORT,
  API_SERVICE,
  OWN_API,
  POD_PORT,
  SERVICE_NETWORK,
  UNKNOWN_SERVICE,
  WEB_PORT,
  WEB_SERVICE,
} from './support/names.ts';
import { CHAINED, GO_STYLE, LEASEHOLD } from './support/networks.ts';
import { OTHER_API } from './support/other-cluster.ts';
import { NODE_ADDRESS, useStage, type Stage, type StagePod } from './support/stage.ts';
import { ask, askInVain } from './support/talk.ts';

const API = { to: API_SERVICE, port: API_PORT };
const UNKNOWN = { to: UNKNOWN_SERVICE, port: API_PORT };

function services(web: StagePod) {
  const api = { address: NODE_ADDRESS, port: API_SERVER_PORT };
  return [
    { name: 'kubernetes', address: API_SERVICE, port: API_PORT, endpoints: [api] },
    {
      name: 'web',
      address: WEB_SERVICE,
      port: WEB_PORT,
      endpoints: [{ address: web.address, port: POD_PORT }],
    },
  ];
}

/** Runs it, and shows that neither the other cluster nor the LAN saw anything of it. */
async function unseen(stage: Stage, work: () => Promise<void>): Promise<void> {
  const seen = await stage.other.seen();
  await work();
  assert.deepEqual(await stage.other.seen(), seen);
}

describe('step 4: service traffic', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();

  test('service-traffic: a macvlan pod that asks for its API server reaches that of another cluster', async () => {
    const { node, other } = stage();
    const pod = await node.add(GO_STYLE);
    await kubeProxy(node.namespace, { services: services(pod) }, 'iptables');
    const { visits } = await other.seen();
    assert.equal(await ask(pod.namespace, API), `${OTHER_API} ${pod.address}`);
    assert.ok((await other.seen()).visits > visits);
    await withoutKubeProxy(node.namespace, 'iptables');
    await node.del(pod);
  });

  for (const mode of KUBE_PROXY_MODES) {
    describe(`with kube-proxy's ${mode} rules`, () => {
      let [web, client]: readonly StagePod[] = [];
      const pods = (): readonly [StagePod, StagePod] => {
        assert.ok(web !== undefined && client !== undefined);
        return [web, client];
      };
      before(async () => {
        const { node } = stage();
        web = await node.add(LEASEHOLD, { serving: { name: 'web', port: POD_PORT } });
        client = await node.add(LEASEHOLD);
        await kubeProxy(node.namespace, { services: services(web) }, mode);
      });
      after(async () => {
        for (const pod of pods()) await stage().node.del(pod);
        await withoutKubeProxy(stage().node.namespace, mode);
      });

      test(`service-traffic: ${mode}: pods and node reach this cluster's services, the LAN sees nothing`, async () => {
        const [, pod] = pods();
        const { node } = stage();
        await unseen(stage(), async () => {
          assert.equal(await ask(pod.namespace, API), `${OWN_API} ${pod.address}`);
          assert.equal(await ask(pod.namespace, { to: WEB_SERVICE, port: WEB_PORT }), `web ${pod.address}`);
          assert.equal(await ask(node.namespace, API), `${OWN_API} ${NODE_ADDRESS}`);
          assert.match((await ask(node.namespace, { to: WEB_SERVICE, port: WEB_PORT })) ?? '', /^web /);
        });
      });

      test(`service-traffic: ${mode}: what is for no service never leaves, from a pod or the node`, async () => {
        const [, pod] = pods();
        await unseen(stage(), async () => {
          const answers = await Promise.all(
            [pod.namespace, stage().node.namespace].flatMap((from) => [
              askInVain(from, UNKNOWN),
              askInVain(from, { ...UNKNOWN, by: 'udp' }),
              // A service that has rules, at a port that has none.
              askInVain(from, { to: API_SERVICE, port: 444 }),
            ]),
          );
          assert.deepEqual(new Set(answers), new Set([undefined]));
        });
      });
    });
  }

  test('service-traffic: before kube-proxy has written anything nothing leaves', async () => {
    const { node } = stage();
    const pod = await node.add(LEASEHOLD);
    await unseen(stage(), async () => {
      assert.equal(await askInVain(pod.namespace, API), undefined);
      assert.equal(await askInVain(node.namespace, API), undefined);
    });
    await node.del(pod);
  });

  test('service-traffic: a pod without its routes is stopped at the uplink', async () => {
    const { node } = stage();
    const pod = await node.add(LEASEHOLD);
    await pod.namespace.ip('route', 'flush', SERVICE_NETWORK);
    await unseen(stage(), async () => {
      assert.equal(await askInVain(pod.namespace, API), undefined);
      assert.equal(await askInVain(pod.namespace, { ...API, by: 'udp' }), undefined);
    });
    await node.del(pod);
  });

  test('service-traffic: the same behind the Go macvlan plugin', async () => {
    const { node } = stage();
    const runtime = await node.goRuntime();
    const pod = await node.add(CHAINED, { runtime });
    await kubeProxy(node.namespace, { services: services(pod) }, 'nftables');
    await unseen(stage(), async () => {
      assert.equal(await ask(pod.namespace, API), `${OWN_API} ${pod.address}`);
      assert.equal(await askInVain(pod.namespace, UNKNOWN), undefined);
    });
    await withoutKubeProxy(node.namespace, 'nftables');
    await node.del(pod, runtime);
  });
});
