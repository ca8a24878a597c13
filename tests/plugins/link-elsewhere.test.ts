import assert from 'node:assert/strict';
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { getOverSocket } from '../../src/lab/daemon.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { deleteNamespace } from '../../src/lab/namespace-name.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressIn, type Attached, macIn, macvlan, networkOf, ROUTER, useSite } from './support/site.ts';

const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
/** A macvlan of ours without a lease: only its namespace says whose it is. */
const STATIC = networkOf(
  [macvlan({ ipam: { type: 'static', addresses: [{ address: '192.168.2.60/24' }] } })],
  { name: 'static' },
);

type Owed = { readonly containerId: string; readonly why: string | null };

async function linksIn(namespace: Namespace): Promise<string> {
  return await namespace.ip('-o', 'link', 'show');
}
type Nested = { readonly mac: string; readonly ended: boolean };

describe('a DEL for a link that is not where its ADD made it', { skip: NEEDS_ROOT, concurrency: 3 }, () => {
  const site = useSite();

  /** The server keeps the lease, and the daemon says why. */
  async function assertHeld({ attachment, result }: Attached): Promise<void> {
    const mac = macIn(result);
    await waitFor('the daemon to say that the link lives on', async () => {
      const answer = await getOverSocket(site().daemon.socket, '/v1/owed');
      const owed = JSON.parse(answer?.body ?? '[]') as readonly Owed[];
      const why = owed.find(({ containerId }) => containerId === attachment.containerId)?.why ?? '';
      return why.includes(`eth0 (${mac}) is still up on eth0`);
    });
    assert.equal((await site().leaseOf(mac))?.ip, addressIn(result));
  }

  test('moved to another namespace: it is not released while it is up there, and then it is', async () => {
    const pod = await site().add(LEASEHOLD);
    const [mac, address] = [macIn(pod.result), addressIn(pod.result)];
    const { namespace: other } = await site().pod();
    await pod.pod.namespace.ip('link', 'set', 'eth0', 'netns', other.name);
    await other.ip('link', 'set', 'eth0', 'up');
    await other.ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
    await site().del(pod);
    await other.run(['ping', '-c', '1', '-W', '2', ROUTER]);
    await assertHeld(pod);
    await waitFor('the node to name it among what stands on the uplink', async () => {
      // By itself it looks every 20 s.
      process.kill(site().daemon.process().pid, 'SIGHUP');
      const answer = await getOverSocket(site().daemon.socket, '/v1/host');
      const { nested } = JSON.parse(answer?.body ?? '') as { readonly nested: readonly Nested[] };
      return nested.some((link) => link.mac === mac && link.ended);
    });
    await other.ip('link', 'del', 'eth0');
    await site().waitForNoLease(mac);
  });

  test('another namespace is at its path: its link is left alone, and nothing is released', async () => {
    const path = join(site().lan.folder, 'netns');
    const made = await site().pod();
    await symlink(made.namespace.path, path);
    const pod = await site().attach(LEASEHOLD, {
      ...made,
      attachment: { ...made.attachment, netns: path },
    });
    const other = await site().add(STATIC);
    await rm(path);
    await symlink(other.pod.namespace.path, path);
    await site().del(pod);
    await assertHeld(pod);
    // What is owed says whose namespace it was, so that a repetition does no more.
    await site().del(pod);
    assert.match(await linksIn(other.pod.namespace), / eth0@/);
    assert.match(await linksIn(made.namespace), / eth0@/);
    await deleteNamespace(made.namespace.name);
    await site().waitForNoLease(macIn(pod.result));
  });

  test('under another name and MAC address: it is removed', async () => {
    const pod = await site().add(LEASEHOLD);
    const { namespace } = pod.pod;
    await namespace.ip('link', 'set', 'eth0', 'down');
    await namespace.ip('link', 'set', 'eth0', 'name', 'mine', 'address', '02:00:5e:00:53:01');
    await namespace.ip('link', 'set', 'mine', 'up');
    await site().del(pod);
    assert.doesNotMatch(await linksIn(namespace), /mine/);
    await site().waitForNoLease(macIn(pod.result));
  });
});
