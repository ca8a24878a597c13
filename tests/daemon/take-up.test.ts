import assert from 'node:assert/strict';
import { test } from 'node:test';
import { now } from '../../src/kernel/clock.ts';
import type { LongProcess } from '../../src/lab/long-process.ts';
import { Namespace } from '../../src/lab/namespace.ts';
import type { Pod } from '../../src/lab/pods.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { keaSite } from './support/kea-site.ts';
import {
  addPod,
  hasAddress,
  lanSite,
  linksOf,
  NETWORK,
  serverHas,
  waitUntilReleased,
  type LanSite,
} from './support/lan.ts';
import { copiedFor, readRecord, recordNames, timesOf, writeRecord, type Times } from './support/records.ts';
import { endBy, get, logOf, startAt } from './support/site.ts';

// What a daemon does with each lease of an earlier one.

const options = { skip: NEEDS_ROOT };
const LEASE_SECONDS = 24;
const TIMERS = { 'renew-timer': 2, 'rebind-timer': 10, 'calculate-tee-times': false };
const SHORT_LEASE_SECONDS = 4;
const PATIENCE_MS = 20_000;
/** So many names made by a hash that one lies before any given one, and one behind. */
const COPIES = 4096;
const OTHER_BOOT = '01234567-89ab-cdef-0123-456789abcdef';

async function removeNamespace(site: LanSite, pod: Pod): Promise<void> {
  const made = site.resources.made.find(
    (resource) => resource.kind === 'namespace' && resource.name === pod.namespace.name,
  );
  assert.ok(made !== undefined);
  await site.resources.remove(made);
}

/** Ends the daemon, and waits until this time of the pod's lease has passed. */
async function endUntil(site: LanSite, daemon: LongProcess, pod: Pod, time: keyof Times): Promise<void> {
  await endBy(daemon, 'SIGKILL');
  const at = timesOf(readRecord(site, pod))[time];
  await waitFor(`${time} to pass`, () => now() > at, { deadlineMs: PATIENCE_MS });
}

async function endOf(site: LanSite, address: string): Promise<number> {
  return (await site.lan.server.leases()).find(({ ip }) => ip === address)?.expiresAt ?? 0;
}

/** The states that the daemon's log says its machines went into. */
function statesIn(site: LanSite, from: number): readonly unknown[] {
  return logOf(site)
    .slice(from)
    .flatMap((line) => (typeof line === 'object' && line !== null && 'to' in line ? [line['to']] : []));
}

test('an address that was removed while the daemon was away is restored', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const { pod, address } = await addPod(site, 'pod');
  await endBy(daemon, 'SIGKILL');
  await pod.namespace.ip('address', 'flush', 'dev', 'eth0');
  await startAt(site);
  await waitFor('the address to be back', () => hasAddress(pod, address));
  await waitFor('the default route to be back', async () =>
    (await pod.namespace.ip('route', 'show', 'default')).includes('via 192.168.2.1'),
  );
  await site.runtime.check(NETWORK, pod.attachment);
});

test('past T1 a lease is renewed, past T2 it is rebound', options, async (t) => {
  const site = await keaSite(t, LEASE_SECONDS, TIMERS);
  const debug = { args: ['--log-level', 'debug'] };
  let daemon = await startAt(site, debug);
  const { pod, address } = await addPod(site, 'pod');
  for (const [time, state] of [
    ['renewAt', 'renewing'],
    ['rebindAt', 'rebinding'],
  ] as const) {
    await endUntil(site, daemon, pod, time);
    const before = await endOf(site, address);
    const logged = logOf(site).length;
    daemon = await startAt(site, debug);
    await waitFor('the server to extend the lease', async () => (await endOf(site, address)) > before);
    const states = statesIn(site, logged);
    assert.equal(states.includes('rebinding'), state === 'rebinding', states.join());
    assert.ok(states.includes(state), states.join());
    assert.ok(await hasAddress(pod, address));
    await waitFor('the extended lease to be stored', () => timesOf(readRecord(site, pod)).renewAt > now());
  }
});

test('an address whose lease ended is withdrawn at the start, and a new lease sought', options, async (t) => {
  const site = await keaSite(t, SHORT_LEASE_SECONDS);
  const daemon = await startAt(site);
  const { pod, address } = await addPod(site, 'pod');
  await site.lan.server.stop();
  await endUntil(site, daemon, pod, 'expiresAt');
  assert.ok(await hasAddress(pod, address));
  await startAt(site);
  await waitFor('the address to be gone', async () => !(await hasAddress(pod, address)));
  assert.ok((await linksOf(pod)).includes('eth0'));
  await site.lan.startServer({ kind: 'kea', leaseSeconds: LEASE_SECONDS });
  // The same one: it is asked for again, and nobody else has it.
  await waitFor('the address to be back', () => hasAddress(pod, address), { deadlineMs: PATIENCE_MS });
  assert.ok(await serverHas(site, address));
});

test('the lease of a pod that went while the daemon was away is released', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const stays = await addPod(site, 'stays');
  const gone = await addPod(site, 'gone');
  const replaced = await addPod(site, 'replaced');
  const unlinked = await addPod(site, 'unlinked');
  await endBy(daemon, 'SIGKILL');
  await removeNamespace(site, gone.pod);
  await removeNamespace(site, replaced.pod);
  // The same path with another pod behind it, which has an interface of that name.
  const other = await Namespace.create(replaced.pod.namespace.name, site.resources);
  await other.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  await unlinked.pod.namespace.ip('link', 'delete', 'eth0');

  await startAt(site);
  for (const { address } of [gone, replaced, unlinked]) await waitUntilReleased(site, address);
  await waitFor('their records to be gone', () => recordNames(site).length === 1);
  assert.deepEqual(recordNames(site), [readRecord(site, stays.pod).name]);
  assert.deepEqual((await linksOf(replaced.pod)).toSorted(), ['eth0', 'eth1', 'lo']);
  assert.ok(!(await other.ip('address', 'show')).includes(replaced.address));
  assert.ok((await hasAddress(stays.pod, stays.address)) && (await serverHas(site, stays.address)));
  // The DELs that come for them later find nothing to do.
  for (const { pod } of [gone, unlinked]) await site.runtime.del(NETWORK, pod.attachment);
});

test(
  'after a reboot all leases are released, but those whose identity is in use again',
  options,
  async (t) => {
    const site = await lanSite(t);
    const daemon = await startAt(site);
    const pods = await Promise.all(
      Array.from({ length: 6 }, async (_, at) => await addPod(site, `pod${at}`)),
    );
    const again = await addPod(site, 'again');
    await endBy(daemon, 'SIGKILL');
    for (const { pod } of pods) {
      await removeNamespace(site, pod);
      const stored = readRecord(site, pod);
      writeRecord(site, { ...stored, json: { ...stored.json, bootId: OTHER_BOOT } });
    }
    // What the pod had before the reboot, under the identity that it has now; found before and after its own record.
    const own = readRecord(site, again.pod);
    const copies = Array.from({ length: COPIES }, (_, at) => copiedFor(`before${at}`, own)).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    const [first, last] = [copies.at(0), copies.at(-1)];
    assert.ok(first !== undefined && last !== undefined && first.name < own.name && own.name < last.name);
    for (const copy of [first, last]) {
      writeRecord(site, { ...copy, json: { ...copy.json, bootId: OTHER_BOOT } });
    }

    await startAt(site);
    for (const { address } of pods) await waitUntilReleased(site, address);
    await waitFor('their records to be gone', () => recordNames(site).length === 1);
    assert.deepEqual(recordNames(site), [own.name]);
    assert.ok((await serverHas(site, again.address)) && (await hasAddress(again.pod, again.address)));
    const { json } = await get(site.socket, '/v1/counters');
    assert.match(JSON.stringify(json), /"release-settled":6/);
    assert.match(JSON.stringify(json), /"release-unneeded":2/);
  },
);
