import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { settleSpool, type RunSpooled } from '../../src/api/spool.ts';
import { parseSpooled } from '../../src/api/spool-entry.ts';
import { SpoolWatch } from '../../src/api/spool-watch.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { makeSpool, spool, spooledRequest } from '../daemon/support/spooled.ts';
import { folder, silence } from './support.ts';

const DEL = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0', CNI_ARGS: 'a=b c' };
const DONE = { ok: true, body: undefined } as const;

test('a spooled request is the request', () => {
  const parsed = parseSpooled(Buffer.from(spooledRequest(DEL, '{"ü":"\r\n\r\n"}', 'dhcp')));
  assert.ok(parsed.ok);
  assert.equal(parsed.value.plugin, 'dhcp');
  assert.deepEqual(parsed.value.environment, DEL);
  assert.equal(Buffer.from(parsed.value.stdin).toString(), '{"ü":"\r\n\r\n"}');
});

test('no bytes make the parser throw, and none but DEL and GC come out of it', () => {
  const seeds = [spooledRequest(DEL, '{}'), spooledRequest({ CNI_COMMAND: 'GC' }, '')];
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        ...seeds,
        '\r\n',
        '\r\n\r\n',
        ':',
        'cni-command: ADD',
        'cni-command: DEL',
        '__proto__: x',
        '%',
      ),
      fc.string({ unit: 'binary' }),
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const parsed = parseSpooled(Buffer.from(parts.join(''), 'latin1'));
      if (parsed.ok) assert.match(parsed.value.environment['CNI_COMMAND'] ?? '', /^(DEL|GC)$/);
      else assert.notEqual(parsed.error, '');
    }),
    { numRuns: 300 },
  );
});

test('requests are done in the order of their names, a failing one does not stop the others', async (t) => {
  const site = { socket: join(await folder(t), 'd.sock') };
  const path = await makeSpool(site);
  for (const id of ['2', '1', '3'])
    await writeFile(join(path, `${id}.req`), spooledRequest({ ...DEL, CNI_CONTAINERID: id }, '{}'));
  const done: string[] = [];
  const run: RunSpooled = ({ environment }) => {
    done.push(environment['CNI_CONTAINERID'] ?? '');
    return Promise.resolve(done.length === 2 ? { ok: false, body: { code: 7 } } : DONE);
  };
  const log = silence();
  assert.equal(await settleSpool(site.socket, run, log), 2);
  assert.deepEqual(done, ['1', '2', '3']);
  assert.deepEqual(await readdir(path), []);
  assert.ok(log.lines.some((line) => line.includes('a spooled request failed') && line.includes('2.req')));
});

test('a request as large as the relay can write is taken', async (t) => {
  const site = { socket: join(await folder(t), 'd.sock') };
  await spool(site, spooledRequest({ ...DEL, CNI_ARGS: ' '.repeat(32_000) }, '{}'.padEnd(1 << 20)));
  const log = silence();
  assert.equal(await settleSpool(site.socket, () => Promise.resolve(DONE), log), 1, log.lines.join('\n'));
});

test('what comes while it watches is done, each once', async (t) => {
  const site = { socket: join(await folder(t), 'd.sock') };
  const seen: string[] = [];
  const run: RunSpooled = async ({ environment }) => {
    seen.push(environment['CNI_CONTAINERID'] ?? '');
    await new Promise((resolve) => setImmediate(resolve));
    return DONE;
  };
  const watch = new SpoolWatch(site.socket, run, silence());
  await Promise.all([watch.settle(), watch.settle()]);
  // Before the watch begins, and during it.
  await spool(site, spooledRequest({ ...DEL, CNI_CONTAINERID: '0' }, '{}'));
  watch.start();
  for (let i = 1; i < 20; i++)
    await spool(site, spooledRequest({ ...DEL, CNI_CONTAINERID: String(i) }, '{}'));
  await waitFor('all of them', () => seen.length >= 20);
  await watch.close();
  assert.deepEqual(seen.toSorted(), Array.from({ length: 20 }, (_, i) => String(i)).toSorted());
});

test('a closed watch does nothing more, and waits for what it does', async (t) => {
  const site = { socket: join(await folder(t), 'd.sock') };
  await spool(site, spooledRequest(DEL, '{}'));
  const gate = Promise.withResolvers<typeof DONE>();
  let started = 0;
  const watch = new SpoolWatch(
    site.socket,
    () => {
      started += 1;
      return gate.promise;
    },
    silence(),
  );
  watch.start();
  await waitFor('it to begin', () => started === 1);
  let closed = false;
  const closing = watch.close().then(() => (closed = true));
  await spool(site, spooledRequest(DEL, '{}'));
  assert.equal(closed, false);
  gate.resolve(DONE);
  await closing;
  assert.equal(started, 1);
});

test('a folder that cannot be made is a word in the log', async (t) => {
  const path = await folder(t);
  await writeFile(join(path, 'file'), '');
  const log = silence();
  const watch = new SpoolWatch(join(path, 'file', 'd.sock'), () => Promise.resolve(DONE), log);
  watch.start();
  await watch.close();
  assert.ok(log.lines.some((line) => line.includes('cannot be watched')));
});
