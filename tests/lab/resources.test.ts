import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning, signalProcess, startProcess, stopProcess } from '../../src/lab/long-process.ts';
import { CommandError, run, runToEnd } from '../../src/lab/process.ts';
import { Resources } from '../../src/lab/resources.ts';
import { DeadlineError, waitFor } from '../../src/lab/wait.ts';

const RESOURCES = join(import.meta.dirname, '..', '..', 'src', 'lab', 'resources.ts');

async function temporary(): Promise<string> {
  return await mkdtemp(join(tmpdir(), `lh${process.pid}-resources-`));
}

test('removed in reverse, on a throw too, and a failing step does not stop the others', async () => {
  const path = await temporary();
  const seen: number[] = [];
  const use = async (): Promise<void> => {
    await using resources = new Resources([], (made) => seen.push(made.length));
    resources.add({ kind: 'folder', path });
    const started = await startProcess(['sleep', '60'], { name: 'sleep', logFile: join(path, 'log') });
    resources.add({ kind: 'process', id: { pid: started.pid, startedAt: started.startedAt }, name: 'sleep' });
    resources.add({ kind: 'folder', path: '/proc/self/no-such\0' });
    throw new Error('the test itself');
  };
  await assert.rejects(use(), (error) => {
    assert.ok(error instanceof SuppressedError);
    assert.equal(error.suppressed.message, 'the test itself');
    return true;
  });
  assert.ok(!existsSync(path));
  assert.deepEqual(seen, [1, 2, 3]);
});

for (const [how, end] of [
  ['an uncaught error', 'throw new Error("boom")'],
  ['process.exit', 'process.exit(0)'],
  ['SIGTERM', 'process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000)'],
] as const) {
  test(`a process that ends by ${how} takes its things with it`, async () => {
    const path = await temporary();
    const script = `
      const { Resources } = await import(${JSON.stringify(RESOURCES)});
      new Resources().add({ kind: 'folder', path: ${JSON.stringify(path)} });
      ${end}`;
    await runToEnd([process.execPath, '--input-type=module', '-e', script]);
    assert.ok(!existsSync(path));
  });
}

test('a process is stopped only if it is the one meant', async (t) => {
  const path = await temporary();
  const started = await startProcess(['sleep', '60'], { name: 'sleep', logFile: join(path, 'log') });
  t.after(async () => {
    await stopProcess(started);
    await run(['rm', '-r', path]);
  });
  const other = { pid: started.pid, startedAt: '1' };
  signalProcess(other, 'SIGKILL');
  await stopProcess(other);
  assert.ok(isRunning(started));
  await stopProcess(started);
  assert.ok(!isRunning(started));
});

test('a command fails with what it said, and is stopped at its bounds', async () => {
  await assert.rejects(run(['sh', '-c', 'echo why >&2; exit 3']), /exit status 3: why/);
  await assert.rejects(run(['/no/such/program']), CommandError);
  await assert.rejects(run(['sh', '-c', 'sleep 60 & wait'], { timeoutMs: 50 }), /stopped after 50 ms/);
  await assert.rejects(run(['yes'], { maxOutputBytes: 1000 }), /more than 1000 bytes/);
  assert.equal(await run(['cat'], { input: 'x' }), 'x');
  assert.equal(await run(['true'], { input: 'x'.repeat(1 << 20) }), '');
  assert.equal((await runToEnd(['sh', '-c', 'kill -9 $$'])).status, 137);
});

test('waiting ends with the value, the deadline or the signal', async () => {
  let looks = 0;
  assert.equal(await waitFor('three', () => (++looks === 3 ? looks : undefined)), 3);
  const never = { deadlineMs: 30, describe: () => 'the log says so' };
  await assert.rejects(
    waitFor('never', () => false, never),
    DeadlineError,
  );
  await assert.rejects(
    waitFor('never', () => false, never),
    /waited 30 ms for never; the log says so/,
  );
  await assert.rejects(
    waitFor('it', () => false, { signal: AbortSignal.abort(new Error('stop')) }),
    /stop/,
  );
});
