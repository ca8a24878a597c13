import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { runPlugin, type PluginOutcome, type PluginRun } from '../../src/kernel/exec-plugin.ts';
import { until } from './support/sandbox.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lh-exec-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function script(body: string): string {
  const path = join(folder, 'plugin');
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

function run(path: string, change: Partial<PluginRun> = {}): Promise<PluginOutcome> {
  const usual = { env: {}, stdin: new Uint8Array(0), timeoutMs: 10_000, maxOutputBytes: 4096 };
  return runPlugin(path, { ...usual, ...change });
}

test('carries environment and input there, status and output back', async () => {
  const path = script('cat; echo "$CNI_COMMAND $HOME" >&2; pwd; exit 3');
  const outcome = await run(path, { env: { CNI_COMMAND: 'ADD' }, stdin: utf8('{}') });
  assert.deepEqual(outcome, { status: 3, stdout: '{}/\n', stderr: 'ADD \n' });
});

test('a plugin that does not read its input is none the worse', async () => {
  const outcome = await run(script('echo fine'), { stdin: new Uint8Array(1_000_000) });
  assert.deepEqual(outcome, { status: 0, stdout: 'fine\n', stderr: '' });
});

test('too much output ends it; too much on stderr is only cut', async () => {
  await assert.rejects(run(script('while :; do echo lots; done')), { code: 'EMSGSIZE' });
  const outcome = await run(script('head -c 100000 /dev/zero >&2'));
  assert.equal(outcome.status, 0);
  assert.equal(outcome.stderr.length, 4096);
});

test('is killed when its time is over', async () => {
  const path = script(`echo $$ > ${folder}/pid; exec sleep 100`);
  await assert.rejects(run(path, { timeoutMs: 300 }), { code: 'ETIMEDOUT', detail: 'no end after 300 ms' });
  const pid = readFileSync(join(folder, 'pid'), 'utf8').trim();
  await until('the process is gone', () => !existsSync(`/proc/${pid}`));
});

test('a grandchild that keeps the pipes open does not hold the answer for ever', async () => {
  const path = script(`sleep 5 & echo $! > ${folder}/pid; echo done`);
  const outcome = await run(path, { timeoutMs: 300 });
  assert.deepEqual(outcome, { status: 0, stdout: 'done\n', stderr: '' });
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
  // Left alone: it is not ours.
  assert.equal(process.kill(pid, 'SIGTERM'), true);
});

test('a signal counts as in a shell', async () => {
  assert.equal((await run(script('kill -TERM $$'))).status, 143);
});

test('what cannot be started is named', async () => {
  await assert.rejects(run(join(folder, 'missing')), { name: 'SysError', code: 'ENOENT' });
  writeFileSync(join(folder, 'data'), 'not a program');
  await assert.rejects(run(join(folder, 'data')), { code: 'EACCES' });
  await assert.rejects(run('plugin'), { code: 'EINVAL' });
  await assert.rejects(run(script('true'), { env: { A: 'x'.repeat(3_000_000) } }), { code: 'E2BIG' });
});
