import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, test } from 'node:test';

import { answer, listenWith } from './support/fake-daemon.ts';
import { makeFolder, readSpool, type Folder } from './support/folder.ts';
import { assertError, buildTestRelay, relayCommand, runRelay } from './support/relay.ts';

before(buildTestRelay);

const ENTRIES_MAX = 1024;
const PERMISSIONS = 0o7777;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

const call = {
  plugin: 'macvlan',
  env: { CNI_CONTAINERID: 'a b', CNI_NETNS: '', CNI_IFNAME: 'eth0' },
  stdin: '{"cniVersion":"1.1.0","x":"\u0000\n"}',
};

async function del(folder: Folder): ReturnType<typeof runRelay> {
  return await runRelay({ ...call, command: 'DEL', socket: folder.socket });
}

async function refusal(folder: Folder, message: RegExp): Promise<void> {
  const error = assertError(await del(folder), 11, message);
  assert.match(error.msg, /^cannot connect .*; and the request cannot be kept for later: \//);
  assert.match(error.details ?? '', /as root with `leasehold daemon --socket /);
}

describe('a DEL or GC without a daemon', () => {
  for (const command of ['DEL', 'GC']) {
    test(`${command}: the file holds the bytes that the daemon would have been sent`, async () => {
      await using folder = await makeFolder();
      const socket = folder.socket;
      await using daemon = await listenWith(socket, answer(200, ''));
      await runRelay({ ...call, command, socket });
      await daemon[Symbol.asyncDispose]();
      await runRelay({ ...call, command, socket });
      const [entry, ...more] = await readSpool(folder);
      assert.equal(more.length, 0);
      assert.match(entry?.name ?? '', /^[0-9]{20}-[0-9]+\.req$/);
      assert.equal(entry?.text, daemon.requests[0]?.raw);
    });
  }

  test('the name begins with the nanoseconds of the wall clock', async () => {
    await using folder = await makeFolder();
    const first = BigInt(Date.now()) * 1_000_000n;
    await del(folder);
    const last = BigInt(Date.now() + 1) * 1_000_000n;
    const time = BigInt((await readSpool(folder))[0]?.name.slice(0, 20) ?? 0);
    assert.ok(first <= time && time <= last);
  });

  test('folder and file are private whatever the umask is', async () => {
    await using folder = await makeFolder();
    for (const umask of ['0000', '0777'])
      await runRelay({ command: 'DEL', socket: folder.socket, script: `umask ${umask}; exec "$0"` });
    assert.equal((await stat(folder.spool)).mode & PERMISSIONS, 0o700);
    const entries = await readSpool(folder);
    assert.equal(entries.length, 2);
    for (const { name } of entries)
      assert.equal((await stat(path.join(folder.spool, name))).mode & PERMISSIONS, 0o600);
  });

  test('the folder of the socket is made too, as after a reboot', async () => {
    await using folder = await makeFolder();
    const socket = path.join(folder.path, 'leasehold', 'd.sock');
    assert.deepEqual(await runRelay({ command: 'DEL', socket }), { code: 0, stdout: '' });
    assert.equal((await stat(path.dirname(socket))).mode & PERMISSIONS, 0o700);
    assert.equal((await readdir(`${socket}.spool`)).length, 1);
  });

  test('eight at the same moment get eight files', async () => {
    await using folder = await makeFolder();
    await Promise.all(Array.from({ length: 8 }, () => del(folder)));
    const entries = await readSpool(folder);
    assert.equal(new Set(entries.map(({ name }) => name)).size, 8);
    assert.equal(new Set(entries.map(({ text }) => text)).size, 1);
  });

  test('later requests have later names', async () => {
    await using folder = await makeFolder();
    for (const id of ['1', '2', '3'])
      await runRelay({ command: 'DEL', socket: folder.socket, env: { CNI_CONTAINERID: id } });
    const ids = (await readSpool(folder)).map(({ text }) => /Cni-Containerid: (.)/.exec(text)?.[1]);
    assert.deepEqual(ids, ['1', '2', '3']);
  });

  test('an answer that broke, or 503, is none: the request is kept', async () => {
    for (const bytes of [
      '',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}',
      answer(503, '{"code":11,"msg":"starting"}'),
      answer(200, 'x'),
      answer(500, 'x'),
    ]) {
      await using folder = await makeFolder();
      await using daemon = await listenWith(folder.socket, bytes);
      assert.deepEqual(await del(folder), { code: 0, stdout: '' });
      assert.equal((await readSpool(folder))[0]?.text, daemon.requests[0]?.raw);
    }
  });

  test('a request that was answered is not kept', async () => {
    await using folder = await makeFolder();
    folder.own(await listenWith(folder.socket, answer(500, '{"code":100,"msg":"no"}')));
    assertError(await del(folder), 100, /no/);
    await assert.rejects(stat(folder.spool), { code: 'ENOENT' });
  });
});

describe('a spool that cannot be used', () => {
  test('full', async () => {
    await using folder = await makeFolder();
    await mkdir(folder.spool, { mode: 0o700 });
    const names = Array.from({ length: ENTRIES_MAX - 1 }, (_, index) =>
      path.join(folder.spool, String(index)),
    );
    await Promise.all(names.map((name) => writeFile(name, '')));
    assert.equal((await del(folder)).code, 0);
    await refusal(folder, /d\.sock\.spool is full: it has 1024 requests$/);
    assert.equal((await readdir(folder.spool)).length, ENTRIES_MAX);
  });

  for (const mode of [0o701, 0o710, 0o704, 0o777]) {
    test(`open to others: ${mode.toString(8)}`, async () => {
      await using folder = await makeFolder();
      await mkdir(folder.spool);
      await chmod(folder.spool, mode);
      await refusal(folder, /accessible to others: its mode must be 0700$/);
      assert.deepEqual(await readdir(folder.spool), []);
    });
  }

  test('a symbolic link, to a good folder or to nothing', async () => {
    await using folder = await makeFolder();
    const target = path.join(folder.path, 'target');
    await symlink(target, folder.spool);
    await refusal(folder, /is a symbolic link, which is not followed$/);
    await mkdir(target, { mode: 0o700 });
    await refusal(folder, /is a symbolic link, which is not followed$/);
    assert.deepEqual(await readdir(target), []);
  });

  test('a file', async () => {
    await using folder = await makeFolder();
    await writeFile(folder.spool, '');
    await refusal(folder, /cannot be opened: Not a directory$/);
  });

  test("another user's", { skip: !isRoot && 'only root can give a folder away' }, async () => {
    await using folder = await makeFolder();
    await mkdir(folder.spool, { mode: 0o700 });
    await chown(folder.spool, NOBODY, NOBODY);
    await refusal(folder, /belongs to another user$/);
  });

  test('in a folder that is not there, nor its parent: more likely a wrong path', async () => {
    await using folder = await makeFolder();
    const socket = path.join(folder.path, 'a/b/d.sock');
    assertError(await runRelay({ command: 'DEL', socket }), 11, /cannot be made: No such file or directory$/);
    assert.deepEqual(await readdir(folder.path), []);
  });

  test(
    'on a full disk: nothing of the request stays',
    { skip: !isRoot && 'only root can mount' },
    async () => {
      await using folder = await makeFolder();
      await mkdir(folder.spool, { mode: 0o700 });
      const { file, env } = relayCommand({ command: 'DEL', socket: folder.socket });
      // The file system is seen by this command only, and gone when it ends.
      const script = `mount -t tmpfs -o size=16k,mode=0700 none "$1.spool"; "$0"; echo "exit $?"; ls -A "$1.spool"`;
      const options = { env, input: ' '.repeat(100_000) };
      const out = execFileSync(
        'unshare',
        ['--mount', 'sh', '-c', script, file, folder.socket],
        options,
      ).toString();
      const [json = '', ...rest] = out.split('\n');
      assert.match(json, /d\.sock\.spool cannot be written to: No space left on device"/);
      assert.deepEqual(rest, ['exit 1', '']);
    },
  );
});
