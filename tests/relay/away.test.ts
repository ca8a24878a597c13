import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';

import { NEEDS_ROOT } from '../support/home-lan.ts';
import { listenFake } from './support/fake-daemon.ts';
import { makeFolder, readSpool } from './support/folder.ts';
import { assertError, buildTestRelay, relayCommand, runRelay, type CniError } from './support/relay.ts';

before(buildTestRelay);

const PATIENCE_MS = 150;
const NOBODY = 65_534;

describe('the daemon is away', () => {
  for (const [command, code] of [
    ['ADD', 11],
    ['CHECK', 11],
    ['unknown', 11],
    ['STATUS', 50],
  ] as const) {
    test(`${command}: code ${code}, with what failed and what to start`, async () => {
      await using folder = await makeFolder();
      const stdin = '{"cniVersion":"1.0.0"}';
      const error = assertError(await runRelay({ command, socket: folder.socket, stdin }), code, /./);
      assert.deepEqual(error, {
        cniVersion: '1.0.0',
        code,
        msg: `cannot connect to the daemon (socket ${folder.socket}): No such file or directory`,
        details: `Is the daemon running? Start it as root with \`leasehold daemon --socket ${folder.socket}\`.`,
      });
    });
  }

  for (const command of ['DEL', 'GC']) {
    test(`${command}: succeeds and says nothing`, async () => {
      await using folder = await makeFolder();
      assert.deepEqual(await runRelay({ command, socket: folder.socket }), { code: 0, stdout: '' });
      assert.equal((await readSpool(folder)).length, 1);
    });
  }

  test(
    'a socket that only another user may use: who calls it is not root',
    { skip: NEEDS_ROOT },
    async () => {
      await using folder = await makeFolder();
      await using daemon = await listenFake(folder.socket, {});
      await chown(folder.socket, NOBODY, NOBODY);
      await chmod(folder.socket, 0o600);
      // As root of a user namespace: user 0, without the capability to pass over the permissions of the machine's files.
      const script = 'exec setpriv --bounding-set -dac_override --inh-caps -dac_override "$0"';
      const error = assertError(
        await runRelay({ command: 'ADD', socket: folder.socket, script }),
        11,
        /Permission denied/,
      );
      assert.match(error.details ?? '', /^The daemon serves root alone\. .*\(rootless\)/);
      assert.equal(daemon.requests.length, 0);
    },
  );

  test('a file where the socket should be is no daemon', async () => {
    await using folder = await makeFolder();
    await writeFile(folder.socket, '');
    assertError(await runRelay({ command: 'ADD', socket: folder.socket }), 11, /Connection refused/);
  });

  test('the error has the cniVersion of the configuration only where that looks like one', async () => {
    await using folder = await makeFolder();
    for (const [stdin, version] of [
      ['{"cniVersion":"0.3.1"}', '0.3.1'],
      ['{"cniVersion":"0.3.1","cniVersion":"0.4.0"}', '0.4.0'],
      ['{"cniVersion":"1.0.0', '1.1.0'],
      ['{"x":{"cniVersion":"0.3.1"}}', '1.1.0'],
      ['{"cniVersion":1}', '1.1.0'],
      ['{"cniVersion":""}', '1.1.0'],
      ['{"cniVersion":"1.0.0\\"}', '1.1.0'],
      ['{"cniVersion":"1.0.0-rc1"}', '1.1.0'],
      ['{"cniVersion":"1.0.00000000000000000000"}', '1.1.0'],
      ['', '1.1.0'],
    ] as const) {
      const error = assertError(await runRelay({ command: 'ADD', socket: folder.socket, stdin }), 11, /./);
      assert.equal(error.cniVersion, version, stdin);
    }
  });

  test('a socket path that is no text still makes an error that is', async () => {
    const script = `LEASEHOLD_SOCKET="$(printf '/nowhere/\\377\\001"\\\\')" exec "$0"`;
    const outcome = await runRelay({ command: 'ADD', script });
    const { msg } = assertError(outcome, 11, /cannot connect/);
    assert.ok(msg.includes('(socket /nowhere/\uFFFD\u0001"\\)'), msg);
  });
});

describe('the daemon hangs', () => {
  test('never answers: ADD fails, DEL is kept for later', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenFake(folder.socket, {});
    const call = { socket: folder.socket, timeoutMs: PATIENCE_MS };
    assertError(await runRelay({ ...call, command: 'ADD' }), 11, /did not answer in time .*timed out/);
    assert.deepEqual(await runRelay({ ...call, command: 'DEL' }), { code: 0, stdout: '' });
    assert.equal((await readSpool(folder))[0]?.text, daemon.requests[1]?.raw);
  });

  test('never answers: STATUS fails by itself, while an ADD still waits', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenFake(folder.socket, {});
    const ends: string[] = [];
    const call = async (command: string): Promise<Awaited<ReturnType<typeof runRelay>>> => {
      const outcome = await runRelay({ command, socket: folder.socket, timeoutMs: 60_000 });
      ends.push(command);
      return outcome;
    };
    const adding = call('ADD');
    assertError(await call('STATUS'), 50, /did not answer in time .*timed out/);
    // Else a runtime, and with it the kubelet, would wait for a daemon that the kubelet has to start anew.
    assert.deepEqual(ends, ['STATUS']);
    await daemon[Symbol.asyncDispose]();
    assertError(await adding, 11, /closed the connection|connection to the daemon broke/);
  });

  test('answers for ever, a byte now and then: the deadline is for the whole', async () => {
    await using folder = await makeFolder();
    folder.own(
      await listenFake(folder.socket, {
        onRequest: (socket) => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          const drip = setInterval(() => socket.write(' '), PATIENCE_MS / 10);
          socket.on('close', () => clearInterval(drip));
        },
      }),
    );
    const outcome = await runRelay({ command: 'ADD', socket: folder.socket, timeoutMs: PATIENCE_MS });
    assertError(outcome, 11, /did not answer in time/);
  });

  test('never reads: the relay does not wait for ever to be rid of its request', async () => {
    await using folder = await makeFolder();
    folder.own(await listenFake(folder.socket, { onConnect: (socket) => socket.pause() }));
    const call = { command: 'ADD', socket: folder.socket, stdin: ' '.repeat(1_000_000) };
    assertError(await runRelay({ ...call, timeoutMs: PATIENCE_MS }), 11, /did not answer in time/);
  });

  test('never accepts: a full queue is a timeout too', async () => {
    await using folder = await makeFolder();
    folder.own(await listenFake(folder.socket, { backlog: 1 }));
    // spawnSync stops this process, and with it the daemon's accepting.
    const { file, env } = relayCommand({ command: 'ADD', socket: folder.socket, timeoutMs: PATIENCE_MS });
    const messages = Array.from({ length: 4 }, () => {
      const { stdout, stderr } = spawnSync(file, { env, input: '{}', timeout: 10_000 });
      assert.equal(stderr.toString(), '');
      return (JSON.parse(stdout.toString()) as CniError).msg;
    });
    assert.match(messages[0] ?? '', /did not answer in time/);
    assert.match(messages[3] ?? '', /cannot connect to the daemon .*timed out/);
  });

  test('the variable for tests can only shorten the deadline', async () => {
    await using folder = await makeFolder();
    folder.own(await listenFake(folder.socket, { onRequest: (socket) => socket.end('HTTP/1.1 ') }));
    for (const value of ['', 'soon', '-1', '99999999999999999999', '10x']) {
      const env = { LEASEHOLD_RELAY_TIMEOUT_MS: value };
      assertError(await runRelay({ command: 'ADD', socket: folder.socket, env }), 11, /in the middle/);
    }
  });
});
