import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { startDaemon } from '../../src/lab/daemon.ts';
import { signalProcess } from '../../src/lab/long-process.ts';
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
import {
  emptySite,
  endBy,
  get,
  LEASEHOLD,
  logFileOf,
  logText,
  pathArguments,
  startAt,
  storedLeases,
} from './support/site.ts';
import { spool, spooledRequest, spoolEntries } from './support/spooled.ts';

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

describe('a start that settles the spool, whose requests take their time', options, () => {
  /** An IPAM plugin that says for whom it runs and waits for the file `go` next to it, or for its own removal. */
  const SLOW_IPAM =
    '#!/bin/sh\ncd "${0%/*}"; cat >conf; echo "$CNI_CONTAINERID" >>begun\nwhile [ -e slow ] && [ ! -e go ]; do sleep 0.05; done\n';

  async function startSettling(t: TestContext, ...containers: readonly string[]) {
    const site = await emptySite(t);
    const path = join(site.folder, 'plugins');
    await mkdir(path);
    await writeFile(join(path, 'slow'), SLOW_IPAM, { mode: 0o755 });
    const go = async (): Promise<void> => await writeFile(join(path, 'go'), '');
    const conf = JSON.stringify({
      cniVersion: '1.0.0',
      name: 'lan',
      type: 'macvlan',
      ipam: { type: 'slow' },
    });
    for (const id of containers) {
      const variables = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: id, CNI_IFNAME: 'eth0', CNI_PATH: path };
      await spool(site, spooledRequest(variables, conf));
    }
    const daemon = await startDaemon(site.namespace, {
      command: [LEASEHOLD, 'daemon', ...pathArguments(site)],
      socket: site.socket,
      readiness: 'socket',
      logFile: logFileOf(site),
      resources: site.resources,
    });
    const begun = (): readonly string[] => {
      const file = join(path, 'begun');
      return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').toSorted() : [];
    };
    await waitFor('the requests of both attachments', () => begun().length === 2);
    return { site, daemon, go, begun };
  }

  test('stops with those that run; the others stay, it never was ready', async (t) => {
    const { site, daemon, go, begun } = await startSettling(t, 'a', 'b', 'a');
    assert.equal((await get(site.socket, '/readyz')).status, 503);
    signalProcess(daemon, 'SIGTERM');
    await waitFor('the stop to be begun', () => logText(site).includes('leasehold stops'));
    await go();
    assert.equal(await waitFor('the end', () => daemon.ended()), 'exit status 0');
    assert.deepEqual(begun(), ['a', 'b']);
    assert.equal((await spoolEntries(site)).length, 1);
    assert.ok(!logText(site).includes('leasehold is ready'));
  });

  test('is cut when they go on for too long; all of them stay', async (t) => {
    const { site, daemon } = await startSettling(t, 'a', 'b');
    signalProcess(daemon, 'SIGTERM');
    // The limit of an orderly end is 10 s, counted from the signal.
    assert.equal(await waitFor('the end', () => daemon.ended(), { deadlineMs: 20_000 }), 'exit status 1');
    assert.equal((await spoolEntries(site)).length, 2);
  });
});
