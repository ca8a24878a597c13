import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/base/json.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { signalProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { DEBIAN_CNI_BIN, ROOT } from '../support/leasehold.ts';
import { startGoDhcp } from './support/go-plugins.ts';
import { addressesOf, linkOf } from './support/kernel-view.ts';
import { addressIn, macIn, macvlan, networkOf, type Site, useSite } from './support/site.ts';

const CLI = join(ROOT, 'bin', 'leasehold');

/** What libcni writes into its cache after an ADD; `netns` is newer than most runtimes. */
async function writeCache(
  folder: string,
  entry: { readonly containerId: string; readonly conf: JsonObject; readonly result: JsonObject },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { containerId, conf, result } = entry;
  const list = { cniVersion: '1.0.0', name: 'lan', plugins: [conf] };
  const cached = {
    kind: 'cniCacheV1',
    containerId,
    config: Buffer.from(JSON.stringify(list)).toString('base64'),
    ifName: 'eth0',
    networkName: 'lan',
    cniArgs: [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAME', 'web-0'],
    ],
    result,
  };
  await writeFile(join(folder, `lan-${containerId}-eth0`), JSON.stringify(cached));
}

async function adopt(site: Site, folder: string): Promise<{ status: number; rows: readonly JsonObject[] }> {
  const { socket } = site.daemon;
  const command = [CLI, 'adopt', '--socket', socket, '--results', folder, '--json'];
  const { status, stdout, stderr } = await site.node.runToEnd(command, { timeoutMs: 30_000 });
  assert.equal(stderr, '');
  return { status: status ?? -1, rows: JSON.parse(stdout) as readonly JsonObject[] };
}

describe('the leases of a Go dhcp daemon are taken over', { skip: NEEDS_ROOT }, () => {
  const site = useSite();

  test('same address, same client at the server, pod untouched; the rest is named and left alone', async () => {
    const { socket: daemonSocketPath, process: go } = await startGoDhcp(site());
    const conf = macvlan({}, { daemonSocketPath });
    const network = networkOf([conf]);
    const runtime = new CniRuntime({ place: site().node, binDirs: [DEBIAN_CNI_BIN] });
    const pod = await site().pod();
    const { result } = await runtime.add(network, pod.attachment);
    const address = addressIn(result);
    const before = await linkOf(pod.namespace);
    const lease = await site().leaseOf(macIn(result));
    assert.equal(lease?.ip, address);
    signalProcess(go, 'SIGKILL');
    await waitFor('the Go daemon to end', () => go.ended());

    const folder = join(site().lan.folder, 'results');
    const { containerId } = pod.attachment;
    await writeCache(folder, { containerId, conf: macvlan(), result });
    const goneResult = JSON.parse(
      JSON.stringify(result).replaceAll(pod.attachment.netns, '/run/netns/not-there'),
    );
    await writeCache(folder, { containerId: 'gone', conf: macvlan(), result: goneResult as JsonObject });
    await writeCache(folder, { containerId: 'other', conf: { type: 'bridge' }, result });
    await writeFile(join(folder, 'lan-broken-eth0'), '{"kind":');

    const exchanges = (await site().serverLog()).split('DHCPDISCOVER').length;
    const { status, rows } = await adopt(site(), folder);
    const outcomes = Object.fromEntries(rows.map((row) => [row['attachment'], row['outcome']]));
    assert.deepEqual(outcomes, {
      [`${containerId}/lan/eth0`]: 'taken-up',
      'gone/lan/eth0': 'refused',
      'other/lan/eth0': 'no-dhcp',
      [join(folder, 'lan-broken-eth0')]: 'refused',
    });
    assert.equal(status, 1, 'not all of it could be taken over');
    const ours = rows.find((row) => row['outcome'] === 'taken-up');
    assert.equal(ours?.['state'], 'bound');
    assert.equal(
      (await site().serverLog()).split('DHCPDISCOVER').length,
      exchanges,
      'INIT-REBOOT, no DISCOVER',
    );
    assert.deepEqual(await addressesOf(pod.namespace), [`${address}/24`]);
    assert.deepEqual((await linkOf(pod.namespace)).address, before.address);
    assert.equal((await site().leaseOf(macIn(result)))?.ip, address);
    assert.equal((await site().records()).length, 1);

    const again = await adopt(site(), folder);
    assert.equal(
      again.rows.find((row) => row['attachment'] === `${containerId}/lan/eth0`)?.['outcome'],
      'known',
    );

    // From now on it is a pod of ours: DEL gives the lease back and removes the link.
    await site().daemon.runtime.del(networkOf([macvlan()]), pod.attachment);
    await site().waitForNoLease(macIn(result));
  });

  test('CHECK takes up a lease that the daemon has lost', async () => {
    const network = networkOf([macvlan()]);
    const { pod, attachment, result } = await site().add(network);
    const address = addressIn(result);
    await site().daemon.stop();
    const leases = join(site().daemon.stateDir, 'leases');
    for (const name of await readdir(leases)) await rm(join(leases, name));
    await site().daemon.restart();
    assert.deepEqual(await site().daemonLeases(), []);
    await site().daemon.runtime.check(network, attachment);
    const [lease] = await site().daemonLeases();
    assert.deepEqual([lease?.['address'], lease?.['state']], [address, 'bound']);
    assert.deepEqual(await addressesOf(pod.namespace), [`${address}/24`]);
    await site().daemon.runtime.del(network, attachment);
    await site().waitForNoLease(macIn(result));
  });

  test('a folder that is not there is an empty one; a path that is none is refused', async () => {
    assert.deepEqual((await adopt(site(), join(site().lan.folder, 'nothing'))).rows, []);
    const { status, stderr } = await site().node.runToEnd(
      [CLI, 'adopt', '--socket', site().daemon.socket, '--results', 'relative'],
      { timeoutMs: 30_000 },
    );
    assert.equal(status, 1);
    assert.match(stderr, /folder: must be the absolute path of a folder/);
  });
});

describe('whatever the defaults of the daemon are', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ dhcp: { clientId: 'pod', hostname: '{pod}' } });

  test('to the server it is the client that the Go daemon was', async () => {
    const { socket: daemonSocketPath, process: go } = await startGoDhcp(site());
    const runtime = new CniRuntime({ place: site().node, binDirs: [DEBIAN_CNI_BIN] });
    const pod = await site().pod();
    const { result } = await runtime.add(networkOf([macvlan({}, { daemonSocketPath })]), pod.attachment);
    const address = addressIn(result);
    signalProcess(go, 'SIGKILL');
    await waitFor('the Go daemon to end', () => go.ended());
    const folder = join(site().lan.folder, 'results');
    const { containerId } = pod.attachment;
    // The Go plugin passes over keys that it does not know.
    await writeCache(folder, { containerId, conf: macvlan({}, { clientId: 'mac' }), result });
    const { status, rows } = await adopt(site(), folder);
    assert.deepEqual(
      rows.map((row) => [row['outcome'], row['state'], row['address']]),
      [['taken-up', 'bound', `${address}/24`]],
    );
    assert.equal(status, 0);
    assert.equal(await site().counter('nak'), 0);
    assert.deepEqual(await addressesOf(pod.namespace), [`${address}/24`]);
    assert.equal((await site().lan.server.leases()).length, 1);
    await site().daemon.runtime.del(networkOf([macvlan()]), pod.attachment);
    await site().waitForNoLease(macIn(result));
  });
});
