import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { routesOf } from '../plugins/support/kernel-view.ts';
import { OTHER_SOURCE } from '../plugins/support/scripted.ts';
import { addressIn, type Attached, macIn, ROUTER, type Site, useSite } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addPod, daemonLog, leaseView, PATIENCE, untilAddress, untilCounted } from './support/fault-site.ts';
import { type ForceCommand, type NonceServer, startNonceServer } from './support/nonce-server-talk.ts';

async function untilRouter(pod: Attached, router: string): Promise<void> {
  await waitFor(
    `the pod's default route to lead to ${router}`,
    async () =>
      (await routesOf(pod.pod.namespace)).some((route) => route.startsWith(`default via ${router} `)),
    { ...PATIENCE, everyMs: 10 },
  );
}

/** The records of all leases, as they are on the disk. */
async function storedText(site: Site): Promise<string> {
  const folder = join(site.daemon.stateDir, 'leases');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const texts = await Promise.all(names.map(async (name) => await readFile(join(folder, name), 'utf8')));
  return texts.join('\n');
}

describe('a server that wants a renewal', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'none' } });
  let server: NonceServer;
  before(async () => {
    server = await startNonceServer(site());
  });

  const force = async (pod: Attached, how: ForceCommand['how']): Promise<void> => {
    await server.tell({ do: 'force', chaddr: macIn(pod.result), how });
  };
  const requestsOf = async (pod: Attached): Promise<number> =>
    (await server.tell({ do: 'show', chaddr: macIn(pod.result) })).requests;

  /** The server says something else, and says so; the pod follows. */
  async function follows(pod: Attached, router: string, t?: TestContext): Promise<void> {
    await server.tell({ do: 'router', address: router });
    const began = performance.now();
    await force(pod, 'good');
    await untilRouter(pod, router);
    t?.diagnostic(`the pod has what has changed after ${Math.round(performance.now() - began)} ms`);
  }

  test('server-wants-renewal: the pod has what has changed, and the nonce is a secret', async (t) => {
    const pod = await addPod(site());
    await untilRouter(pod, ROUTER);
    const asked = await requestsOf(pod);
    await follows(pod, OTHER_SOURCE, t);
    assert.equal(await requestsOf(pod), asked + 1);
    await untilCounted(site(), 'forcerenew:accepted');
    const { nonce } = await server.tell({ do: 'show', chaddr: macIn(pod.result) });
    assert.match(nonce, /^[0-9a-f]{32}$/);
    assert.ok((await storedText(site())).includes(nonce), 'it is stored');
    assert.equal((await daemonLog(site())).includes(nonce), false);
    assert.equal(JSON.stringify(await leaseView(site(), pod)).includes(nonce), false);

    // The nonce is there after a restart, and so is the counter of what was obeyed before.
    await site().daemon.restart();
    const again = await requestsOf(pod);
    await force(pod, 'again');
    await untilCounted(site(), 'forcerenew:replayed');
    assert.equal(await requestsOf(pod), again);
    // A new nonce, in the ACK that this one brings, takes the place of the old one.
    await server.tell({ do: 'new-nonce', chaddr: macIn(pod.result) });
    await follows(pod, ROUTER, t);
    const next = await server.tell({ do: 'show', chaddr: macIn(pod.result) });
    assert.notEqual(next.nonce, nonce);
    await waitFor('the new nonce to be stored', async () => (await storedText(site())).includes(next.nonce), {
      ...PATIENCE,
    });
    assert.equal((await storedText(site())).includes(nonce), false);
    await site().del(pod);
  });

  test('server-wants-renewal: it refuses then, and the pod gets another address', async () => {
    const pod = await addPod(site());
    await server.tell({ do: 'refuse-next' });
    await force(pod, 'good');
    await untilAddress(pod, (address) => address !== `${addressIn(pod.result)}/24`);
    await untilCounted(site(), 'nak');
    // With the nonce that came with the new lease, when the pause between two forced renewals is over.
    await follows(pod, OTHER_SOURCE);
    await server.tell({ do: 'router', address: ROUTER });
    await site().del(pod);
  });

  test('renewal-not-authenticated: counted, its sender named, and nothing is asked', async () => {
    const pod = await addPod(site());
    const asked = await requestsOf(pod);
    const bad = [
      ['unauthenticated', 'forcerenew:unauthenticated'],
      ['wrong-key', 'forcerenew:forged'],
      ['other-server', 'forcerenew:foreign'],
      ['other-mac', 'forcerenew:not-ours'],
      ['truncated', 'message-dropped:option-overrun'],
    ] as const;
    for (const [how, name] of bad) {
      const counted = await site().counter(name);
      await force(pod, how);
      await untilCounted(site(), name, counted + 1);
    }
    await force(pod, 'broadcast');
    // It is behind the one to all: when it is counted, that one has been heard.
    const counted = await site().counter('forcerenew:forged');
    await force(pod, 'wrong-key');
    await untilCounted(site(), 'forcerenew:forged', counted + 1);
    assert.equal(await requestsOf(pod), asked);
    const log = await daemonLog(site());
    const said = log.split('\n').filter((line) => line.includes('a FORCERENEW is not obeyed'));
    for (const [who, why] of [
      [ROUTER, 'no option 90'],
      [ROUTER, 'not signed'],
      [OTHER_SOURCE, 'another server'],
      [ROUTER, 'chaddr is not'],
    ] as const) {
      assert.ok(
        said.some((line) => line.includes(`"address":"${who}"`) && line.includes(why)),
        `${who}: ${why}`,
      );
    }
    // And a good one is obeyed after all of that.
    await follows(pod, OTHER_SOURCE);
    await server.tell({ do: 'router', address: ROUTER });
    await site().del(pod);
  });
});
