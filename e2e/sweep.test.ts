import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, runToEnd } from '../src/lab/process.ts';
import { waitFor } from '../src/lab/wait.ts';
import { RUNS } from './support/cache.ts';
import { leftovers } from './support/leftovers.ts';

const TIMEOUT_MS = 60_000;

const file = (...path: readonly string[]): string => join(import.meta.dirname, ...path);

test('what a killed run has left goes before the next one: processes, namespaces, cgroups, folder', async () => {
  const killed = await runToEnd([process.execPath, file('programs', 'killed-run.ts')], {
    timeoutMs: TIMEOUT_MS,
  });
  const prefix = killed.stdout;
  assert.match(prefix, /^lh\d+-\d+$/, killed.stderr);
  const folder = join(RUNS, prefix);
  const kinds = new Set(leftovers(prefix, folder).map((line) => line.split(' ')[0]));
  assert.deepEqual(kinds, new Set(['namespace', 'cgroup', 'process']));
  assert.ok(existsSync(folder));
  await run([process.execPath, file('support', 'sweep.ts')], { timeoutMs: TIMEOUT_MS });
  // What was killed is there until its parent has seen it.
  await waitFor('nothing to be left', () => leftovers(prefix, folder).length === 0, {
    describe: () => leftovers(prefix, folder).join('\n'),
  });
  assert.ok(!existsSync(folder));
});
