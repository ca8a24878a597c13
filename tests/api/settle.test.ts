import assert from 'node:assert/strict';
import { mkdir, open, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { settleSpool, spoolFolder, type RunSpooled, type SpoolAnswer } from '../../src/api/spool.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { makeSpool, spool, spooledRequest } from '../daemon/support/spooled.ts';
import { folder, silence } from './support.ts';

const DONE = { ok: true, body: undefined } as const;

type Running = { readonly name: string; readonly end: (answer?: SpoolAnswer) => void };

/** What runs, by what the test calls it, until the test ends it. */
function held(): {
  readonly run: RunSpooled;
  readonly running: Map<string, Running>;
  readonly begun: string[];
} {
  const running = new Map<string, Running>();
  const begun: string[] = [];
  const run: RunSpooled = async ({ environment }) => {
    const name = environment['CNI_ARGS'] ?? '';
    begun.push(name);
    const { promise, resolve } = Promise.withResolvers<SpoolAnswer>();
    running.set(name, { name, end: (answer = DONE) => resolve(answer) });
    const answer = await promise;
    running.delete(name);
    return answer;
  };
  return { run, running, begun };
}

function del(name: string, container = name, ifname = 'eth0'): string {
  return spooledRequest(
    { CNI_COMMAND: 'DEL', CNI_CONTAINERID: container, CNI_IFNAME: ifname, CNI_ARGS: name },
    '{}',
  );
}

const GC = spooledRequest({ CNI_COMMAND: 'GC', CNI_ARGS: 'gc' }, '{}');

async function site(t: TestContext, ...requests: readonly string[]): Promise<{ readonly socket: string }> {
  const made = { socket: join(await folder(t), 'd.sock') };
  await makeSpool(made);
  for (const request of requests) await spool(made, request);
  return made;
}

function left({ socket }: { readonly socket: string }): Promise<readonly string[]> {
  return readdir(spoolFolder(socket));
}

const failing: RunSpooled = ({ environment }) => {
  const name = environment['CNI_ARGS'];
  if (name === 'thrown') return Promise.reject(new Error('a bug'));
  return Promise.resolve({ ok: false, body: { code: name === 'again' ? 11 : 7 } });
};

describe('the order', () => {
  test('attachments side by side, the requests of one after each other, a GC alone', async (t) => {
    const made = await site(
      t,
      del('a1', 'a'),
      del('b', 'b'),
      del('a2', 'a'),
      del('a-net', 'a', 'net1'),
      GC,
      del('c'),
    );
    const { run, running, begun } = held();
    const settled = settleSpool(made.socket, run, silence());
    await waitFor('three attachments', () => running.size === 3);
    assert.deepEqual(begun, ['a1', 'b', 'a-net']);
    running.get('a1')?.end();
    await waitFor('the second of the first', () => running.has('a2'));
    for (const name of ['b', 'a-net']) running.get(name)?.end();
    await waitFor('all but one to end', () => running.size === 1);
    running.get('a2')?.end();
    await waitFor('the GC', () => running.has('gc'));
    assert.equal(running.size, 1);
    running.get('gc')?.end();
    await waitFor('what came after the GC', () => running.has('c'));
    assert.deepEqual(begun.slice(3), ['a2', 'gc', 'c']);
    running.get('c')?.end();
    assert.equal(await settled, 6);
    assert.deepEqual(await left(made), []);
  });

  test('no more than sixteen at once', async (t) => {
    const made = await site(t, ...Array.from({ length: 40 }, (_, i) => del(String(i))));
    let most = 0;
    let now = 0;
    const run: RunSpooled = async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      now -= 1;
      return DONE;
    };
    assert.equal(await settleSpool(made.socket, run, silence()), 40);
    assert.ok(most <= 16, String(most));
  });

  test('once stopped nothing more is begun, and what was not begun stays', async (t) => {
    const made = await site(t, del('a1', 'a'), del('b'), del('a2', 'a'), GC, del('c'));
    const { run, running, begun } = held();
    let stopped = false;
    const settled = settleSpool(made.socket, run, silence(), { isStopped: () => stopped });
    await waitFor('two attachments', () => running.size === 2);
    stopped = true;
    for (const { end } of running.values()) end();
    assert.equal(await settled, 2);
    assert.deepEqual(begun, ['a1', 'b']);
    assert.equal((await left(made)).length, 3);
  });
});

describe('what stays', () => {
  for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EACCES', undefined]) {
    test(`a request that cannot be read for ${code ?? 'an unknown reason'}: it is done at the next look`, async (t) => {
      const made = await site(t, del('a'), del('b'));
      const [, second = ''] = (await left(made)).toSorted();
      const log = silence();
      const openFile: typeof open = async (path, flags) => {
        if (String(path).endsWith(second)) throw Object.assign(new Error(`${code}: open`), { code });
        return await open(path, flags);
      };
      assert.equal(await settleSpool(made.socket, () => Promise.resolve(DONE), log, { openFile }), 1);
      assert.deepEqual(await left(made), [second]);
      assert.ok(log.lines.some((line) => line.includes('stays') && line.includes(second)));
      assert.equal(await settleSpool(made.socket, () => Promise.resolve(DONE), log), 1);
      assert.deepEqual(await left(made), []);
    });
  }

  test('a request that is told to try again; any other failure would be one for ever', async (t) => {
    const made = await site(t, del('again'), del('failed'), del('thrown'));
    const [again = ''] = (await left(made)).toSorted();
    assert.equal(await settleSpool(made.socket, failing, silence()), 0);
    assert.deepEqual(await left(made), [again]);
  });

  test('not what can never be a request', async (t) => {
    const made = await site(t);
    const spooled = spoolFolder(made.socket);
    await writeFile(join(spooled, '1.req'), 'no request');
    await symlink('/etc/hostname', join(spooled, '2.req'));
    await mkdir(join(spooled, '3.req'));
    const log = silence();
    assert.equal(await settleSpool(made.socket, () => Promise.resolve(DONE), log), 0);
    // A folder is named and left to a person.
    assert.deepEqual(await left(made), ['3.req']);
    assert.equal(log.lines.filter((line) => line.includes('is dropped')).length, 3);
  });
});
