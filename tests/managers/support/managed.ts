import assert from 'node:assert/strict';
import { getJson } from '../../../src/api/client.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ping } from '../../../src/lab/ping.ts';
import { UPLINK } from '../../../src/lab/host.ts';
import { kubeProxy } from '../../story/support/kube-proxy.ts';
import {
  API_PORT,
  API_SERVER_PORT,
  API_SERVICE,
  OWN_API,
  POD_PORT,
  WEB_PORT,
  WEB_SERVICE,
} from '../../story/support/names.ts';
import { LEASEHOLD } from '../../story/support/networks.ts';
import type { Stage } from '../../story/support/stage.ts';
import type { Pods } from '../../story/support/streams.ts';
import { ask } from '../../story/support/talk.ts';
import { hostSide, SHIM, timeUntil } from '../../story/support/view.ts';

/** No connection may be held up longer while its node has an address; what is measured is far less. */
export const LONGEST_GAP_MS = 5000;
/** TCP waits twice as long after each try that was lost: an uplink without an address costs more than it lasts. */
export const LONGEST_GAP_WITHOUT_UPLINK_MS = 15_000;
/** After the manager has done its part; measured are some ten milliseconds, on a busy machine seconds only to look. */
export const REGAINED_MS = 8000;

/** A web server's pod and a client's, on a node whose uplink has its address already. */
export async function addPods(stage: Stage): Promise<Pods> {
  const { node } = stage;
  const web = await node.add(LEASEHOLD, { serving: { name: 'web', port: POD_PORT } });
  const pods = { web, client: await node.add(LEASEHOLD) };
  await writeServices(stage, pods);
  return pods;
}

/** What kube-proxy does when it hears of the node's address. */
export async function writeServices(stage: Stage, { web }: Pods): Promise<void> {
  const api = { address: await stage.lan.node.address(), port: API_SERVER_PORT };
  const endpoints = [{ address: web.address, port: POD_PORT }];
  const services = [
    { name: 'kubernetes', address: API_SERVICE, port: API_PORT, endpoints: [api] },
    { name: 'web', address: WEB_SERVICE, port: WEB_PORT, endpoints },
  ];
  await kubeProxy(stage.node.namespace, { services }, 'iptables');
}

/** Node and pods reach each other, and pods their services. */
export async function assertReaches(stage: Stage, { web, client }: Pods): Promise<void> {
  const { node, lan } = stage;
  const address = await lan.node.address();
  const seen = `${OWN_API} ${client.address}`;
  assert.equal(await ask(node.namespace, { to: web.address, port: POD_PORT }), `web ${address}`);
  assert.equal(await ask(client.namespace, { to: WEB_SERVICE, port: WEB_PORT }), `web ${client.address}`);
  assert.equal(await ask(client.namespace, { to: API_SERVICE, port: API_PORT }), seen);
  assert.equal(await ask(client.namespace, { to: address, port: API_SERVER_PORT }), seen);
  assert.ok(await ping(client.namespace, ipv4(address)), 'pod to node');
  assert.ok(await ask(stage.laptop, { to: address, port: API_SERVER_PORT }), 'LAN to node');
}

/** Milliseconds until shim and routes have exactly the node's address as it is now. */
export async function untilFollowed(stage: Stage, pods: Pods): Promise<number> {
  const { namespace } = stage.node;
  const address = await stage.lan.node.address();
  const view = async (): Promise<string> => await hostSide(namespace);
  const ms = await timeUntil(
    `the host side to have ${address}`,
    async () => {
      const text = await view();
      return (
        text.includes(` ${address}/32 `) &&
        [pods.web, pods.client].every((pod) =>
          new RegExp(`^${pod.address.replaceAll('.', '\\.')} .*src ${address} *$`, 'm').test(text),
        )
      );
    },
    view,
  );
  assert.ok(ms < REGAINED_MS, `${ms} ms`);
  return ms;
}

/** Milliseconds until all of the host side, rules and tables too, is again as it was. */
export async function untilWhole(stage: Stage, whole: string): Promise<number> {
  const view = async (): Promise<string> => await hostSide(stage.node.namespace);
  const ms = await timeUntil('the host side to be whole', async () => (await view()) === whole, view);
  assert.ok(ms < REGAINED_MS, `${ms} ms`);
  return ms;
}

/**
 * What a manager has on the uplink. Lifetimes, which run, are left out, and metrics: networkd 252 sets that of an address
 * or does not, by turns of its restarts, with pods or without.
 */
export async function uplinkOf(stage: Stage): Promise<string> {
  const script = `ip -o -4 addr show dev ${UPLINK}; ip -4 route show dev ${UPLINK}`;
  const text = await stage.node.namespace.run(['sh', '-c', script]);
  return text.replaceAll(/ (valid_lft|preferred_lft|metric) \S+/g, '');
}

/** Other routes in the main table than those of the uplink and ours. */
export async function otherRoutes(stage: Stage): Promise<readonly string[]> {
  const text = await stage.node.namespace.ip('-4', 'route', 'show');
  return text
    .split('\n')
    .filter((line) => line !== '' && !/ proto 76\b/.test(line) && !line.includes(UPLINK));
}

/** What of the host side is changed back again and again. */
export async function fights(stage: Stage): Promise<readonly unknown[]> {
  const view = await getJson(stage.node.socket, '/v1/host');
  assert.ok(typeof view === 'object' && view !== null && 'fights' in view && Array.isArray(view['fights']));
  return view['fights'];
}

export async function addressesOnShim(stage: Stage): Promise<readonly string[]> {
  const text = await stage.node.namespace.ip('-o', '-4', 'addr', 'show', 'dev', SHIM);
  return [...text.matchAll(/inet (\S+)/g)].map(([, one]) => one ?? '');
}
