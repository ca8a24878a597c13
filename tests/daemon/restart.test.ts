import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
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
  serverHas,
  waitUntilReleased,
} from './support/lan.ts';
import { assertRefused, endBy, get, logText, runAt, startAt, storedLeases } from './support/site.ts';

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

test('records that cannot be read are moved aside and named, the others are taken up', options, async (t) => {
  const site = await lanSite(t);
  const daemon = await startAt(site);
  const good = await addPod(site, 'good');
  const [goodFile = ''] = await storedLeases(site.stateDir);
  const cut = await addPod(site, 'cut');
  await endBy(daemon, 'SIGKILL');

  const folder = join(site.stateDir, 'leases');
  const inside = (name: string): string => join(folder, name);
  const cutFile = (await readdir(folder)).find((name) => name !== goodFile) ?? '';
  await truncate(inside(cutFile), 100);
  const record = await readFile(inside(goodFile), 'utf8');
  const strange: Readonly<Record<string, string>> = {
    'empty.json': '',
    'list.json': '[]',
    // Somebody copied a record: two clients for one lease would fight over it.
    'copy.json': record,
    'notes.txt': 'remember the milk',
    'future.json': record.replace('"schema": 1', '"schema": 2'),
    'deep.json': '['.repeat(100_000),
    'large.json': ' '.repeat(300_000),
  };
  for (const [name, text] of Object.entries(strange)) await writeFile(inside(name), text);
  await mkdir(inside('folder.json'));
  await mkdir(inside('.hidden'));
  await symlink('/etc/hostname', inside('link.json'));
  // What a write that never ended leaves.
  await writeFile(inside(`.${goodFile}.7`), '{"schema"');

  await startAt(site);
  assert.deepEqual(await leaseAddresses(site.socket), new Set([good.address]));
  assert.deepEqual(await storedLeases(site.stateDir), [goodFile]);
  const aside = [...Object.keys(strange), cutFile, 'folder.json', '.hidden', 'link.json'];
  assert.deepEqual((await readdir(join(site.stateDir, 'unreadable'))).toSorted(), aside.toSorted());
  const log = logText(site);
  for (const name of aside) {
    assert.ok(log.includes(`"file":"${name}","aside":"${join(site.stateDir, 'unreadable', name)}"`), name);
  }

  // The lease whose record is lost: its DEL still succeeds and takes the link away.
  await site.runtime.del(NETWORK, cut.pod.attachment);
  assert.deepEqual(await linksOf(cut.pod), ['lo']);
  await site.runtime.del(NETWORK, good.pod.attachment);
  await waitUntilReleased(site, good.address);
});

test('what cannot even be moved aside does not stop the start', options, async (t) => {
  const site = await lanSite(t);
  await mkdir(join(site.stateDir, 'leases', 'twice.json', 'inside'), { recursive: true });
  await mkdir(join(site.stateDir, 'unreadable', 'twice.json', 'older'), { recursive: true });
  await startAt(site);
  assert.match(logText(site), /"file":"twice\.json".*nor be moved aside/);
  const { pod, address } = await addPod(site, 'pod');
  assert.ok(existsSync(join(site.stateDir, 'unreadable', 'twice.json', 'older')));
  assert.ok(await serverHas(site, address));
  await site.runtime.del(NETWORK, pod.attachment);
});
