import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { getOverSocket } from '../../src/lab/daemon.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { networkOf, ROUTER, useSite } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
type Nested = { readonly ifname: string | null; readonly pod: string | null; readonly takes: string | null };

describe('what a pod with NET_ADMIN makes for itself', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  test('is seen from the node, and named: of which pod it is, and whose place on the LAN it takes', async () => {
    const good = await site().add(LEASEHOLD);
    const bad = await site().add(LEASEHOLD);
    const { namespace } = bad.pod;
    await good.pod.namespace.run(['ping', '-c', '1', '-W', '2', ROUTER]);
    await site().node.run(['ping', '-c', '1', '-W', '2', ROUTER]);
    const neighbour = await site().node.ip('neigh', 'show', ROUTER, 'dev', 'eth0');
    const routerMac = /lladdr (\S+)/.exec(neighbour)?.[1] ?? '';
    await namespace.ip('link', 'add', 'own', 'link', 'eth0', 'up', 'type', 'macvlan', 'mode', 'source');
    await namespace.ip(
      'link',
      'add',
      'fake',
      'link',
      'eth0',
      'address',
      routerMac,
      'type',
      'macvlan',
      'mode',
      'bridge',
    );
    await namespace.ip('link', 'set', 'fake', 'up');
    // That is why it matters: nothing on the node keeps the good pod's frames from the bad one.
    const lost = await good.pod.namespace.runToEnd(['ping', '-c', '1', '-W', '0.5', ROUTER]);
    assert.notEqual(lost.status, 0);
    const pod = `${bad.attachment.containerId}/${LEASEHOLD.name}/eth0`;
    // By itself it looks every 20 s.
    process.kill(site().daemon.process().pid, 'SIGHUP');
    const found = await waitFor('the daemon to see both', async () => {
      const answer = await getOverSocket(site().daemon.socket, '/v1/host');
      const { nested } = JSON.parse(answer?.body ?? '') as { readonly nested: readonly Nested[] };
      return nested.length === 2 ? nested : undefined;
    });
    const of = (name: string) => found.find(({ ifname }) => ifname === name);
    assert.deepEqual([of('own')?.pod, of('own')?.takes], [pod, null]);
    assert.deepEqual([of('fake')?.pod, of('fake')?.takes], [pod, ROUTER]);
  });
});
