import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning, killProcess, startProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { ROOT } from '../support/leasehold.ts';

/** A Node whose first thread ends; the others stay. */
const WITHOUT_ITS_FIRST_THREAD = `
  import koffi from 'koffi';
  koffi.load('libc.so.6').func('void pthread_exit(void *status)')(null);
`;

test('a process is there while any of its threads is, also where the first one is a zombie', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-threads-`));
  t.after(() => rmSync(folder, { recursive: true }));
  const started = await startProcess(
    [process.execPath, '--input-type=module', '--eval', WITHOUT_ITS_FIRST_THREAD],
    { name: 'threads', logFile: join(folder, 'log'), cwd: ROOT },
  );
  try {
    await waitFor('the first thread to be a zombie', () =>
      /\) Z /.test(readFileSync(`/proc/${started.pid}/stat`, 'utf8')),
    );
    assert.equal(isRunning(started), true);
  } finally {
    await killProcess(started);
  }
  assert.equal(isRunning(started), false);
});
