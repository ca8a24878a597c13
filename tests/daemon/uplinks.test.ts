import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { getOverSocket } from '../../src/lab/daemon.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressIn, networkOf, NODE_ADDRESS, ROUTER, useSite } from '../plugins/support/site.ts';

// What happens to uplinks, and what uplinks there are, with a real kernel.

const options = { skip: NEEDS_ROOT };
const SERVICES = '10.43.0.0/16';
const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
const SHIM = /^\d+: (lh\d+)@/gm;

async function pings(from: Namespace, to: string): Promise<boolean> {
  const { status } = await from.runToEnd(['ping', '-c', '1', '-W', '2', to]);
  return status === 0;
}

async function shims(node: Namespace): Promise<readonly string[]> {
  const links = await node.run(['ip', '-o', 'link', 'show', 'type', 'macvlan']);
  return [...links.matchAll(SHIM)].flatMap(([, name]) => name ?? []);
}

async function macOf(place: Namespace, ifname: string): Promise<string> {
  const text = await place.run(['ip', 'link', 'show', ifname]);
  return /link\/ether (\S+)/.exec(text)?.[1] ?? '';
}

describe('an uplink that gets another name', () => {
  const site = useSite({ config: { services: [SERVICES] } });

  async function hostRecords(): Promise<string> {
    const folder = join(site().daemon.stateDir, 'host');
    const texts = (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8'));
    return (await Promise.all(texts)).join('\n');
  }

  test('is followed while the daemon runs, and when it starts', options, async () => {
    const { node, daemon } = site();
    const one = await site().add(LEASEHOLD);
    const address = addressIn(one.result);
    await node.ip('link', 'set', 'eth0', 'name', 'lan0');
    await waitFor('the guard to stand at the new name', async () => {
      const { stdout } = await node.runToEnd(['nft', 'list', 'table', 'netdev', 'leasehold']);
      return stdout.includes('lan0') && !stdout.includes('eth0');
    });
    await node.run(['ip', 'route', 'flush', 'proto', '76']);
    await waitFor('the route to the pod to be back', () => pings(node, address));
    assert.ok(await pings(one.pod.namespace, NODE_ADDRESS));
    const two = await site().add(LEASEHOLD);
    assert.ok(await pings(node, addressIn(two.result)));
    assert.deepEqual(await shims(node), ['lh0']);
    await daemon.stop();
    await node.ip('link', 'set', 'lan0', 'name', 'wan0');
    await daemon.restart();
    await waitFor('the records to follow', async () => {
      const text = await hostRecords();
      return text.includes('"uplink":"wan0"') && !text.includes('"uplink":"lan0"');
    });
    await node.run(['ip', 'route', 'flush', 'proto', '76']);
    await waitFor('the route to the pod to be back', () => pings(node, address));
    assert.deepEqual(await shims(node), ['lh0']);
    const view = (await getOverSocket(daemon.socket, '/v1/host'))?.body ?? '';
    assert.match(view, /"uplink": ?"wan0"|"name": ?"wan0"/);
  });
});

describe('a pod that takes the MAC address of the shim', () => {
  const site = useSite({ config: { services: [SERVICES] } });

  test('keeps nobody from the node: the shim has another one, and all pods know it', options, async () => {
    const { node, daemon } = site();
    const good = await site().add(LEASEHOLD);
    const bad = await site().add(LEASEHOLD);
    const before = await macOf(node, 'lh0');
    const taking = bad.pod.namespace.runToEnd([
      'timeout',
      '20',
      'sh',
      '-c',
      `until ip link set eth0 address ${before} 2>/dev/null; do sleep 0.001; done`,
    ]);
    await waitFor(
      'the pod to have it',
      async () => {
        // Mostly the daemon is quicker: then again.
        await node.runToEnd(['ip', 'link', 'del', 'lh0']);
        return (await macOf(bad.pod.namespace, 'eth0')) === before;
      },
      { deadlineMs: 15_000 },
    );
    await taking;
    await waitFor('the node to reach the other pod', () => pings(node, addressIn(good.result)));
    const now = await macOf(node, 'lh0');
    assert.notEqual(now, before);
    await waitFor('the pod to know the new one', async () =>
      (await good.pod.namespace.run(['ip', 'neigh', 'show', '169.254.1.1'])).includes(now),
    );
    await waitFor('the pod that took it to be named', async () =>
      (await readFile(daemon.logFile, 'utf8')).includes(`"by":"${bad.attachment.containerId}/`),
    );
    await site().add(LEASEHOLD);
  });
});

describe("a node whose own address is on a macvlan of somebody's making", () => {
  const site = useSite({ config: { services: [SERVICES] } });

  test('has one shim, and pods and node reach each other', options, async () => {
    const { node, daemon } = site();
    await node.ip('addr', 'del', `${NODE_ADDRESS}/24`, 'dev', 'eth0');
    await node.ip('link', 'add', 'mv0', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
    await node.ip('link', 'set', 'mv0', 'up');
    await node.ip('addr', 'add', `${NODE_ADDRESS}/24`, 'dev', 'mv0');
    await node.ip('route', 'add', 'default', 'via', ROUTER, 'dev', 'mv0');
    const pod = await site().add(LEASEHOLD);
    assert.ok(await pings(node, addressIn(pod.result)));
    assert.ok(await pings(pod.pod.namespace, NODE_ADDRESS));
    assert.deepEqual(await shims(node), ['lh0']);
    await node.ip('link', 'del', 'lh0');
    await waitFor('the shim to be back', async () => (await shims(node)).length > 0);
    await waitFor('the node to reach the pod', () => pings(node, addressIn(pod.result)));
    assert.deepEqual(await shims(node), ['lh0']);
    const guard = await node.run(['nft', 'list', 'table', 'netdev', 'leasehold']);
    assert.match(guard, /eth0/);
    await daemon.restart();
    assert.ok(await pings(node, addressIn(pod.result)));
    assert.deepEqual(await shims(node), ['lh0']);
  });
});

describe('a virtual address beside that of the node', () => {
  const site = useSite({});
  const VIP = '192.168.2.9';

  test('is not what the node speaks to pods with after its own was set anew', options, async () => {
    const { node } = site();
    await node.ip('addr', 'add', `${VIP}/32`, 'dev', 'eth0');
    const pod = await site().add(LEASEHOLD);
    const route = (): Promise<string> => node.run(['ip', 'route', 'show', addressIn(pod.result)]);
    assert.match(await route(), new RegExp(`src ${NODE_ADDRESS.replaceAll('.', '\\.')} `));
    await node.ip('addr', 'del', `${NODE_ADDRESS}/24`, 'dev', 'eth0');
    await node.ip('addr', 'add', `${NODE_ADDRESS}/24`, 'dev', 'eth0');
    // What would be changed is changed by the look after this, which puts it on the shim.
    await node.ip('addr', 'add', '192.168.2.10/32', 'dev', 'eth0');
    await waitFor('a look at the addresses', async () =>
      (await node.run(['ip', '-br', 'addr', 'show', 'lh0'])).includes('192.168.2.10/32'),
    );
    assert.match(await route(), new RegExp(`src ${NODE_ADDRESS.replaceAll('.', '\\.')} `));
    assert.ok(await pings(node, addressIn(pod.result)));
  });
});
