import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isRunning, type LongProcess } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { cniRequest, sendAndHold, sendRaw, whenClosed } from './support/raw.ts';
import { emptySite, endBy, get, openFiles, startAt, type Site } from './support/site.ts';

const MIB = 1 << 20;
const DEL = ['Cni-Command: DEL', 'Cni-Containerid: a', 'Cni-Ifname: eth0'];
const CONF = '{"cniVersion":"1.0.0","name":"lan"}';

describe('what comes over the socket without a relay', { skip: NEEDS_ROOT }, () => {
  let site: Site;
  let daemon: LongProcess;
  let files = 0;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    const context = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) };
    site = await emptySite(context);
    daemon = await startAt(site);
    files = openFiles(daemon.pid);
  });

  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  /** The daemon is the same one, answers, and holds no descriptor more than before. */
  async function assertUnmoved(): Promise<void> {
    assert.ok(isRunning(daemon));
    assert.equal((await get(site.socket, '/readyz')).status, 200);
    await waitFor('the descriptors to be closed', () => openFiles(daemon.pid) <= files, {
      describe: () => `${openFiles(daemon.pid)} and not ${files}`,
    });
  }

  const ANSWERED = [
    ['garbage', '\0\u0001\u0002 garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['TLS', '\u0016\u0003\u0001\u0002\0\u0001\0', /^HTTP\/1\.1 400 /],
    ['a head of 200 KiB', `GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(200 << 10)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    [
      'two lengths',
      `POST /cni/dhcp HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}`,
      / 400 /,
    ],
    ['a length that is none', 'POST /cni/dhcp HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', / 400 /],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', / 400 /],
    [
      'another method',
      'PUT /cni/dhcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
      / 405 .*only GET, and POST/s,
    ],
    ['POST to health', 'POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', / 405 /],
    ['an unknown path', 'GET /no/such HTTP/1.1\r\nHost: x\r\n\r\n', / 404 .*nothing at \/no\/such/s],
    ['a path to climb', 'GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n', / 404 /],
    ['a plugin that is none', cniRequest(CONF, DEL).replace('macvlan', '../../bin/sh'), / 400 .*"code":170/s],
    ['a plugin that is not encoded', cniRequest(CONF, DEL).replace('macvlan', '%zz'), / 40[05] /],
    [
      'a variable that is not encoded',
      cniRequest(CONF, [...DEL, 'Cni-Args: %e0%80']),
      / 400 .*not percent-encoded/s,
    ],
    ['a variable twice', cniRequest(CONF, [...DEL, 'Cni-Ifname: eth1']), / 400 .*CNI_IFNAME/s],
    [
      'a body in pieces',
      `POST /cni/macvlan HTTP/1.1\r\nHost: x\r\n${DEL.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n${CONF.length.toString(16)}\r\n${CONF}\r\n0\r\n\r\n`,
      / 200 /,
    ],
    [
      'pieces that are none',
      `POST /cni/macvlan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      / 400 /,
    ],
    [
      'an upgrade',
      'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      / 200 /,
    ],
  ] as const;

  for (const [what, request, answer] of ANSWERED) {
    test(what, async () => {
      assert.match(await sendRaw(site.socket, request), answer);
      await assertUnmoved();
    });
  }

  test('a body that is not UTF-8', async () => {
    const body = Uint8Array.of(0x7b, 0xff, 0x7d);
    assert.match(await sendRaw(site.socket, cniRequest(body, DEL), body), / 400 .*"code":6,.*not UTF-8/s);
    await assertUnmoved();
  });

  test('2 MiB are refused with an answer, whether or not the length was said', async () => {
    const body = ' '.repeat(2 * MIB);
    const said = await sendRaw(site.socket, cniRequest(body, DEL));
    assert.match(said, / 400 .*"code":6,.*larger than 1048576 bytes/s);
    const head = ['POST /cni/macvlan HTTP/1.1', 'Host: x', ...DEL, 'Transfer-Encoding: chunked'];
    const chunk = `${MIB.toString(16)}\r\n${' '.repeat(MIB)}\r\n`;
    const unsaid = await sendRaw(site.socket, `${head.join('\r\n')}\r\n\r\n`, chunk, chunk, '0\r\n\r\n');
    assert.match(unsaid, / 400 .*larger than 1048576 bytes/s);
    await assertUnmoved();
  });

  test('exactly 1 MiB is read', async () => {
    const body = CONF.padEnd(MIB, ' ');
    assert.match(await sendRaw(site.socket, cniRequest(body, [...DEL, 'Connection: close'])), / 200 /);
    await assertUnmoved();
  });

  test('connections that end in the middle of head or body', async () => {
    for (const cut of [5, 40, cniRequest(CONF, DEL).length - 3]) {
      const socket = await sendAndHold(site.socket, cniRequest(CONF, DEL).slice(0, cut));
      socket.destroy();
    }
    for (let i = 0; i < 50; i++) {
      const socket = await sendAndHold(site.socket, cniRequest(CONF, DEL).slice(0, -1));
      socket.destroy();
    }
    await assertUnmoved();
  });

  test('many that never go on do not keep others out, nor the daemon from ending in order', async () => {
    const held = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        sendAndHold(site.socket, i % 2 === 0 ? '' : cniRequest(CONF, DEL).slice(0, -1)),
      ),
    );
    assert.match(await sendRaw(site.socket, cniRequest(CONF, [...DEL, 'Connection: close'])), / 200 /);
    assert.equal((await get(site.socket, '/readyz')).status, 200);
    const closed = held.map(whenClosed);
    assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
    await Promise.all(closed);
    daemon = await startAt(site);
    files = openFiles(daemon.pid);
  });
});
