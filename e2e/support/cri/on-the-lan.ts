import assert from 'node:assert/strict';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mapParallel } from '../../../src/lab/parallel.ts';
import { ping } from '../../../src/lab/ping.ts';
import type { SandboxStatus } from './cri.ts';
import type { CriNode } from './cri-node.ts';
import { podLeases } from './pod-leftovers.ts';

const PINGS_AT_ONCE = 16;

/**
 * Throws unless each pod has an address of its own, which the server has leased to it and at which the LAN reaches it, and
 * the server has leased none besides. `cut`: the most leases of failed ADDs that may be there besides. Resolves with these.
 */
export async function assertOnTheLan(
  node: CriNode,
  pods: readonly SandboxStatus[],
  cut = 0,
): Promise<ReadonlySet<string>> {
  assert.ok(pods.every(({ state }) => state === 'SANDBOX_READY'));
  const addresses = pods.map(({ ip }) => ip);
  assert.equal(new Set(addresses).size, pods.length, 'no two pods have the same address');
  const leased = await podLeases(node);
  assert.deepEqual(
    addresses.filter((ip) => !leased.includes(ip)),
    [],
    'the server knows the address of every pod',
  );
  const besides = new Set(leased.filter((ip) => !addresses.includes(ip)));
  assert.ok(besides.size <= cut, `leases of no pod: ${[...besides].join(', ')}`);
  const answers = await mapParallel(addresses, PINGS_AT_ONCE, async (ip) => ({
    ip,
    answered: await ping(node.lan.router, ipv4(ip), { tries: 3 }),
  }));
  assert.deepEqual(
    answers.filter(({ answered }) => !answered),
    [],
    'the router reaches every pod',
  );
  return besides;
}
