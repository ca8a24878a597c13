import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readSettled } from '../../src/lab/server.ts';
import { waitFor } from '../../src/lab/wait.ts';

const WHOLE = 'a lease\nanother one\n';
/** Empties its file, computes for a while as a process does that gets no processor, then writes it anew. */
const OWNER = `
  const { ftruncateSync, openSync, writeSync } = require('node:fs');
  const fd = openSync(process.argv[1], 'r+');
  ftruncateSync(fd, 0);
  const end = performance.now() + 400;
  while (performance.now() < end);
  writeSync(fd, ${JSON.stringify(WHOLE)}, 0);
  setInterval(() => undefined, 1 << 30);
`;

test('a lease file that is written anew at this moment is read when it is whole', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'leasehold-settled-'));
  t.after(async () => await rm(folder, { recursive: true }));
  const path = join(folder, 'leases');
  await writeFile(path, 'a lease\n');
  const owner = spawn(process.execPath, ['-e', OWNER, path], { stdio: 'ignore' });
  t.after(async () => {
    owner.kill();
    await once(owner, 'exit');
  });
  await waitFor('the file to be empty', async () => (await stat(path)).size === 0, { everyMs: 1 });
  assert.ok(owner.pid !== undefined);
  assert.equal(await readSettled(path, owner.pid), WHOLE);
});
