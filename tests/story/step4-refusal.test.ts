import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { Namespace } from '../../src/lab/namespace.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { KUBE_PROXY_MODES, kubeProxy, withoutKubeProxy, type KubeService } from './support/kube-proxy.ts';
import { API_PORT, POD_PORT, UNKNOWN_SERVICE, WEB_PORT, WEB_SERVICE } from './support/names.ts';
import { LEASEHOLD } from './support/networks.ts';
import { useStage, type StagePod } from './support/stage.ts';
import { knock } from './support/talk.ts';

const WEB = { to: WEB_SERVICE, port: WEB_PORT };
const MANY = 100;
/** The kernel tells a host of six ICMP errors in a row, then of one a second (XRLIM_BURST_FACTOR). */
const FEW = 3;
/** Enough for some changes of the rules meanwhile. */
const MANY_CHANGING = 300;

describe('step 4: a service that nobody answers for', { skip: NEEDS_ROOT }, () => {
  const stage = useStage();
  let [web, client]: readonly StagePod[] = [];
  const pods = (): { readonly web: StagePod; readonly client: StagePod } => {
    assert.ok(web !== undefined && client !== undefined);
    return { web, client };
  };

  /** Without endpoints, or with the pod as the one that there is. */
  function services(isServed: boolean): readonly KubeService[] {
    const endpoints = isServed ? [{ address: pods().web.address, port: POD_PORT }] : [];
    const service = { name: 'web', address: WEB_SERVICE, port: WEB_PORT, endpoints };
    return [service, { ...service, name: 'web-udp', protocol: 'udp' as const }];
  }

  before(async () => {
    const { node } = stage();
    web = await node.add(LEASEHOLD, { serving: { name: 'web', port: POD_PORT } });
    client = await node.add(LEASEHOLD);
  });

  for (const mode of KUBE_PROXY_MODES) {
    test(`refusal: ${mode}: without endpoints a pod is refused at once and every time, and so is the node`, async (t) => {
      const { node, other } = stage();
      const seen = await other.seen();
      t.after(() => withoutKubeProxy(node.namespace, mode));
      await kubeProxy(node.namespace, { services: services(false) }, mode);
      const from = pods().client.namespace;
      assert.deepEqual(await knock(from, { ...WEB, by: 'udp' }, FEW), {
        heard: { ECONNREFUSED: FEW },
        resent: 0,
      });
      assert.deepEqual(await knock(from, WEB, MANY), { heard: { ECONNREFUSED: MANY }, resent: 0 });
      const { heard, resent } = await knock(node.namespace, WEB, FEW);
      assert.deepEqual(heard, { ECONNREFUSED: FEW });
      t.diagnostic(`the node sent ${resent} segments again`);
      assert.deepEqual(await other.seen(), seen);
    });

    test(`refusal: ${mode}: while endpoints come and go a pod is answered or refused, and nothing leaves`, async (t) => {
      const { node, other } = stage();
      const seen = await other.seen();
      t.after(() => withoutKubeProxy(node.namespace, mode));
      await kubeProxy(node.namespace, { services: services(true) }, mode);
      const over = new AbortController();
      const knocking = knock(pods().client.namespace, WEB, MANY_CHANGING).finally(() => over.abort());
      for (let isServed = false; !over.signal.aborted; isServed = !isServed)
        await kubeProxy(node.namespace, { services: services(isServed) }, mode);
      const { heard, resent } = await knocking;
      const { answered = 0, ECONNREFUSED: refused = 0 } = heard;
      assert.equal(answered + refused, MANY_CHANGING, JSON.stringify(heard));
      assert.ok(refused > 0, JSON.stringify(heard));
      assert.equal(resent, 0);
      assert.deepEqual(await other.seen(), seen);
    });
  }

  test('refusal: an address of a service that the node has itself is answered, as IPVS does it', async () => {
    const { node } = stage();
    await node.namespace.ip('addr', 'add', `${UNKNOWN_SERVICE}/32`, 'dev', 'lo');
    await stage().serve(node.namespace, 'ipvs', POD_PORT);
    const to = { to: UNKNOWN_SERVICE, port: POD_PORT };
    assert.deepEqual((await knock(pods().client.namespace, to, FEW)).heard, { answered: FEW });
    await node.namespace.ip('addr', 'del', `${UNKNOWN_SERVICE}/32`, 'dev', 'lo');
  });

  test('refusal: without a default route a pod is refused all the same', async () => {
    const { node } = stage();
    const route = (await node.namespace.ip('route', 'show', 'default')).trim().split(/\s+/);
    await node.namespace.ip('route', 'del', 'default');
    assert.deepEqual(await knock(pods().client.namespace, WEB, FEW), {
      heard: { ECONNREFUSED: FEW },
      resent: 0,
    });
    await node.namespace.ip('route', 'add', ...route);
  });

  test('refusal: with a default route by another interface of the node a pod is refused all the same', async () => {
    const { lan, node } = stage();
    const route = (await node.namespace.ip('route', 'show', 'default')).trim().split(/\s+/);
    const far = await Namespace.create(`${lan.prefix}-far`, lan.resources);
    await node.namespace.ip('link', 'add', 'vpn0', 'type', 'veth', 'peer', 'name', 'vpn0', 'netns', far.name);
    await node.namespace.ip('addr', 'add', '10.8.0.2/24', 'dev', 'vpn0');
    await far.ip('addr', 'add', '10.8.0.1/24', 'dev', 'vpn0');
    for (const end of [node.namespace, far]) await end.ip('link', 'set', 'vpn0', 'up');
    await node.namespace.ip('route', 'replace', 'default', 'via', '10.8.0.1');
    const knocked = await knock(pods().client.namespace, WEB, FEW);
    assert.deepEqual(knocked, { heard: { ECONNREFUSED: FEW }, resent: 0 });

    // A route of the node's own by the same interface still leads there.
    await far.ip('addr', 'add', `${UNKNOWN_SERVICE}/32`, 'dev', 'lo');
    await far.ip('route', 'add', 'default', 'via', '10.8.0.2');
    await stage().serve(far, 'far', POD_PORT);
    await node.namespace.run(['sysctl', '-qw', 'net.ipv4.conf.vpn0.forwarding=1']);
    await node.namespace.ip('route', 'add', UNKNOWN_SERVICE, 'via', '10.8.0.1');
    const to = { to: UNKNOWN_SERVICE, port: POD_PORT };
    assert.deepEqual((await knock(pods().client.namespace, to, FEW)).heard, { answered: FEW });
    await node.namespace.ip('link', 'del', 'vpn0');
    await node.namespace.ip('route', 'replace', ...route);
  });

  test('refusal: what is for no service, and before kube-proxy has written anything, the same', async () => {
    const { other } = stage();
    const seen = await other.seen();
    const from = pods().client.namespace;
    for (const to of [WEB, { to: UNKNOWN_SERVICE, port: API_PORT }])
      assert.deepEqual(await knock(from, to, FEW), { heard: { ECONNREFUSED: FEW }, resent: 0 });
    assert.deepEqual(await other.seen(), seen);
  });
});
