import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { KUBE_PROXY_MODES, kubeProxy, withoutKubeProxy, type KubeService } from './support/kube-proxy.ts';
import { NODE_PORT, POD_PORT, WEB_PORT, WEB_SERVICE } from './support/names.ts';
import { CHAINED, LEASEHOLD, WITHOUT_LAST_HOP } from './support/networks.ts';
import {
  LAPTOP_ADDRESS,
  NODE_ADDRESS,
  SECOND_NODE_ADDRESS,
  useStage,
  type StagePod,
} from './support/stage.ts';
import { ask, askInVain } from './support/talk.ts';

const NODE_WEB = { to: NODE_ADDRESS, port: NODE_PORT };
const SERVICE = { to: WEB_SERVICE, port: WEB_PORT };
const PAIR_SERVICE = '10.43.6.6';
const PROTOCOLS = ['tcp', 'udp'] as const;

/** A service of one pod with a node port that keeps the client's address, for both protocols. */
function webOf(pod: StagePod): readonly KubeService[] {
  const endpoints = [{ address: pod.address, port: POD_PORT }];
  return PROTOCOLS.map((protocol) => ({
    name: `web-${protocol}`,
    protocol,
    address: WEB_SERVICE,
    port: WEB_PORT,
    nodePort: NODE_PORT,
    policy: 'Local',
    endpoints,
  }));
}

const serving = (name: string) => ({ serving: { name, port: POD_PORT } });

describe('step 8: answers go back the way the question came', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ secondNode: true });

  test('last-hop: without, a node port that keeps the client address answers nobody on the LAN', async () => {
    const { node } = stage();
    const pod = await node.add(WITHOUT_LAST_HOP, serving('web'));
    assert.equal((await pod.namespace.run(['nft', 'list', 'ruleset'])).trim(), '', 'no table in the pod');
    await kubeProxy(node.namespace, { services: webOf(pod) }, 'iptables');
    for (const by of PROTOCOLS)
      assert.equal(await askInVain(stage().laptop, { ...NODE_WEB, by }), undefined, by);
    // Past the node the client is answered: it is the way back that is wrong.
    assert.equal(await ask(stage().laptop, { to: pod.address, port: POD_PORT }), `web ${LAPTOP_ADDRESS}`);
    await withoutKubeProxy(node.namespace, 'iptables');
    await node.del(pod);
  });

  for (const mode of KUBE_PROXY_MODES) {
    describe(`with kube-proxy's ${mode} rules`, () => {
      let [web, neighbour, far]: readonly StagePod[] = [];
      const pods = (): readonly [StagePod, StagePod, StagePod] => {
        assert.ok(web !== undefined && neighbour !== undefined && far !== undefined);
        return [web, neighbour, far];
      };
      before(async () => {
        const { node, second } = stage();
        [web, neighbour, far] = await Promise.all([
          node.add(LEASEHOLD, serving('web')),
          node.add(LEASEHOLD, serving('neighbour')),
          second.add(LEASEHOLD, serving('far')),
        ]);
        const pair = {
          name: 'pair',
          address: PAIR_SERVICE,
          port: WEB_PORT,
          endpoints: [neighbour, far].map(({ address }) => ({ address, port: POD_PORT })),
        };
        // The second node's rules name a pod of the first as its own: the packet goes on without another source.
        const services = [...webOf(web), pair];
        for (const { namespace } of [node, second]) await kubeProxy(namespace, { services }, mode);
      });
      after(async () => {
        const { node, second } = stage();
        for (const { namespace } of [node, second]) await withoutKubeProxy(namespace, mode);
        const [onFirst, alsoOnFirst, onSecond] = pods();
        await Promise.all([node.del(onFirst), node.del(alsoOnFirst), second.del(onSecond)]);
      });

      for (const by of PROTOCOLS) {
        test(`last-hop: ${mode}, ${by}: a node port is answered, and the pod sees who asks`, async () => {
          const [, , other] = pods();
          assert.equal(await ask(stage().laptop, { ...NODE_WEB, by }), `web ${LAPTOP_ADDRESS}`);
          assert.equal(
            await ask(stage().second.namespace, { ...NODE_WEB, by }),
            `web ${SECOND_NODE_ADDRESS}`,
          );
          assert.equal(await ask(other.namespace, { ...NODE_WEB, by }), `web ${other.address}`);
          assert.equal(await ask(stage().node.namespace, { ...NODE_WEB, by }), `web ${NODE_ADDRESS}`);
        });

        test(`last-hop: ${mode}, ${by}: through a node that the pod is not on`, async () => {
          const through = { to: SECOND_NODE_ADDRESS, port: NODE_PORT, by };
          assert.equal(await ask(stage().laptop, through), `web ${LAPTOP_ADDRESS}`);
        });

        test(`last-hop: ${mode}, ${by}: pods of the same node, by service, to itself and a neighbour`, async () => {
          const [self, other] = pods();
          assert.equal(await ask(other.namespace, { ...SERVICE, by }), `web ${other.address}`);
          // To itself kube-proxy masquerades, or the pod would answer itself within.
          assert.equal(await ask(self.namespace, { ...SERVICE, by }), `web ${NODE_ADDRESS}`);
          assert.equal(await ask(other.namespace, { ...NODE_WEB, by }), `web ${other.address}`);
          assert.equal(await ask(self.namespace, { ...NODE_WEB, by }), `web ${NODE_ADDRESS}`);
        });
      }

      test(`last-hop: ${mode}: a service of pods on both nodes, from both nodes`, async () => {
        const [self, neighbourOfSelf, onSecond] = pods();
        const service = { to: PAIR_SERVICE, port: WEB_PORT };
        for (const pod of [self, onSecond]) {
          const answers = new Set<string | undefined>();
          // Which of the two answers is chance: seven times the same one is one in sixty-four.
          for (let tries = 0; tries < 7; tries++) answers.add(await ask(pod.namespace, service));
          for (const answer of answers) assert.match(answer ?? 'nobody', /^(neighbour|far) /);
        }
        assert.ok(neighbourOfSelf.address);
      });

      test(`last-hop: ${mode}: who asks the pod itself is answered as before`, async () => {
        const [pod] = pods();
        for (const by of PROTOCOLS) {
          const direct = { to: pod.address, port: POD_PORT, by };
          assert.equal(await ask(stage().laptop, direct), `web ${LAPTOP_ADDRESS}`);
          assert.equal(await ask(stage().node.namespace, direct), `web ${NODE_ADDRESS}`);
        }
      });
    });
  }

  test('last-hop: a person can list the rules in a pod, and the table goes with the pod', async () => {
    const { node } = stage();
    const pod = await node.add(LEASEHOLD, serving('web'));
    assert.ok(await ask(stage().laptop, { to: pod.address, port: POD_PORT }));
    assert.match(await pod.namespace.run(['nft', 'list', 'ruleset']), /hook egress device "eth0"/);
    await node.del(pod);
    assert.equal((await pod.namespace.run(['nft', 'list', 'ruleset'])).trim(), '');
  });

  test('last-hop: the same behind the Go macvlan plugin', async () => {
    const { node } = stage();
    const runtime = await node.goRuntime();
    const pod = await node.add(CHAINED, { ...serving('web'), runtime });
    await kubeProxy(node.namespace, { services: webOf(pod) }, 'iptables');
    for (const by of PROTOCOLS)
      assert.equal(await ask(stage().laptop, { ...NODE_WEB, by }), `web ${LAPTOP_ADDRESS}`);
    assert.equal(await ask(pod.namespace, SERVICE), `web ${NODE_ADDRESS}`);
    await withoutKubeProxy(node.namespace, 'iptables');
    await node.del(pod, runtime);
  });
});
