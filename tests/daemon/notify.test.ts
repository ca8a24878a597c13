import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { check } from '../../src/kernel/errno.ts';
import { bind, closeFd, recv } from '../../src/kernel/ffi.ts';
import { MSG_DONTWAIT, openSocket, SOCK_DGRAM } from '../../src/kernel/socket-options.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { emptySite, endBy, get, logText, startAt } from './support/site.ts';

const options = { skip: NEEDS_ROOT };
const AF_UNIX = 1;
const MOST_BYTES = 4096;

/** The socket of a service manager; the function gives the next message, once it is there. */
function serviceManager(t: TestContext, path: string): () => Promise<string> {
  const fd = openSocket('listen', AF_UNIX, SOCK_DGRAM, 0);
  t.after(() => closeFd(fd));
  const address = new Uint8Array([AF_UNIX, 0, ...utf8(`${path}\0`)]);
  check('bind', bind(fd, address, address.length));
  return async () =>
    await waitFor('a message to the service manager', () => {
      const bytes = new Uint8Array(MOST_BYTES);
      const length = recv(fd, bytes, bytes.length, MSG_DONTWAIT);
      return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
    });
}

test('the service manager is told when it is ready, and when it stops', options, async (t) => {
  const site = await emptySite(t);
  const path = join(site.folder, 'notify');
  const next = serviceManager(t, path);
  const daemon = await startAt(site, { env: { NOTIFY_SOCKET: path } });
  assert.equal(await next(), 'READY=1');
  assert.equal((await get(site.socket, '/readyz')).status, 200);
  assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
  assert.equal(await next(), 'STOPPING=1');
});

test('a service manager that cannot be told is no reason not to run', options, async (t) => {
  const site = await emptySite(t);
  await startAt(site, { env: { NOTIFY_SOCKET: join(site.folder, 'nobody') } });
  await waitFor('a word in the log', () => logText(site).includes('the service manager could not be told'));
});
