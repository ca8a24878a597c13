import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { ping } from '../../src/lab/ping.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { removeShimByHand, shimByHand } from './support/by-hand.ts';
import { rebind } from './support/dhcpcd.ts';
import { kubeProxy } from './support/kube-proxy.ts';
import {
  API_PORT,
  API_SERVER_PORT,
  API_SERVICE,
  OWN_API,
  POD_PORT,
  SERVICE_NETWORK,
  WEB_PORT,
  WEB_SERVICE,
} from './support/names.ts';
import { hardCoded, LEASEHOLD } from './support/networks.ts';
import { useStage, type Stage, type StagePod } from './support/stage.ts';
import { hostSide, podSide, SHIM, timeUntil } from './support/view.ts';
import { ask, askInVain } from './support/talk.ts';

const API = { to: API_SERVICE, port: API_PORT };
/** The aim is a second. */
const FOLLOWED_MS = 5000;

async function kubeProxyFor(stage: Stage, web: StagePod): Promise<void> {
  const api = { address: await stage.lan.node.address(), port: API_SERVER_PORT };
  const services = [
    { name: 'kubernetes', address: API_SERVICE, port: API_PORT, endpoints: [api] },
    {
      name: 'web',
      address: WEB_SERVICE,
      port: WEB_PORT,
      endpoints: [{ address: web.address, port: POD_PORT }],
    },
  ];
  await kubeProxy(stage.node.namespace, { services }, 'iptables');
}

/**
 * The router has another address for the node from now on, outside of the pool, where no pod may have it; its DHCP client
 * asks again, is refused, and gets it.
 */
async function readdress(stage: Stage, address: string): Promise<void> {
  const { lan } = stage;
  const { mac } = (await lan.node.state()) ?? assert.fail('the node has an uplink');
  await lan.server.stop();
  await lan.startServer({ kind: 'dnsmasq', lines: [`dhcp-host=${mac},${address}`] });
  await rebind(lan, 'node');
  await timeUntil(
    'the node to have its new address',
    async () => {
      return (await lan.node.state())?.address?.address === address;
    },
    async () => (await readFile(lan.server.logFile, 'utf8')).slice(-1500),
  );
}

async function hostSideHas(stage: Stage, pod: StagePod, address: string): Promise<boolean> {
  const view = await hostSide(stage.node.namespace);
  const route = new RegExp(`^${pod.address.replaceAll('.', '\\.')} .*src ${address} *$`, 'm');
  return view.includes(` ${address}/32 `) && route.test(view);
}

async function assertReaches(pod: StagePod, nodeAddress: string): Promise<void> {
  assert.equal(await ask(pod.namespace, API), `${OWN_API} ${pod.address}`);
  assert.match((await ask(pod.namespace, { to: WEB_SERVICE, port: WEB_PORT })) ?? '', /^web /);
  assert.equal(
    await ask(pod.namespace, { to: nodeAddress, port: API_SERVER_PORT }),
    `${OWN_API} ${pod.address}`,
  );
  assert.ok(await ping(pod.namespace, ipv4(nodeAddress)));
}

describe("step 7: the node's address changes", { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ node: 'dhcpcd' });

  test('address-change: pods that hold the address of their node lose their services', async () => {
    const { node, lan } = stage();
    const address = await lan.node.address();
    const pod = await node.add(hardCoded(SERVICE_NETWORK, address), {
      serving: { name: 'web', port: POD_PORT },
    });
    await shimByHand(node.namespace, address, [pod.address]);
    await kubeProxyFor(stage(), pod);
    assert.equal(await ask(pod.namespace, API), `${OWN_API} ${pod.address}`);
    const changed = '192.168.2.121';
    await readdress(stage(), changed);
    await kubeProxyFor(stage(), pod);
    // The person's script runs again, with the new address; the pod has the old one, which nobody answers for.
    await removeShimByHand(node.namespace);
    await shimByHand(node.namespace, changed, [pod.address]);
    assert.equal(await askInVain(pod.namespace, API), undefined);
    await removeShimByHand(node.namespace);
    await node.del(pod);
  });

  test('address-change: a new lease: shim and routes follow, and no pod is touched', async (t) => {
    const { node } = stage();
    const web = await node.add(LEASEHOLD, { serving: { name: 'web', port: POD_PORT } });
    const pod = await node.add(LEASEHOLD);
    await kubeProxyFor(stage(), web);
    await assertReaches(pod, await stage().lan.node.address());
    const before = await podSide(pod.namespace);

    const address = '192.168.2.122';
    await readdress(stage(), address);
    const ms = await timeUntil('the host side to follow', async () => {
      return await hostSideHas(stage(), pod, address);
    });
    t.diagnostic(`shim and routes have the new address ${ms} ms after it was seen`);
    assert.ok(ms < FOLLOWED_MS, `${ms} ms`);
    await kubeProxyFor(stage(), web);
    await assertReaches(pod, address);
    assert.equal(await ask(node.namespace, { to: web.address, port: POD_PORT }), `web ${address}`);
    assert.equal(await podSide(pod.namespace), before);
    // The old one stays for a moment: a DHCP client may take an address off and put it on again.
    await timeUntil('the shim to have the new address only', async () => {
      const shim = await node.namespace.ip('-4', '-o', 'addr', 'show', 'dev', SHIM);
      return shim.trim().split('\n').length === 1;
    });
    await node.del(pod);
    await node.del(web);
  });
});

// Without a DHCP client, which would put its own address back.
describe("step 7: the node's address changes by hand", { skip: NEEDS_ROOT }, () => {
  const stage = useStage();

  test('address-change: by hand, old and new side by side for a moment', async (t) => {
    const { node, lan } = stage();
    const web = await node.add(LEASEHOLD, { serving: { name: 'web', port: POD_PORT } });
    const old = await lan.node.address();
    const address = '192.168.2.120';
    const router = lan.routerAddress.address;
    await node.namespace.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
    await node.namespace.ip('addr', 'del', `${old}/24`, 'dev', 'eth0');
    // With the first address of its network the kernel removes the others and all routes, unless told to promote them.
    await node.namespace.ip('addr', 'replace', `${address}/24`, 'dev', 'eth0');
    await node.namespace.ip('route', 'replace', 'default', 'via', router);
    const ms = await timeUntil('the host side to follow', async () => {
      return await hostSideHas(stage(), web, address);
    });
    t.diagnostic(`shim and routes have the new address after ${ms} ms`);
    assert.ok(ms < FOLLOWED_MS, `${ms} ms`);
    await kubeProxyFor(stage(), web);
    await assertReaches(web, address);
    await node.del(web);
  });
});
