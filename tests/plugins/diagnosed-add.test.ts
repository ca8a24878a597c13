import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { dropForeignSources, macOf } from '../doctor/support/faults.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';
import { macvlan, networkOf, type Site, useSite } from './support/site.ts';

const LEASEHOLD = join(ROOT, 'bin', 'leasehold');
const DEADLINE_SECONDS = 1;
const PODS = 8;
const WAYS_WITH_OWN_MAC = 3;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';

async function failure(site: Site): Promise<CniPluginError> {
  try {
    await site.add(networkOf([macvlan()]));
  } catch (error) {
    assert.ok(error instanceof CniPluginError);
    return error;
  }
  throw new Error('the ADD did not fail');
}

/** The DISCOVERs in the server's log, by the MAC that asked. */
async function discovers(site: Site): Promise<readonly string[]> {
  const lines = (await site.serverLog()).split('\n').filter((line) => line.includes('DHCPDISCOVER'));
  return lines.map((line) => /(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/.exec(line)?.[0] ?? BROADCAST);
}

describe('an ADD on a LAN with a fault', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ dhcp: { deadlineSeconds: DEADLINE_SECONDS } });

  test('a MAC filter is named, with what to do, for many pods by one probe; no lease and no link stay', async () => {
    const { lan, node } = site();
    await dropForeignSources(lan, lan.node);
    const links = await node.ip('-br', 'link');
    const errors = await Promise.all(Array.from({ length: PODS }, () => failure(site())));
    for (const error of errors) {
      assert.equal(error.code, 120);
      assert.match(error.msg, /^no DHCP lease for eth0: sent \d+ DISCOVERs? in .*; nothing came back$/);
      const own = await macOf(lan.node);
      assert.match(
        error.details,
        new RegExp(`^DHCP answers eth0's own MAC ${own} but no other MAC on it: .*\\. `),
      );
      assert.match(error.details, /MAC/);
    }
    const own = await macOf(lan.node);
    const seen = (await discovers(site())).filter((address) => address === own);
    // One probe asks in three ways with the own MAC, and again only where no answer came.
    assert.ok(seen.length < PODS * WAYS_WITH_OWN_MAC, `${seen.length} DISCOVERs`);
    assert.deepEqual(await lan.server.leases(), []);
    assert.equal(await node.ip('-br', 'link'), links);
  });

  test('without the fault a pod gets its address, and the one after the diagnosis too', async () => {
    const { lan } = site();
    await lan.router.run(['nft', 'delete', 'table', 'bridge', 'fault']);
    const added = await waitFor('an ADD that works', async () => await site().add(networkOf([macvlan()])));
    await site().del(added);
  });
});

describe('an ADD to a server whose pool is full', { skip: NEEDS_ROOT }, () => {
  const site = useSite({
    dhcp: { deadlineSeconds: DEADLINE_SECONDS },
    pool: { first: ipv4('192.168.2.130'), last: ipv4('192.168.2.131') },
  });

  test('the full pool is the cause, in the details, in the log and in the doctor, with when the server answered', async () => {
    const { lan, daemon } = site();
    await site().add(networkOf([macvlan()]));
    await site().add(networkOf([macvlan()]));
    const error = await failure(site());
    assert.equal(error.code, 120);
    const cause =
      /the DHCP server 192\.168\.2\.1 answers on eth0 \(a pod .* ago, by ACK\) and is silent to new clients in .*: its pool is full, or it refuses unknown clients/;
    assert.match(error.details, new RegExp(`^${cause.source}`));
    assert.match(error.details, /enlarge the pool/);
    assert.match(await readFile(daemon.logFile, 'utf8'), cause);
    const args = ['doctor', '--quick', '--json', '--socket', daemon.socket];
    const { stdout } = await lan.node.namespace.runToEnd([LEASEHOLD, ...args]);
    assert.match(stdout, cause);
    assert.match(stdout, /192\.168\.2\.1 was heard by pods of this node: ACK .* ago, OFFER .* ago/);
  });
});
