import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, describe, test } from 'node:test';

import { answer, listenFake, listenWith } from './support/fake-daemon.ts';
import { makeFolder } from './support/folder.ts';
import { assertError, buildTestRelay, runRelay } from './support/relay.ts';

const KIB = 1024;
const STDIN_MAX = 1024 * KIB;
const ENVIRONMENT_MAX = 32 * KIB;

before(buildTestRelay);

describe('the request', () => {
  test('carries plugin, variables and stdin', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, '{"ips":[]}'));
    const env = {
      CNI_CONTAINERID: 'pod-1',
      CNI_NETNS: '/run/netns/pod 1',
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=wörld\r\nX-Evil: 1',
      CNI_PATH: '/opt/cni/bin:/usr/lib/cni',
      CNI_NETNS_OVERRIDE: '',
    };
    const outcome = await runRelay({
      plugin: 'macvlan',
      command: 'ADD',
      socket: folder.socket,
      env,
      stdin: '{"a":1}',
    });
    assert.deepEqual(outcome, { code: 0, stdout: '{"ips":[]}' });
    const [request, ...more] = daemon.requests;
    assert.ok(request !== undefined && more.length === 0);
    assert.equal(request.line, 'POST /cni/macvlan HTTP/1.1');
    assert.equal(request.body, '{"a":1}');
    assert.deepEqual(Object.fromEntries(request.headers), {
      Host: 'leasehold',
      'Content-Type': 'application/json',
      'Content-Length': '7',
      Connection: 'close',
      'Cni-Command': 'ADD',
      'Cni-Containerid': 'pod-1',
      'Cni-Netns': '/run/netns/pod%201',
      'Cni-Ifname': 'eth0',
      'Cni-Args': 'IgnoreUnknown=1;K8S_POD_NAME=w%C3%B6rld%0D%0AX-Evil:%201',
      'Cni-Path': '/opt/cni/bin:/usr/lib/cni',
      'Cni-Netns-Override': '',
    });
    assert.equal(decodeURIComponent(request.headers.get('Cni-Args') ?? ''), env.CNI_ARGS);
  });

  test('has no header for a variable that is not set', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, ''));
    await runRelay({ command: 'STATUS', socket: folder.socket });
    const names = [...(daemon.requests[0]?.headers.keys() ?? [])].filter((name) => name.startsWith('Cni-'));
    assert.deepEqual(names, ['Cni-Command']);
  });

  test('encodes every byte that a variable can hold', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, ''));
    const octal = Array.from({ length: 255 }, (_, index) => `\\${(index + 1).toString(8).padStart(3, '0')}`);
    // The x keeps the shell from cutting the newline off.
    const script = `CNI_ARGS="$(printf '${octal.join('')}x')" exec "$0"`;
    await runRelay({ command: 'CHECK', socket: folder.socket, script });
    const expected = Array.from({ length: 255 }, (_, index) => {
      const char = String.fromCodePoint(index + 1);
      const hex = (index + 1).toString(16).toUpperCase().padStart(2, '0');
      return /[A-Za-z0-9._~/:;=,@-]/.test(char) ? char : `%${hex}`;
    });
    assert.equal(daemon.requests[0]?.headers.get('Cni-Args'), `${expected.join('')}x`);
  });

  test('carries stdin byte for byte up to 1 MiB, also to a daemon that reads slowly', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenFake(folder.socket, {
      onConnect: (socket) => {
        socket.pause();
        setImmediate(() => socket.resume());
      },
      onRequest: (socket) => socket.end(answer(200, '')),
    });
    const stdin = randomBytes(STDIN_MAX);
    assert.equal((await runRelay({ command: 'CHECK', socket: folder.socket, stdin })).code, 0);
    assert.equal(daemon.requests[0]?.body, stdin.toString('latin1'));
  });

  test('keeps a program name that is hostile inside its place', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, ''));
    await runRelay({ command: 'CHECK', socket: folder.socket, argv0: '/bin/a b?c\r\nX: y' });
    await runRelay({ command: 'CHECK', socket: folder.socket, argv0: '/bin/' });
    const lines = daemon.requests.map((request) => request.line);
    assert.deepEqual(lines, ['POST /cni/a%20b%3Fc%0D%0AX:%20y HTTP/1.1', 'POST /cni/leasehold HTTP/1.1']);
  });

  test('makes relative paths absolute, because the daemon has another working directory', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, ''));
    const env = { CNI_NETNS: 'ns/a', CNI_PATH: 'bin:/opt/cni/bin::../lib' };
    await runRelay({ command: 'CHECK', socket: folder.socket, env, cwd: folder.path });
    const headers = daemon.requests[0]?.headers;
    assert.equal(headers?.get('Cni-Netns'), `${folder.path}/ns/a`);
    assert.equal(headers?.get('Cni-Path'), `${folder.path}/bin:/opt/cni/bin::${folder.path}/../lib`);
  });

  /** What the shell that becomes the plugin says of its namespace: it has the same process id. */
  const OWN_PATHS: readonly string[] = [
    '/proc/self/fd/3',
    '/proc/self/ns/net',
    '/proc/thread-self/ns/net',
    '//proc/./self//fd/3',
    '/proc/1/../self/ns/net',
    '/dev/fd/3',
    '/dev/stdin',
    '/proc/$$/fd/3',
    '/proc/$$/task/$$/ns/net',
    '$PWD/link',
    '$PWD/relative',
    '$PWD/folder/net',
    'link',
  ];
  const LINKS =
    'ln -s /proc/self/ns/net link; ln -s link relative; ln -s /proc/thread-self/ns folder; exec 3</proc/self/ns/net';

  test('CNI_NETNS by the files of the plugin itself is another one in the daemon: refused, with the remedy', async () => {
    for (const [at, netns] of OWN_PATHS.entries()) {
      await using folder = await makeFolder();
      await using daemon = await listenWith(folder.socket, answer(200, '{}'));
      const script = `${LINKS}; CNI_NETNS="${netns}" exec "$0"`;
      const outcome = await runRelay({
        command: at % 2 === 0 ? 'ADD' : 'CHECK',
        socket: folder.socket,
        script,
        cwd: folder.path,
      });
      assertError(outcome, 4, /^CNI_NETNS names a file of the plugin's own process.*\/run\/netns\/NAME/);
      assert.equal(daemon.requests.length, 0, netns);
    }
  });

  test('a working directory in it counts as well', async () => {
    await using folder = await makeFolder();
    const script = 'cd /proc/self/ns && CNI_NETNS=net exec "$0"';
    const outcome = await runRelay({ command: 'ADD', socket: folder.socket, script });
    assertError(outcome, 4, /^CNI_NETNS names a file of the plugin's own process/);
  });

  test('what is the same in every process is carried as it is', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, '{}'));
    const paths = [
      '/run/netns/pod',
      '/proc/1/ns/net',
      `/proc/${process.pid}/ns/net`,
      '/proc/selfish/ns/net',
      '/nowhere/proc/self/ns/net',
      '/proc/999999999/fd/3',
      `${folder.path}/loop/x`,
      `/${'x'.repeat(5000)}`,
    ];
    const script = 'ln -sf loop loop; exec "$0"';
    for (const netns of paths) {
      const call = { command: 'ADD', socket: folder.socket, script, cwd: folder.path };
      assert.equal((await runRelay({ ...call, env: { CNI_NETNS: netns } })).code, 0);
    }
    assert.deepEqual(
      daemon.requests.map(({ headers }) => headers.get('Cni-Netns')),
      paths,
    );
  });

  test('a DEL goes without such a namespace, and no folder of CNI_PATH is one', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, ''));
    const env = { CNI_NETNS: '/proc/self/fd/3', CNI_PATH: '/opt/cni/bin:/proc/self/cwd:/usr/lib/cni' };
    assert.equal((await runRelay({ command: 'DEL', socket: folder.socket, env })).code, 0);
    const headers = daemon.requests[0]?.headers;
    assert.equal(headers?.get('Cni-Netns'), '');
    assert.equal(headers?.get('Cni-Path'), '/opt/cni/bin::/usr/lib/cni');
  });

  test('cannot be made when the working directory is gone', async () => {
    await using folder = await makeFolder();
    const script = 'mkdir "$PWD/gone" && cd gone && rmdir "$PWD" && exec "$0"';
    const env = { CNI_NETNS: 'ns' };
    const outcome = await runRelay({ command: 'DEL', socket: folder.socket, env, script, cwd: folder.path });
    assertError(outcome, 4, /^CNI_NETNS is a relative path/);
  });
});

describe('bounds', () => {
  test('2 MiB of stdin are refused before the daemon hears of it', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, ''));
    const tooLarge = [Buffer.alloc(2 * STDIN_MAX, ' '), Buffer.alloc(STDIN_MAX + 1, ' ')];
    for (const stdin of tooLarge) {
      for (const command of ['ADD', 'DEL'])
        assertError(
          await runRelay({ command, socket: folder.socket, stdin }),
          6,
          /larger than 1 MiB \(1048576 bytes\)/,
        );
    }
    assert.equal(daemon.requests.length, 0);
  });

  test('all CNI variables together have 32 KiB, and the error names the one too many', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, '{}'));
    const room = ENVIRONMENT_MAX - 'ADD'.length - 'eth0'.length;
    const call = { command: 'ADD', socket: folder.socket };
    const args = '\n'.repeat(room);
    assert.equal((await runRelay({ ...call, env: { CNI_IFNAME: 'eth0', CNI_ARGS: args } })).code, 0);
    assert.equal(daemon.requests[0]?.headers.get('Cni-Args')?.length, 3 * room);
    const outcome = await runRelay({ ...call, env: { CNI_IFNAME: 'eth0', CNI_ARGS: `${args}x` } });
    assertError(outcome, 4, /^CNI_ARGS is too long: .* 32 KiB/);
    const path = await runRelay({ ...call, env: { CNI_PATH: 'a:'.repeat(8 * KIB) } });
    assertError(path, 4, /^CNI_PATH is too long/);
    assert.equal(daemon.requests.length, 1);
  });

  test('a stdin that nobody closes does not hold the runtime for ever', async () => {
    await using folder = await makeFolder();
    const call = { command: 'DEL', socket: folder.socket, stdin: '{', keepStdinOpen: true, timeoutMs: 100 };
    assertError(await runRelay(call), 5, /cannot be read from stdin: Connection timed out/);
  });

  test('without stdin there is an error, without stdout no request', async () => {
    await using folder = await makeFolder();
    await using daemon = await listenWith(folder.socket, answer(200, '{}'));
    const call = { command: 'ADD', socket: folder.socket };
    assertError(await runRelay({ ...call, script: 'exec "$0" <&-' }), 5, /from stdin: Bad file descriptor/);
    assertError(await runRelay({ ...call, script: 'exec "$0" </' }), 5, /from stdin: Is a directory/);
    assert.deepEqual(await runRelay({ ...call, script: 'exec "$0" >&-' }), { code: 1, stdout: '' });
    assert.equal(daemon.requests.length, 0);
  });
});
