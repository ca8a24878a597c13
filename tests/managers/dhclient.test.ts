import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { UPLINK } from '../../src/lab/host.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { type Stage, useStage } from '../story/support/stage.ts';
import { type Pods, whileStreaming } from '../story/support/streams.ts';
import { timeUntil } from '../story/support/view.ts';
import { Dhclient } from './support/dhclient.ts';
import { runInsulated } from './support/insulated.ts';
import {
  addPods,
  addressesOnShim,
  assertReaches,
  fights,
  LONGEST_GAP_MS,
  LONGEST_GAP_WITHOUT_UPLINK_MS,
  untilFollowed,
  uplinkOf,
  writeServices,
} from './support/managed.ts';

const FIRST = '192.168.2.120';
const SECOND = '192.168.2.121';
const LEASE_SECONDS = 6;

/** A server that has this address for the node, for seconds, from now on. */
async function serveNode(stage: Stage, address: string): Promise<void> {
  const { lan } = stage;
  const state = (await lan.node.state()) ?? assert.fail('the node has an uplink');
  await lan.server.stop();
  const host = `host node { hardware ethernet ${state.mac}; fixed-address ${address}; }`;
  await lan.startServer({ kind: 'isc', leaseSeconds: LEASE_SECONDS, statements: [host] });
}

/** What dhclient tells its script of a lease; see dhclient-script(8). */
function leaseEnv(prefix: 'new' | 'old', address: string): Readonly<Record<string, string>> {
  return {
    [`${prefix}_ip_address`]: address,
    [`${prefix}_subnet_mask`]: '255.255.255.0',
    [`${prefix}_broadcast_address`]: '192.168.2.255',
    [`${prefix}_routers`]: '192.168.2.1',
    [`${prefix}_dhcp_lease_time`]: '600',
  };
}

describe('ISC dhclient with its own script', { skip: NEEDS_ROOT }, () => {
  const stage = useStage({ node: 'none' });
  let pods: Pods | undefined;
  let dhclient: Dhclient | undefined;
  const all = (): { readonly pods: Pods; readonly dhclient: Dhclient } => {
    assert.ok(pods !== undefined && dhclient !== undefined);
    return { pods, dhclient };
  };
  before(async () => {
    dhclient = new Dhclient(stage());
    await dhclient.start();
    pods = await addPods(stage());
  });

  test('what ifdown and ifup do: the lease is given back, the uplink goes down, and comes with a new lease', async (t) => {
    const untouched = await uplinkOf(stage());
    await assertReaches(stage(), all().pods);
    let ms = 0;
    const gaps = await whileStreaming(stage(), all().pods, LONGEST_GAP_WITHOUT_UPLINK_MS, async () => {
      await all().dhclient.release();
      assert.equal((await stage().lan.node.state())?.address, undefined);
      await stage().node.namespace.ip('link', 'set', UPLINK, 'down');
      await all().dhclient.start();
      ms = await untilFollowed(stage(), all().pods);
    });
    t.diagnostic(`followed ${ms} ms after it was bound; ${gaps}`);
    assert.equal(await uplinkOf(stage()), untouched);
    await assertReaches(stage(), all().pods);
    assert.deepEqual(await fights(stage()), []);
  });

  test('short leases: renewals, a refusal, and another address', async (t) => {
    await all().dhclient.release();
    await serveNode(stage(), FIRST);
    await all().dhclient.start();
    await untilFollowed(stage(), all().pods);
    const gaps = await whileStreaming(stage(), all().pods, LONGEST_GAP_MS, async () => {
      await all().dhclient.says(/bound to/g);
    });
    t.diagnostic(`a renewal: ${gaps}`);
    await serveNode(stage(), SECOND);
    await all().dhclient.says(new RegExp(`bound to ${SECOND}`, 'g'));
    const ms = await untilFollowed(stage(), all().pods);
    t.diagnostic(`another address: followed after ${ms} ms`);
    await writeServices(stage(), all().pods);
    await assertReaches(stage(), all().pods);
    await timeUntil('the shim to have the new address only', async () => {
      return (await addressesOnShim(stage())).join(' ') === `${SECOND}/32`;
    });
    assert.deepEqual(await fights(stage()), []);
    await all().dhclient.release();
  });

  test('every reason that the script knows', async (t) => {
    const steps = [
      ['BOUND', undefined, FIRST],
      ['RENEW', FIRST, FIRST],
      ['REBIND', FIRST, SECOND],
      ['RENEW', SECOND, FIRST],
      ['EXPIRE', FIRST, undefined],
      ['TIMEOUT', undefined, SECOND],
      ['FAIL', SECOND, undefined],
      ['REBOOT', undefined, FIRST],
    ] as const;
    const { namespace } = stage().node;
    for (const [reason, old, now] of steps) {
      await runInsulated(namespace, '/sbin/dhclient-script', {
        reason,
        interface: UPLINK,
        ...(old === undefined ? {} : leaseEnv('old', old)),
        ...(now === undefined ? {} : leaseEnv('new', now)),
      });
      if (now === undefined) continue;
      assert.equal(await stage().lan.node.address(), now);
      const ms = await untilFollowed(stage(), all().pods);
      t.diagnostic(`${reason}: ${ms} ms`);
      await writeServices(stage(), all().pods);
      await assertReaches(stage(), all().pods);
    }
    assert.deepEqual(await fights(stage()), []);
    assert.match(await uplinkOf(stage()), /^default via 192\.168\.2\.1 *$/m);
  });
});
