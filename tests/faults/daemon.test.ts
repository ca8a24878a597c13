import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startDaemon } from '../../src/lab/daemon.ts';
import { killProcess } from '../../src/lab/long-process.ts';
import { deleteNamespace } from '../../src/lab/namespace-name.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressesOf } from '../plugins/support/kernel-view.ts';
import { addressIn, macIn } from '../plugins/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';
import {
  addPod,
  keaOf,
  PATIENCE,
  siteFor,
  untilAddress,
  untilCounted,
  untilState,
} from './support/fault-site.ts';

const SHORT = keaOf(5, 2, 4);
const LONG = keaOf(60, 2, 50);

describe('the daemon is away', { skip: NEEDS_ROOT, concurrency: 4 }, () => {
  test('daemon-killed-while-renewing: the next one goes on where it was', async (t) => {
    const site = await siteFor(t, { server: LONG });
    const pod = await addPod(site);
    await site.lan.server.kill();
    await untilState(site, pod, 'renewing');
    await killProcess(site.daemon.process());
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    await site.lan.startServer(LONG);
    await site.daemon.restart();
    await untilCounted(site, 'lease-extended');
    assert.equal(await site.counter('lease-withdrawn'), 0);
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    await site.daemon.runtime.check(pod.network, pod.attachment);
  });

  test('daemon-down-past-the-lease: the address goes by itself, then a new lease comes', async (t) => {
    const site = await siteFor(t, { server: SHORT });
    const pod = await addPod(site);
    // What ADD told the kernel is not the end any more: the renewal told it the next one.
    await untilCounted(site, 'lease-extended');
    await site.daemon.runtime.check(pod.network, pod.attachment);
    await killProcess(site.daemon.process());
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    // Nobody is there any more who could take it off.
    await waitFor(
      'the address to leave the pod',
      async () => (await addressesOf(pod.pod.namespace)).length === 0,
      PATIENCE,
    );
    await waitFor(
      'the lease to end at the server',
      async () => (await site.leaseOf(macIn(pod.result))) === undefined,
      PATIENCE,
    );
    await site.lan.server.kill();
    await site.daemon.restart();
    await untilCounted(site, 'lease-withdrawn');
    assert.deepEqual(await addressesOf(pod.pod.namespace), []);
    await site.lan.startServer(SHORT);
    const address = await untilAddress(pod, () => true);
    assert.equal(`${(await site.leaseOf(macIn(pod.result)))?.ip}/24`, address);
  });

  test('node-rebooted: the leases of pods that are gone are released', async (t) => {
    const site = await siteFor(t, { server: keaOf(600, 300, 500) });
    const pods = [await addPod(site), await addPod(site)];
    await site.daemon.stop();
    // What a reboot leaves: records of another boot, and no pods.
    for (const name of await site.records()) {
      const path = join(site.daemon.stateDir, 'leases', name);
      const record = await readFile(path, 'utf8');
      const changed = record.replace(
        /"bootId": ?"[^"]*"/,
        '"bootId": "00000000-0000-4000-8000-000000000000"',
      );
      assert.notEqual(changed, record);
      await writeFile(path, changed);
    }
    for (const { pod } of pods) await deleteNamespace(pod.namespace.name);
    await site.daemon.restart();
    for (const { result } of pods) {
      await waitFor(
        'the lease to be released',
        async () => (await site.leaseOf(macIn(result))) === undefined,
        PATIENCE,
      );
    }
    await untilCounted(site, 'release-settled', 2);
    assert.deepEqual(await site.daemonLeases(), []);
    await waitFor('the records to be gone', async () => (await site.records()).length === 0, PATIENCE);
  });

  test('wall-clock-jump: no lease minds', async (t) => {
    const site = await siteFor(t, { server: keaOf(12, 2, 8) });
    const pod = await addPod(site);
    await site.daemon.stop();
    // The same daemon, whose wall clock leaps ahead by ten years, and back again, every second.
    const { socket, stateDir, logFile } = site.daemon;
    await startDaemon(site.node, {
      command: [join(ROOT, 'bin', 'leasehold'), 'daemon', '--socket', socket, '--state-dir', stateDir],
      socket,
      logFile,
      env: { NODE_OPTIONS: `--import=${join(import.meta.dirname, 'support', 'leaping-clock.ts')}` },
      resources: site.lan.resources,
    });
    await untilCounted(site, 'lease-extended', 3);
    assert.match(await readFile(logFile, 'utf8'), /the wall clock leaps/);
    assert.equal(await site.counter('lease-withdrawn'), 0);
    assert.deepEqual(await addressesOf(pod.pod.namespace), [`${addressIn(pod.result)}/24`]);
    assert.equal((await site.leaseOf(macIn(pod.result)))?.ip, addressIn(pod.result));
  });
});
