import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { isErrno } from '../../src/lab/errno.ts';
import type { LongProcess } from '../../src/lab/long-process.ts';
import { run } from '../../src/lab/process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  addPod,
  hasAddress,
  lanSite,
  linksOf,
  NETWORK,
  newPod,
  serverHas,
  waitUntilReleased,
  type LanSite,
} from './support/lan.ts';
import { assertRefused, emptySite, endBy, logText, runAt, startAt } from './support/site.ts';

const options = { skip: NEEDS_ROOT };
const STORE_NOT_WRITABLE = 130;

/** Room for a few records and no more. */
const SIZE = '64k';

/**
 * A daemon whose state folder is a small file system of its own, in a mount namespace of its own: root is stopped by no
 * mode, only by the file system. As a slave it still sees the pods' namespaces that are made later.
 */
async function startOnSmallStore(site: LanSite): Promise<LongProcess> {
  await mkdir(site.stateDir, { mode: 0o700 });
  const script = `mount -t tmpfs -o size=${SIZE},mode=0700 t ${site.stateDir} && exec "$@"`;
  return await startAt(site, {
    wrap: ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh'],
  });
}

/** The state folder as the daemon sees it. */
function storeOf(daemon: LongProcess, site: LanSite): string {
  return `/proc/${daemon.pid}/root${site.stateDir}`;
}

function isStoreError(error: unknown): boolean {
  assert.ok(error instanceof CniPluginError);
  assert.equal(error.code, STORE_NOT_WRITABLE);
  assert.match(error.msg, /the lease could not be stored and was given back: .*(EROFS|ENOSPC)/);
  assert.match(error.details, /--state-dir/);
  return true;
}

/** An ADD that fails at the store leaves no link, no lease at the server, no file; running leases go on. */
async function assertAddsFail(
  site: LanSite,
  daemon: LongProcess,
  name: string,
  running: { pod: Parameters<typeof hasAddress>[0]; address: string },
): Promise<void> {
  const records = readdirSync(join(storeOf(daemon, site), 'leases'));
  const pod = await newPod(site, name);
  await assert.rejects(site.runtime.add(NETWORK, pod.attachment, { delOnFailure: false }), isStoreError);
  assert.deepEqual(await linksOf(pod), ['lo']);
  await waitFor('the server to have only the running lease', async () => {
    const leases = await site.lan.server.leases();
    return leases.length === 1 && leases[0]?.ip === running.address;
  });
  assert.deepEqual(readdirSync(join(storeOf(daemon, site), 'leases')), records);
  assert.ok(await hasAddress(running.pod, running.address));
  await site.runtime.check(NETWORK, running.pod.attachment);
}

async function assertAddsWork(site: LanSite, name: string): Promise<void> {
  const { pod, address } = await addPod(site, name);
  assert.ok(await serverHas(site, address));
  await site.runtime.del(NETWORK, pod.attachment);
  await waitUntilReleased(site, address);
}

test('a state folder that became read-only: ADD fails and gives the lease back', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startOnSmallStore(site);
  const running = await addPod(site, 'running');
  const leases = join(site.stateDir, 'leases');
  const mount = async (...command: readonly string[]): Promise<void> =>
    void (await run(['nsenter', '-t', String(daemon.pid), '-m', ...command]));
  // Over the folder of the records: the file system itself is held writable by the daemon's own lock.
  await mount('mount', '--bind', '-o', 'ro', leases, leases);
  await assertAddsFail(site, daemon, 'late', running);

  // A DEL succeeds all the same, and the server has its address back.
  await site.runtime.del(NETWORK, running.pod.attachment);
  await waitUntilReleased(site, running.address);
  assert.deepEqual(await linksOf(running.pod), ['lo']);
  assert.match(logText(site), /the stored lease could not be removed/);

  await mount('umount', leases);
  await assertAddsWork(site, 'again');
  assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
});

test('a state folder that is full: ADD fails and gives the lease back', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startOnSmallStore(site);
  const running = await addPod(site, 'running');
  const filler = join(storeOf(daemon, site), 'filler');
  fill(filler);
  await assertAddsFail(site, daemon, 'late', running);
  await assertAddsFail(site, daemon, 'later', running);
  rmSync(filler);
  await assertAddsWork(site, 'again');
  await site.runtime.del(NETWORK, running.pod.attachment);
  await waitUntilReleased(site, running.address);
});

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    if (!isErrno(error, 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
}

test('a state folder that is read-only or full at the start is refused', options, async (t) => {
  const site = await emptySite(t);
  await mkdir(site.stateDir);
  for (const [mount, message] of [
    ['-o ro', /--state-dir \S+: cannot be used: .*EROFS/],
    ['-o nr_inodes=1', /--state-dir \S+: cannot be used: .*ENOSPC/],
  ] as const) {
    const script = `mount -t tmpfs ${mount} t ${site.stateDir} && exec "$@"`;
    assertRefused(await runAt(site, { wrap: ['unshare', '--mount', 'sh', '-c', script, 'sh'] }), 1, message);
  }
});
