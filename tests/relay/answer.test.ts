import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { answer, listenFake, listenWith } from './support/fake-daemon.ts';
import { makeFolder } from './support/folder.ts';
import { assertError, buildTestRelay, runRelay, type Outcome } from './support/relay.ts';

before(buildTestRelay);

const cniError = '{"cniVersion":"1.0.0","code":7,"msg":"master: eth7 does not exist","details":"x"}';
const BODY_MAX = 4 * 1024 * 1024;

async function callWith(bytes: Uint8Array | string, command = 'ADD', timeoutMs?: number): Promise<Outcome> {
  await using folder = await makeFolder();
  folder.own(await listenWith(folder.socket, bytes));
  const call = { command, socket: folder.socket, stdin: '{"cniVersion":"0.4.0"}' };
  return await runRelay(timeoutMs === undefined ? call : { ...call, timeoutMs });
}

describe('a sound answer', () => {
  test('200 is printed byte for byte and ends with 0', async () => {
    const body = ' {"cniVersion":"1.1.0","dns":{"search":["ö\\u00f6"]}} \n';
    assert.deepEqual(await callWith(answer(200, body)), { code: 0, stdout: body });
  });

  test('an empty 200 is a success where CNI expects no result', async () => {
    for (const command of ['DEL', 'CHECK', 'STATUS', 'GC'])
      assert.deepEqual(await callWith(answer(200, ''), command), { code: 0, stdout: '' });
    assertError(await callWith(answer(200, ''), 'ADD'), 11, /answer is empty/);
  });

  test('any other status with a CNI error is printed and ends with 1', async () => {
    for (const status of [201, 400, 404, 500, 504])
      assert.deepEqual(await callWith(answer(status, cniError)), { code: 1, stdout: cniError });
    assert.deepEqual(await callWith(answer(500, cniError), 'DEL'), { code: 1, stdout: cniError });
  });

  test('header names in any case, HTTP/1.0, blanks around values and no reason are HTTP too', async () => {
    for (const head of [
      'HTTP/1.0 200 OK\r\ncontent-length:2',
      'HTTP/1.1 200\r\nCONTENT-LENGTH: \t 2 \t',
      'HTTP/1.1 200 \xff\r\nX-Content-Length: 900\r\nContent-Length: 0002\r\nEmpty:',
    ])
      assert.deepEqual(await callWith(Buffer.from(`${head}\r\n\r\n{}`, 'latin1')), { code: 0, stdout: '{}' });
  });

  test('without Content-Length the end of the connection is the end of the body', async () => {
    assert.deepEqual(await callWith('HTTP/1.1 200 OK\r\n\r\n{"a":1}'), { code: 0, stdout: '{"a":1}' });
    assert.deepEqual(await callWith(`HTTP/1.1 400 X\r\n\r\n${cniError}`), { code: 1, stdout: cniError });
    assertError(await callWith('HTTP/1.1 200 OK\r\n\r\n{"a":'), 11, /not a JSON object/);
    // A daemon that died right after the head would look like this: no proof of success, even for CHECK.
    assertError(await callWith('HTTP/1.1 200 OK\r\n\r\n', 'CHECK'), 11, /answer is empty/);
  });

  test('what comes after Content-Length is not printed', async () => {
    const bytes = Buffer.concat([answer(200, '{}'), Buffer.from('{"more":1}HTTP/1.1 500 X\r\n\r\n')]);
    assert.deepEqual(await callWith(bytes), { code: 0, stdout: '{}' });
  });

  test('one byte at a time is as good as all at once', async () => {
    await using folder = await makeFolder();
    const bytes = answer(200, '{"slow":true}');
    folder.own(
      await listenFake(folder.socket, {
        onRequest: (socket) => {
          let sent = 0;
          const drip = (): void => {
            if (sent === bytes.length || socket.destroyed) return;
            socket.write(bytes.subarray(sent, sent + 1), () => setImmediate(drip));
            sent += 1;
          };
          drip();
        },
      }),
    );
    const outcome = await runRelay({ command: 'ADD', socket: folder.socket });
    assert.deepEqual(outcome, { code: 0, stdout: '{"slow":true}' });
  });

  test('4 MiB are taken, a byte more is not', async () => {
    const largest = `{"a":"${'x'.repeat(BODY_MAX - '{"a":""}'.length)}"}`;
    const whole = await callWith(answer(200, largest));
    assert.ok(whole.code === 0 && whole.stdout === largest);
    assertError(await callWith(answer(200, `${largest} `)), 11, /larger than 4 MiB/);
    assertError(await callWith(`HTTP/1.1 200 OK\r\n\r\n${largest} `), 11, /larger than 4 MiB/);
  });

  test('a refusal is heard even when the daemon reads no further', async () => {
    await using folder = await makeFolder();
    folder.own(
      await listenFake(folder.socket, {
        onConnect: (socket) => {
          socket.pause();
          socket.end(answer(413, cniError), () => socket.destroy());
        },
      }),
    );
    const outcome = await runRelay({ command: 'ADD', socket: folder.socket, stdin: ' '.repeat(1_000_000) });
    assert.deepEqual(outcome, { code: 1, stdout: cniError });
  });
});

describe('an answer that is none', () => {
  const inTheMiddle = /closed the connection in the middle of its answer/;
  const cases: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ['nothing', '', /closed the connection without an answer/],
    ['half a status line', 'HTTP/1.1 20', inTheMiddle],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n', inTheMiddle],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}', inTheMiddle],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n', /not HTTP\/1\.1/],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}', /not HTTP\/1\.1/],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}', /not HTTP\/1\.1/],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}', /not HTTP\/1\.1/],
    ['an empty head', '\r\n\r\n', /not HTTP\/1\.1/],
    ['binary', new Uint8Array(4096).map((_, index) => (index * 167) % 256), inTheMiddle],
    ['zeros', new Uint8Array(100_000), /head larger than 16 KiB/],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(5000)}\r\n`, /head larger than 16 KiB/],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}', /not a number/],
    ['a signed length', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}', /not a number/],
    ['a hexadecimal length', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}', /not a number/],
    ['no length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n{}', /no single, valid Content-Length/],
    ['a huge length', `HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(400)}\r\n\r\n{}`, /larger than 4 MiB/],
    [
      'a length of 2^64 + 2',
      'HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\n{}',
      /larger than/,
    ],
    ['two lengths', answer(200, '{}', 'Content-Length: 1'), /no single, valid Content-Length/],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
      /Transfer-Encoding/,
    ],
    ['chunks and a length', answer(200, '{}', 'transfer-encoding: identity'), /Transfer-Encoding/],
    ['a header without a colon', answer(200, '{}', 'nonsense'), /malformed header/],
    ['a header without a name', answer(200, '{}', ': x'), /malformed header/],
    ['a blank before the colon', answer(200, '{}', 'Content-Length : 1'), /malformed header/],
    ['a folded header', answer(200, '{}', 'X: a', ' b: c'), /malformed header/],
    ['a NUL in a header', answer(200, '{}', 'X: a\0b'), /malformed header/],
    ['a bare LF in a header', answer(200, '{}', 'X: a\nContent-Length: 1'), /malformed header/],
    ['a 200 that is text', answer(200, 'hello'), /not a JSON object/],
    ['a 200 that is an array', answer(200, '[{}]'), /not a JSON object/],
    ['a 200 of two objects', answer(200, '{}{}'), /not a JSON object/],
    ['a 200 cut by its own length', answer(200, '{"ips":['), /not a JSON object/],
    ['a 200 that is not UTF-8', answer(200, Buffer.from('{"a":"\xff"}', 'latin1')), /not a JSON object/],
    ['a 200 with a byte order mark', answer(200, '\uFEFF{}'), /not a JSON object/],
    ['a 200 of 65 levels', answer(200, `${'{"a":'.repeat(64)}{}${'}'.repeat(64)}`), /not a JSON object/],
    ['an error that is HTML', answer(500, '<h1>Oops</h1>'), /neither a success nor a CNI error/],
    ['an empty error', answer(500, ''), /neither/],
    ['an error without a code', answer(500, '{"msg":"x"}'), /neither/],
    ['an error without a message', answer(500, '{"code":7}'), /neither/],
    ['an error with its parts inside', answer(500, '{"error":{"code":7,"msg":"x"}}'), /neither/],
    ['an error with a code in quotes', answer(500, '{"code":"7","msg":"x"}'), /neither/],
    ['an error with code 0', answer(500, '{"code":0,"msg":"x"}'), /neither/],
    ['an error with code -1', answer(500, '{"code":-1,"msg":"x"}'), /neither/],
    ['an error with code 1.5', answer(500, '{"code":1.5,"msg":"x"}'), /neither/],
    ['an error with a huge code', answer(500, '{"code":7777777777,"msg":"x"}'), /neither/],
    ['an error with a message that is none', answer(500, '{"code":7,"msg":null}'), /neither/],
    ['100 Continue first', `HTTP/1.1 100 Continue\r\n\r\n${answer(200, '{}').toString()}`, /neither/],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', /neither/],
    ['a redirect', answer(302, '', 'Location: /x'), /neither/],
  ];
  for (const [title, bytes, message] of cases) {
    test(`${title}: ADD fails with code 11`, async () => {
      const error = assertError(await callWith(bytes), 11, message);
      assert.equal(error.cniVersion, '0.4.0');
      assert.match(error.details ?? '', /Is the daemon running\?/);
    });
  }

  test('64 levels are still taken', async () => {
    const body = `${'{"a":'.repeat(63)}{}${'}'.repeat(63)}`;
    assert.deepEqual(await callWith(answer(200, body)), { code: 0, stdout: body });
  });

  test('503: not ready is as good as away, and its reason is passed on', async () => {
    const body = '{"code":11,"msg":"restoring \\"12\\" leases \\u2026"}';
    const reasoned = /not ready yet \(socket .*\): restoring "12" leases …$/;
    // It waits for a daemon that says so (start.test.ts): as long as it may.
    const patience = 1000;
    const [add, status, check] = await Promise.all([
      callWith(answer(503, body), 'ADD', patience),
      callWith(answer(503, body), 'STATUS', patience),
      callWith(answer(503, 'later'), 'CHECK', patience),
    ]);
    const error = assertError(add, 11, reasoned);
    assert.equal(error.details, 'The daemon is starting or stopping: try again in a moment.');
    assertError(status, 50, /not ready yet/);
    assertError(check, 11, /not ready yet \(socket [^)]*\)$/);
  });
});
