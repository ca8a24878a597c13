import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { REQUEST, startScripted } from './support/scripted.ts';
import { addressesOf } from './support/kernel-view.ts';
import { addressIn, macIn, macvlan, networkOf, useSite } from './support/site.ts';

const LEASE_SECONDS = 6;
const T1_SECONDS = 2;
const T2_SECONDS = 5;
/** Longer than the first lease would have lasted. */
const PATIENCE_MS = 30_000;

describe('a lease of a few seconds is renewed', { skip: NEEDS_ROOT }, () => {
  const timers = { 'renew-timer': T1_SECONDS, 'rebind-timer': T2_SECONDS, 'calculate-tee-times': false };
  const site = useSite({ server: { kind: 'kea', leaseSeconds: LEASE_SECONDS, dhcp4: timers } });

  test('it outlives its first end, at the server too, without another exchange', async () => {
    const added = await site().add(networkOf([macvlan()]));
    const address = addressIn(added.result);
    const first = await site().leaseOf(macIn(added.result));
    assert.equal(first?.ip, address);
    const firstEnd = (first?.expiresAt ?? 0) + LEASE_SECONDS;
    const renewed = await waitFor(
      'the server to have moved the end by more than the whole lease',
      async () => {
        const lease = await site().leaseOf(macIn(added.result));
        return lease?.expiresAt !== undefined && lease.expiresAt > firstEnd && lease;
      },
      { deadlineMs: PATIENCE_MS, everyMs: 100 },
    );
    assert.equal(renewed.ip, address);
    assert.ok((await site().counter('lease-extended')) >= 2);
    assert.equal(await site().counter('lease-withdrawn'), 0);
    assert.equal(await site().counter('lease-installed'), 1);
    assert.deepEqual(await addressesOf(added.pod.namespace), [`${address}/24`]);
    await site().daemon.runtime.check(added.network, added.attachment);
    await site().del(added);
    await site().waitForNoLease(macIn(added.result));
  });
});

describe('the renewal on the wire', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'none' } });

  test('REQUEST by unicast from the leased address, without options 50 and 54', async () => {
    const server = await startScripted(site());
    const ipam = { provide: [{ option: 'host-name', value: 'short-lease' }] };
    const added = await site().add(networkOf([macvlan({}, ipam)]));
    const [address, chaddr] = [addressIn(added.result), macIn(added.result)];
    const renewals = await waitFor('two renewals', async () => {
      const seen = (await server.from(chaddr)).slice(2);
      return seen.length >= 2 && seen;
    });
    for (const { type, via, from, ciaddr, broadcast, options } of renewals.slice(0, 2)) {
      assert.deepEqual([type, via, from, ciaddr, broadcast], [REQUEST, 'unicast', address, address, false]);
      assert.equal(options['50'] ?? options['54'], undefined);
      assert.ok(options['55'] !== undefined && options['61'] !== undefined && options['12'] !== undefined);
    }
    assert.notEqual(renewals[0]?.xid, renewals[1]?.xid);
    await waitFor('the counter', async () => (await site().counter('lease-extended')) >= 2);
    assert.deepEqual(await addressesOf(added.pod.namespace), [`${address}/24`]);
    await site().del(added);
  });
});
