import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  addVariables,
  assertNothingLeft,
  callRelay,
  lanSite,
  linksOf,
  NETWORK,
  newPod,
} from './support/lan.ts';
import { endBy, startAt, storedLeases } from './support/site.ts';
import { spoolEntries } from './support/spooled.ts';

const options = { skip: NEEDS_ROOT };
const CONF = JSON.stringify({ ...NETWORK.plugins[0]?.conf, cniVersion: '1.1.0', name: 'lan' });

test('a stop in the middle of an ADD: the ADD hears "try again", and nothing is left', options, async (t) => {
  const site = await lanSite(t);
  await site.lan.server.stop();
  const daemon = await startAt(site);
  const pod = await newPod(site, 'pod');
  const adding = site.runtime.add(NETWORK, pod.attachment, { delOnFailure: false });
  const failed = assert.rejects(adding, (error: unknown) => {
    assert.ok(error instanceof CniPluginError);
    assert.equal(error.code, 11);
    assert.match(error.msg, /the daemon is shutting down/);
    return true;
  });
  await waitFor('the ADD to have its link', async () => (await linksOf(pod)).includes('eth0'));
  assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
  await failed;
  assert.deepEqual(await linksOf(pod), ['lo']);
  assert.deepEqual(await storedLeases(site.stateDir), []);
  assert.ok(!existsSync(site.socket));
});

test(
  'a kill in the middle of an ADD: the relay says so, and the DEL that follows takes the link away',
  options,
  async (t) => {
    const site = await lanSite(t);
    const server = { kind: 'dnsmasq' } as const;
    await site.lan.server.stop();
    const daemon = await startAt(site);
    const pod = await newPod(site, 'pod');
    const adding = callRelay(site, addVariables(pod), CONF);
    await waitFor('the ADD to have its link', async () => (await linksOf(pod)).includes('eth0'));
    await endBy(daemon, 'SIGKILL');
    const answer = await adding;
    assert.deepEqual([answer.status, answer.json['code']], [1, 11]);
    // What a runtime does after a failed ADD; the daemon is away and takes it up when it is back.
    await site.runtime.del(NETWORK, pod.attachment);
    assert.equal((await spoolEntries(site)).length, 1);
    await site.lan.startServer(server);
    await startAt(site);
    await assertNothingLeft(site, pod);
    const added = await callRelay(site, addVariables(pod), CONF);
    assert.equal(added.status, 0, added.stdout);
    assert.equal((await callRelay(site, { ...addVariables(pod), CNI_COMMAND: 'DEL' }, CONF)).status, 0);
    await assertNothingLeft(site, pod);
  },
);

test('a burst of ADDs that is stopped leaves leases that are known, or nothing', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const pods = await Promise.all(Array.from({ length: 8 }, (_, i) => newPod(site, `pod${i}`)));
  const adding = pods.map((pod) => callRelay(site, addVariables(pod), CONF));
  await waitFor('the first lease', async () => (await storedLeases(site.stateDir)).length > 0);
  assert.equal(await endBy(daemon, 'SIGINT'), 'exit status 0');
  const answers = await Promise.all(adding);
  const good = answers.filter(({ status }) => status === 0);
  assert.equal((await storedLeases(site.stateDir)).length, good.length);
  for (const { status, json, stdout } of answers) {
    if (status !== 0) assert.equal(json['code'], 11, stdout);
  }
  for (const [i, pod] of pods.entries()) {
    assert.deepEqual(await linksOf(pod), answers[i]?.status === 0 ? ['lo', 'eth0'] : ['lo']);
  }
  await waitFor(
    'the server to have no more leases than were given',
    async () => {
      return (await site.lan.server.leases()).length === good.length;
    },
    { describe: async () => await readFile(site.lan.server.leaseFile, 'utf8') },
  );
});
