import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, stat } from 'node:fs/promises';
import { before, describe, test } from 'node:test';

import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { answer, listenWith } from './support/fake-daemon.ts';
import { makeFolder, readSpool, type Folder } from './support/folder.ts';
import { assertError, buildTestRelay, runRelay } from './support/relay.ts';

before(buildTestRelay);

const NOBODY = 65_534;
const RESULT = '{"cniVersion":"1.0.0","ips":[]}';
/** Answers everything with RESULT, and prints that it was asked. */
const SERVER = `
  const [path, body] = process.argv.slice(1);
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => {
      process.stdout.write('asked');
      socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n' + body);
    });
  });
  server.listen(path);
`;

/** Somebody without rights who listens at the socket's path. */
async function listenAsNobody(folder: Folder): Promise<{ readonly wasAsked: () => boolean }> {
  const child = spawn(process.execPath, ['-e', SERVER, folder.socket, RESULT], { uid: NOBODY, gid: NOBODY });
  let heard = '';
  child.stdout.on('data', (bytes: Buffer) => {
    heard += bytes.toString();
  });
  folder.own({
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await once(child, 'exit');
    },
  });
  await waitFor('somebody to listen', () => existsSync(folder.socket));
  return { wasAsked: () => heard !== '' };
}

/** As /tmp is. */
async function sharedFolder(): Promise<Folder> {
  const folder = await makeFolder();
  await chmod(folder.path, 0o1777);
  return folder;
}

describe('another program listens in the place of the daemon', { skip: NEEDS_ROOT }, () => {
  test('nothing is sent to it, and the error says whose it is and what to do', async () => {
    await using folder = await sharedFolder();
    const impostor = await listenAsNobody(folder);
    for (const [command, code] of [
      ['ADD', 11],
      ['CHECK', 11],
      ['STATUS', 50],
    ] as const) {
      const error = assertError(await runRelay({ command, socket: folder.socket }), code, /./);
      assert.equal(
        error.msg,
        `another program listens in the daemon's place (socket ${folder.socket}): it is neither root's nor of the ` +
          "owner of the socket's folder, but of user 65534",
      );
      assert.match(error.details ?? '', /ss -xlp.*stop it, remove the socket, and start the daemon as root/);
    }
    assert.equal(impostor.wasAsked(), false);
  });

  test('DEL and GC are kept for the daemon, in a spool of our own', async () => {
    await using folder = await sharedFolder();
    const impostor = await listenAsNobody(folder);
    for (const command of ['DEL', 'GC'])
      assert.deepEqual(await runRelay({ command, socket: folder.socket }), { code: 0, stdout: '' });
    assert.equal((await readSpool(folder)).length, 2);
    assert.equal(impostor.wasAsked(), false);
  });

  test('and has made the spool too: nothing is written there, and the DEL fails', async () => {
    await using folder = await sharedFolder();
    const impostor = await listenAsNobody(folder);
    await mkdir(folder.spool, { mode: 0o700 });
    await chown(folder.spool, NOBODY, NOBODY);
    const error = assertError(
      await runRelay({ command: 'DEL', socket: folder.socket }),
      11,
      /spool belongs to another user$/,
    );
    assert.match(
      error.msg,
      /^another program listens in the daemon's place .* and the request cannot be kept for later/,
    );
    assert.deepEqual(await readdir(folder.spool), []);
    assert.equal(impostor.wasAsked(), false);
  });
});

describe('the folder of the socket is another user’s', { skip: NEEDS_ROOT }, () => {
  test('who listens there may speak if it is the same user, or root', async () => {
    await using folder = await makeFolder();
    await chown(folder.path, NOBODY, NOBODY);
    await listenAsNobody(folder);
    assert.deepEqual(await runRelay({ command: 'ADD', socket: folder.socket }), { code: 0, stdout: RESULT });
    await using second = await makeFolder();
    await chown(second.path, NOBODY, NOBODY);
    second.own(await listenWith(second.socket, answer(200, RESULT)));
    assert.deepEqual(await runRelay({ command: 'ADD', socket: second.socket }), { code: 0, stdout: RESULT });
  });

  test('no spool is made in it', async () => {
    await using folder = await makeFolder();
    await chown(folder.path, NOBODY, NOBODY);
    assertError(
      await runRelay({ command: 'DEL', socket: folder.socket }),
      11,
      /spool lies in a folder that belongs to another user$/,
    );
    await assert.rejects(stat(folder.spool), { code: 'ENOENT' });
  });
});
