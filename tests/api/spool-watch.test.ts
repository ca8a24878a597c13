import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SpoolWatch } from '../../src/api/spool-watch.ts';
import type { RunSpooled } from '../../src/api/spool.ts';
import { makeSpool, spool, spooledRequest } from '../daemon/support/spooled.ts';

const DEL = spooledRequest({ CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0' }, '{}');
const LOG = { info: (): void => undefined, warn: (): void => undefined };

async function watchIn(t: TestContext, run: RunSpooled): Promise<{ socket: string; watch: SpoolWatch }> {
  const folder = await mkdtemp(join(tmpdir(), `lh-spool-watch-${process.pid}-`));
  t.after(() => rm(folder, { recursive: true }));
  const socket = join(folder, 'd.sock');
  await makeSpool({ socket });
  const watch = new SpoolWatch(socket, run, LOG);
  t.after(() => watch.close());
  return { socket, watch };
}

test('an ADD waits for a DEL that its runtime was told is done', async (t) => {
  const done: string[] = [];
  const { socket, watch } = await watchIn(t, async ({ environment }) => {
    await new Promise((resolve) => setImmediate(resolve));
    done.push(environment['CNI_COMMAND'] ?? '');
    return { ok: true, body: undefined };
  });
  await spool({ socket }, DEL);
  await watch.settledFirst();
  assert.deepEqual(done, ['DEL']);
});

test('one that came while others are settled is waited for too', async (t) => {
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  const { socket, watch } = await watchIn(t, async ({ environment }) => {
    if (done.length === 0) await first.promise;
    done.push(environment['CNI_CONTAINERID'] ?? '');
    return { ok: true, body: undefined };
  });
  await spool({ socket }, DEL);
  const settling = watch.settle();
  await spool({ socket }, DEL.replace('c1', 'c2'));
  const add = watch.settledFirst().then(() => [...done]);
  first.resolve();
  assert.deepEqual(await add, ['c1', 'c2']);
  await settling;
});

test('an empty spool, and one that is not there, is nothing to wait for', async (t) => {
  const { socket, watch } = await watchIn(t, () => Promise.reject(new Error('nothing is run')));
  await watch.settledFirst();
  await rm(`${socket}.spool`, { recursive: true });
  await watch.settledFirst();
});
