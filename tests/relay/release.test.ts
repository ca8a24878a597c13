import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { makeFolder, type Folder } from './support/folder.ts';
import { makeRelay } from './support/relay.ts';

const PROGRAMS = ['leasehold', 'loopback', 'leasehold-probe'];

let folder: Folder;
before(async () => {
  folder = await makeFolder();
  await makeRelay(`OUT=${folder.path}`);
});

after(() => folder[Symbol.asyncDispose]());

/** Types of the program headers of a 64-bit ELF file in the machine's byte order (elf(5)). */
async function programHeaders(file: string): Promise<number[]> {
  const bytes = await readFile(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assert.equal(view.getUint32(0), 0x7f454c46, 'an ELF file');
  assert.equal(view.getUint8(4), 2, 'of 64 bits');
  const offset = Number(view.getBigUint64(32, true));
  const [size, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  return Array.from({ length: count }, (_, index) => view.getUint32(offset + index * size, true));
}

test('the release needs no interpreter and no library', async () => {
  const [PT_LOAD, PT_DYNAMIC, PT_INTERP] = [1, 2, 3];
  for (const name of PROGRAMS) {
    const types = await programHeaders(path.join(folder.path, name));
    assert.ok(types.includes(PT_LOAD));
    assert.ok(!types.includes(PT_INTERP) && !types.includes(PT_DYNAMIC), name);
  }
});

test('the release is small', async () => {
  for (const name of PROGRAMS) assert.ok((await stat(path.join(folder.path, name))).size < 1_000_000, name);
});

test('each plugin name is the same program', async () => {
  const { ino } = await stat(path.join(folder.path, 'leasehold'));
  for (const name of ['dhcp', 'macvlan', 'route-override']) {
    assert.equal((await stat(path.join(folder.path, name))).ino, ino);
    const out = execFileSync(path.join(folder.path, name), { env: { CNI_COMMAND: 'VERSION' } });
    assert.match(out.toString(), /"cniVersion":"1\.1\.0"/);
  }
});

test("the release's default socket is the daemon's", async () => {
  const bytes = await readFile(path.join(folder.path, 'leasehold'));
  assert.ok(bytes.includes('/run/leasehold/leasehold.sock\0'));
  assert.ok(!bytes.includes('leasehold-relay-tests'));
});

test('a second build has nothing to do', async () => {
  const times = async (): Promise<readonly number[]> =>
    await Promise.all(PROGRAMS.map(async (name) => (await stat(path.join(folder.path, name))).mtimeMs));
  const first = await times();
  await makeRelay(`OUT=${folder.path}`);
  assert.deepEqual(await times(), first);
});
