import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { isJsonObject, type Json } from '../../src/base/json.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  addPod,
  assertNothingLeft,
  hasAddress,
  lanSite,
  linksOf,
  NETWORK,
  waitUntilReleased,
} from './support/lan.ts';
import { assertRefused, endBy, get, runAt, startAt, storedLeases } from './support/site.ts';

const options = { skip: NEEDS_ROOT };

async function leaseAddresses(socket: string): Promise<ReadonlySet<Json | undefined>> {
  const { json } = await get(socket, '/v1/leases');
  assert.ok(Array.isArray(json));
  return new Set(json.map((lease: Json) => (isJsonObject(lease) ? lease['address'] : undefined)));
}

for (const [signal, how] of [
  ['SIGTERM', 'exit status 0'],
  ['SIGKILL', 'SIGKILL'],
] as const) {
  test(`leases outlive a daemon ended by ${signal}, and the next one knows them`, options, async (t) => {
    const site = await lanSite(t);
    const daemon = await startAt(site);
    const one = await addPod(site, 'one');
    const two = await addPod(site, 'two');
    const before = await readFile(site.lan.server.leaseFile, 'utf8');
    const records = await storedLeases(site.stateDir);
    assert.equal(await endBy(daemon, signal), how);

    // Nothing was released: the server's file is what it was, the pods go on, the records are there.
    assert.equal(await readFile(site.lan.server.leaseFile, 'utf8'), before);
    assert.ok((await hasAddress(one.pod, one.address)) && (await hasAddress(two.pod, two.address)));
    assert.deepEqual(await storedLeases(site.stateDir), records);

    await startAt(site);
    assert.deepEqual(await leaseAddresses(site.socket), new Set([one.address, two.address]));
    await site.runtime.check(NETWORK, one.pod.attachment);
    const again = await site.runtime.add(NETWORK, one.pod.attachment, { delOnFailure: false });
    assert.match(JSON.stringify(again.result), new RegExp(`"${one.address}/24"`));
    for (const { pod, address } of [one, two]) {
      await site.runtime.del(NETWORK, pod.attachment);
      await waitUntilReleased(site, address);
      assert.deepEqual(await linksOf(pod), ['lo']);
    }
    await assertNothingLeft(site, one.pod);
  });
}

test('a start that fails with leases stored ends, and leaves them to the next one', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const { pod, address } = await addPod(site, 'pod');
  assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
  const other = createServer().listen(site.socket);
  t.after(() => other.close());
  await once(other, 'listening');
  assertRefused(await runAt(site), 1, /--socket \S+: another daemon answers there/);
  assert.ok(await hasAddress(pod, address));

  const elsewhere = { ...site, socket: join(site.folder, 'run', 'elsewhere.sock') };
  await startAt(elsewhere);
  assert.deepEqual(await leaseAddresses(elsewhere.socket), new Set([address]));
});
