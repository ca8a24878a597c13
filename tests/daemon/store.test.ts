import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { keaSite } from './support/kea-site.ts';
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
import { assertRefused, emptySite, endBy, get, logText, runAt } from './support/site.ts';
import { SmallStore } from './support/small-store.ts';

const options = { skip: NEEDS_ROOT };
const STORE_NOT_WRITABLE = 130;
const NOT_AVAILABLE = 50;
/** Short, so that renewals fall into the time of the fault; the second half of a lease is for them to be late. */
const LEASE_SECONDS = 8;
const TIMERS = { 'renew-timer': 2, 'rebind-timer': 5, 'calculate-tee-times': false };
const PATIENCE_MS = 20_000;

type Running = Awaited<ReturnType<typeof addPod>>;

function isStoreError(error: unknown): boolean {
  assert.ok(error instanceof CniPluginError);
  assert.equal(error.code, STORE_NOT_WRITABLE);
  assert.match(error.msg, /the lease could not be stored and was given back: .*(EROFS|ENOSPC)/);
  assert.match(error.details, /--state-dir/);
  return true;
}

async function endOf(site: LanSite, address: string): Promise<number> {
  const lease = (await site.lan.server.leases()).find(({ ip }) => ip === address);
  return lease?.expiresAt ?? 0;
}

/** An ADD that fails at the store leaves no link, no lease at the server, no file; STATUS says why. */
async function assertAddsFail(
  site: LanSite,
  store: SmallStore,
  name: string,
  running: Running,
): Promise<void> {
  const records = store.records();
  const pod = await newPod(site, name);
  await assert.rejects(site.runtime.add(NETWORK, pod.attachment, { delOnFailure: false }), isStoreError);
  assert.deepEqual(await linksOf(pod), ['lo']);
  await waitFor('the server to have only the running lease', async () => {
    const leases = await site.lan.server.leases();
    return leases.length === 1 && leases[0]?.ip === running.address;
  });
  assert.deepEqual(store.records(), records);
  await assert.rejects(
    site.runtime.status(NETWORK),
    (error: unknown) =>
      error instanceof CniPluginError && error.code === NOT_AVAILABLE && /EROFS|ENOSPC/.test(error.msg),
  );
  const ready = await get(site.socket, '/readyz');
  assert.equal(ready.status, 503);
  assert.match(JSON.stringify(ready.json), /"unfit".*leases cannot be kept.*(EROFS|ENOSPC)/);
  const { json } = await get(site.socket, '/v1/counters');
  assert.match(JSON.stringify(json), /"store-failed":[1-9]/);
}

/** Renewed at the server more than once, its address in the pod, although nothing can be written. */
async function assertGoesOn(site: LanSite, { pod, address }: Running): Promise<void> {
  const before = await endOf(site, address);
  await waitFor(
    'two renewals',
    async () => (await endOf(site, address)) >= before + 2 * TIMERS['renew-timer'] - 1,
    {
      deadlineMs: PATIENCE_MS,
    },
  );
  assert.ok(await hasAddress(pod, address));
  await site.runtime.check(NETWORK, pod.attachment);
}

async function assertAddsWork(site: LanSite, name: string): Promise<void> {
  const { pod, address } = await addPod(site, name);
  assert.ok(await serverHas(site, address));
  await site.runtime.status(NETWORK);
  await site.runtime.del(NETWORK, pod.attachment);
  await waitUntilReleased(site, address);
}

test('a read-only store: ADD gives its lease back, STATUS tells, leases go on', options, async (t) => {
  const site = await keaSite(t, LEASE_SECONDS, TIMERS);
  const store = await SmallStore.create(site);
  const daemon = await store.startDaemon();
  const running = await addPod(site, 'running');
  await store.makeReadOnly();
  await assertAddsFail(site, store, 'late', running);
  await assertGoesOn(site, running);
  assert.match(logText(site), /could not store the extended lease|EROFS/);

  // A DEL succeeds all the same, and the server has its address back.
  await site.runtime.del(NETWORK, running.pod.attachment);
  await waitUntilReleased(site, running.address);
  assert.deepEqual(await linksOf(running.pod), ['lo']);

  await store.makeWritable();
  await assertAddsWork(site, 'again');
  assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
});

test('a full store: ADD gives its lease back, STATUS tells, leases go on', options, async (t) => {
  const site = await keaSite(t, LEASE_SECONDS, TIMERS);
  const store = await SmallStore.create(site);
  await store.startDaemon();
  const running = await addPod(site, 'running');
  store.fill();
  await assertAddsFail(site, store, 'late', running);
  await assertAddsFail(site, store, 'later', running);
  await assertGoesOn(site, running);
  store.makeRoom();
  await assertAddsWork(site, 'again');
  await site.runtime.del(NETWORK, running.pod.attachment);
  await waitUntilReleased(site, running.address);
  assert.deepEqual(store.records(), []);
});

test('a daemon that ends while its store is full knows its leases when it comes back', options, async (t) => {
  const site = await keaSite(t, LEASE_SECONDS, TIMERS);
  const store = await SmallStore.create(site);
  const daemon = await store.startDaemon();
  const running = await addPod(site, 'running');
  store.fill();
  // What is on disk is older than what the server and the pod have.
  await assertGoesOn(site, running);
  await endBy(daemon, 'SIGKILL');
  store.makeRoom();
  await store.startDaemon();
  await assertGoesOn(site, running);
});

test('a released lease whose record cannot be removed does not come back', options, async (t) => {
  const site = await lanSite(t);
  const store = await SmallStore.create(site);
  const daemon = await store.startDaemon();
  const stays = await addPod(site, 'stays');
  const goes = await addPod(site, 'goes');
  await store.makeReadOnly();
  await site.runtime.del(NETWORK, goes.pod.attachment);
  await waitUntilReleased(site, goes.address);
  assert.equal(store.records().length, 2);
  await endBy(daemon, 'SIGKILL');
  await store.makeWritable();

  await store.startDaemon();
  await waitFor('the record to be gone', () => store.records().length === 1);
  const { json } = await get(site.socket, '/v1/leases');
  assert.deepEqual(JSON.stringify(json).match(/192\.168\.2\.\d+(?=","prefix)/g), [stays.address]);
  assert.deepEqual(await linksOf(goes.pod), ['lo']);
  assert.ok((await serverHas(site, stays.address)) && !(await serverHas(site, goes.address)));
});

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
