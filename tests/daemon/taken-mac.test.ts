import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Namespace } from '../../src/lab/namespace.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressIn, NODE_ADDRESS, networkOf, useSite } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const LEASEHOLD = networkOf([{ type: 'leasehold' }]);

async function macOf(namespace: Namespace, link: string): Promise<string> {
  const outcome = await namespace.runToEnd(['ip', '-br', 'link', 'show', link]);
  return /([0-9a-f]{2}:){5}[0-9a-f]{2}/.exec(outcome.stdout)?.[0] ?? '';
}

async function pings(from: Namespace, to: string): Promise<boolean> {
  return (await from.runToEnd(['ping', '-c', '1', '-W', '0.5', to])).status === 0;
}

/** The kernel of a pod asks again where its neighbour is when it got no answer for so long (delay_first_probe_time). */
const KERNEL_ASKS_AGAIN_MS = 5000;

describe("a pod that takes the shim's MAC address while the shim is away", { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  test('the others know the new one at once: the node reaches them, and they the node', async () => {
    const good = await site().add(LEASEHOLD);
    const bad = await site().add(LEASEHOLD);
    const address = addressIn(good.result);
    // From then on it knows the node by the MAC address of the shim.
    await good.pod.namespace.run(['ping', '-c', '1', '-W', '2', NODE_ADDRESS]);
    const before = await macOf(site().node, 'lh0');
    const take = `until ip link set eth0 address ${before} 2>/dev/null; do :; done`;
    const taking = bad.pod.namespace.run(['timeout', '20', 'sh', '-c', take]);
    await site().node.ip('link', 'del', 'lh0');
    await taking;
    await waitFor('a shim with another address', async () => {
      const now = await macOf(site().node, 'lh0');
      return now !== '' && now !== before;
    });
    await waitFor('the node to reach the other pod', () => pings(site().node, address), {
      deadlineMs: KERNEL_ASKS_AGAIN_MS,
    });
    assert.ok(await pings(good.pod.namespace, NODE_ADDRESS));
    // The LAN goes on to know the node by its uplink.
    const { stdout } = await site().lan.router.runToEnd(['ip', 'neigh', 'show', NODE_ADDRESS]);
    assert.ok(!stdout.includes(await macOf(site().node, 'lh0')), stdout);
  });
});
