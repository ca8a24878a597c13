import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';

import { waitFor } from '../../src/lab/wait.ts';
import { claimSocket } from '../../src/daemon/listen.ts';
import { answer, listenFake, listenWith } from './support/fake-daemon.ts';
import { makeFolder, readSpool, type Folder } from './support/folder.ts';
import { assertError, buildTestRelay, runRelay, type Call, type Outcome } from './support/relay.ts';

before(buildTestRelay);

const RESULT = '{"cniVersion":"1.1.0"}';
const DONE = answer(200, RESULT);
const NOT_READY = answer(503, '{"code":11,"msg":"starting"}');
/** Where the relay gives up: so long, and no longer. */
const PATIENCE_MS = 300;

/** A daemon that was killed leaves a socket that refuses. */
async function leaveStaleSocket({ socket }: Folder): Promise<void> {
  const daemon = await listenFake(`${socket}.first`, {});
  await rename(`${socket}.first`, socket);
  await daemon[Symbol.asyncDispose]();
  assert.ok(existsSync(socket));
}

/** poll(2) or ppoll(2) of nothing: the relay sleeps between two looks (proc(5), syscall). */
function isPausing(pid: number): boolean {
  return /^(7|73|271) 0x0 0x0 /.test(readFileSync(`/proc/${pid}/syscall`, 'utf8'));
}

/** A call that waits for its daemon by now. The outcome is wrapped, so that it is not waited for here. */
async function waitingCall(call: Call): Promise<{ readonly outcome: Promise<Outcome> }> {
  let pid = 0;
  const outcome = runRelay({ ...call, stdin: '{}', onStart: (started) => (pid = started) });
  await waitFor('the relay to wait for the daemon', () => pid !== 0 && isPausing(pid));
  return { outcome };
}

describe('a daemon that starts is waited for', () => {
  for (const command of ['ADD', 'CHECK', 'STATUS']) {
    test(`${command}: its socket is there from before, and it takes it over`, async () => {
      await using folder = await makeFolder();
      await leaveStaleSocket(folder);
      const { outcome } = await waitingCall({ command, socket: folder.socket });
      await unlink(folder.socket);
      folder.own(await listenWith(folder.socket, DONE));
      assert.deepEqual(await outcome, { code: 0, stdout: RESULT });
    });

    test(`${command}: it holds its lock and has no socket yet`, async () => {
      await using folder = await makeFolder();
      const claim = claimSocket(folder.socket);
      const { outcome } = await waitingCall({ command, socket: folder.socket });
      folder.own(await listenWith(folder.socket, DONE));
      assert.deepEqual(await outcome, { code: 0, stdout: RESULT });
      claim.release();
    });

    test(`${command}: it answers "not ready" at first`, async () => {
      await using folder = await makeFolder();
      let count = 0;
      const daemon = await listenFake(folder.socket, {
        onRequest: (socket) => socket.end((count += 1) > 3 ? DONE : NOT_READY),
      });
      folder.own(daemon);
      const outcome = await runRelay({ command, socket: folder.socket, stdin: '{"a":1}' });
      assert.deepEqual(outcome, { code: 0, stdout: RESULT });
      assert.equal(daemon.requests.length, 4);
      assert.equal(new Set(daemon.requests.map(({ raw }) => raw)).size, 1, 'each time the same request');
    });
  }

  for (const command of ['ADD', 'CHECK', 'STATUS']) {
    test(`${command}: it ends before it has taken the connection`, async () => {
      await using folder = await makeFolder();
      const { socket } = folder;
      // A listener that never calls accept(2); Node has none.
      const script = 'socket S,1,1,0; bind S,pack_sockaddr_un shift; listen S,9; $|=1; print 1; sleep 60';
      const listener = spawn('perl', ['-MSocket', '-e', script, socket], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(listener.stdout, 'data');
      const outcome = runRelay({ command, socket, stdin: '{}' });
      // The listener, and the connection in its queue (proc_net(5), unix).
      const named = (): number => readFileSync('/proc/net/unix', 'utf8').split(socket).length - 1;
      await waitFor('the relay to be in its queue', () => named() === 2);
      listener.kill('SIGKILL');
      await once(listener, 'close');
      await unlink(socket);
      folder.own(await listenWith(socket, DONE));
      assert.deepEqual(await outcome, { code: 0, stdout: RESULT });
    });
  }

  test('one that stops and is started again is waited for through the gap', async () => {
    await using folder = await makeFolder();
    const first = await listenWith(folder.socket, NOT_READY);
    const { outcome } = await waitingCall({ command: 'ADD', socket: folder.socket });
    await first[Symbol.asyncDispose]();
    assert.ok(!existsSync(folder.socket));
    folder.own(await listenWith(folder.socket, DONE));
    assert.deepEqual(await outcome, { code: 0, stdout: RESULT });
  });

  test('not for ever: then the error is that of the last look', async () => {
    await using folder = await makeFolder();
    await leaveStaleSocket(folder);
    const call = { command: 'ADD', socket: folder.socket, timeoutMs: PATIENCE_MS };
    const refused = assertError(await runRelay(call), 11, /cannot connect .*: Connection refused$/);
    assert.match(refused.details ?? '', /^Is the daemon running\?/);
    await unlink(folder.socket);
    const claim = claimSocket(folder.socket);
    const absent = assertError(await runRelay(call), 11, /cannot connect .*: No such file or directory$/);
    assert.equal(absent.details, 'The daemon is starting or stopping: try again in a moment.');
    claim.release();
  });

  test('nothing is sent again to a daemon that may have begun with it', async () => {
    await using folder = await makeFolder();
    let count = 0;
    const daemon = await listenFake(folder.socket, {
      onRequest: (socket) => ((count += 1) === 1 ? socket.end(NOT_READY) : socket.destroy()),
    });
    folder.own(daemon);
    assertError(await runRelay({ command: 'ADD', socket: folder.socket }), 11, /closed the connection|broke/);
    assert.equal(daemon.requests.length, 2);
  });
});

describe('what is not waited for', () => {
  for (const command of ['DEL', 'GC']) {
    test(`${command} is kept at once, whatever the daemon is at`, async () => {
      await using folder = await makeFolder();
      const call = { command, socket: folder.socket };
      const claim = claimSocket(folder.socket);
      assert.deepEqual(await runRelay(call), { code: 0, stdout: '' });
      claim.release();
      await leaveStaleSocket(folder);
      assert.deepEqual(await runRelay(call), { code: 0, stdout: '' });
      await unlink(folder.socket);
      const daemon = await listenWith(folder.socket, NOT_READY);
      folder.own(daemon);
      assert.deepEqual(await runRelay(call), { code: 0, stdout: '' });
      assert.equal(daemon.requests.length, 1, 'asked once');
      assert.equal((await readSpool(folder)).length, 3);
    });
  }

  test('a lock file that nobody holds, or that is a link to one that is held', async () => {
    await using folder = await makeFolder();
    const held = `${folder.socket}-other`;
    const claim = claimSocket(held);
    await writeFile(`${folder.socket}.lock`, '');
    // The daemon that is not there is said at once: a relay that waited would end with its own patience, 10 s.
    const first = assertError(await runRelay({ command: 'ADD', socket: folder.socket }), 11, /No such file/);
    assert.match(first.details ?? '', /^Is the daemon running\?/);
    await unlink(`${folder.socket}.lock`);
    await symlink(`${held}.lock`, `${folder.socket}.lock`);
    const second = assertError(await runRelay({ command: 'ADD', socket: folder.socket }), 11, /No such file/);
    assert.match(second.details ?? '', /^Is the daemon running\?/);
    claim.release();
  });
});
