import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';

import { answer, listenFake, listenWith } from './support/fake-daemon.ts';
import { makeFolder } from './support/folder.ts';
import { buildTestRelay, relayCommand } from './support/relay.ts';

before(buildTestRelay);

type Said = { readonly status: number; readonly stdout: string };

/** Runs the probe's test build; a sanitizer's report would be on stderr. */
async function probe(socket: string, ...args: readonly string[]): Promise<Said> {
  const { file, env } = relayCommand({ plugin: 'leasehold-probe', env: { LEASEHOLD_PROBE_SOCKET: socket } });
  const { promise, resolve } = Promise.withResolvers<Said>();
  execFile(file, [...args], { env }, (error, stdout, stderr) => {
    assert.equal(stderr, '');
    resolve({ status: error === null ? 0 : Number(error.code), stdout });
  });
  return await promise;
}

test('asks for what it is told to ask, and prints the reason', async () => {
  await using folder = await makeFolder();
  await using agent = await listenFake(folder.socket, {
    onRequest: (socket, { line }) => {
      const isReady = line === 'GET /ready HTTP/1.1';
      socket.end(answer(isReady ? 200 : 503, `{"reason":"${isReady ? 'ready' : 'it hangs: \\u00e4'}"}`));
    },
  });
  assert.deepEqual(await probe(folder.socket, 'ready'), { status: 0, stdout: 'ready\n' });
  assert.deepEqual(await probe(folder.socket, 'live'), { status: 1, stdout: 'it hangs: ä\n' });
  assert.deepEqual(
    agent.requests.map(({ line, body }) => [line, body]),
    [
      ['GET /ready HTTP/1.1', ''],
      ['GET /live HTTP/1.1', ''],
    ],
  );
});

test('is well only by an answer that says so', async () => {
  for (const [bytes, pattern] of [
    [answer(200, ''), /cannot be understood/],
    [answer(200, '{"reason":7}'), /cannot be understood/],
    [answer(200, '{"reason":"\\ud800"}'), /cannot be understood/],
    [answer(200, '[]'), /cannot be understood/],
    [answer(503, `{"reason":"${'x'.repeat(9000)}"}`), /^x{4000,}$/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', /closed the connection in the middle/],
    ['nonsense\r\n\r\n', /is not HTTP/],
  ] as const) {
    await using folder = await makeFolder();
    await using agent = await listenWith(folder.socket, bytes);
    const { status, stdout } = await probe(folder.socket, 'ready');
    assert.equal(status, 1, stdout);
    assert.match(stdout.trimEnd(), pattern);
    assert.equal(agent.requests.length, 1);
  }
});

test('says that nobody is there, and how it is used', async () => {
  await using folder = await makeFolder();
  const away = await probe(folder.socket, 'live');
  assert.equal(away.status, 1);
  assert.match(away.stdout, /\(socket .*\): No such file or directory\n$/);
  for (const args of [[], ['readyz'], ['ready', 'live']]) {
    const told = { status: 2, stdout: 'usage: leasehold-probe ready|live\n' };
    assert.deepEqual(await probe(folder.socket, ...args), told);
  }
  const tooLong = await probe(`/${'x'.repeat(200)}`, 'ready');
  assert.deepEqual([tooLong.status, /\(socket/.test(tooLong.stdout)], [1, true], tooLong.stdout);
});

test('the release asks where the agent answers by default', async () => {
  const release = path.resolve(import.meta.dirname, '../../dist/cni/leasehold-probe');
  assert.ok((await readFile(release)).includes('/run/leasehold-agent/probe.sock\0'));
});
