import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isRunning, startProcess, waitUntilReady } from '../../src/lab/long-process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import {
  assertRefused,
  emptySite,
  endBy,
  get,
  LEASEHOLD,
  logOf,
  pathArguments,
  pathsIn,
  runAt,
  startAt,
} from './support/site.ts';

const options = { skip: NEEDS_ROOT };
const PERMISSIONS = 0o777;

function modeOf(path: string): string {
  return (lstatSync(path).mode & PERMISSIONS).toString(8);
}

describe('a daemon that runs', options, () => {
  test('answers health and readiness, its socket 0600, its folders 0700 whatever the umask', async (t) => {
    const site = await emptySite(t);
    await startAt(site, { wrap: ['sh', '-c', 'umask 0; exec "$@"', 'sh'] });
    assert.deepEqual(await get(site.socket, '/healthz'), { status: 200, json: { status: 'ok' } });
    assert.deepEqual(await get(site.socket, '/readyz'), { status: 200, json: { status: 'ready' } });
    assert.deepEqual(await get(site.socket, '/v1/leases'), { status: 200, json: [] });
    assert.ok(lstatSync(site.socket).isSocket());
    assert.equal(modeOf(site.socket), '600');
    const { stateDir, folder } = site;
    const folders = [join(folder, 'run'), `${site.socket}.spool`, stateDir, join(stateDir, 'leases')];
    assert.deepEqual(folders.map(modeOf), ['700', '700', '700', '700']);
    assert.equal(modeOf(join(stateDir, 'lock')), '600');
  });

  test('speaks one JSON object per line on stderr, no more than --log-level asks for', async (t) => {
    const site = await emptySite(t);
    const daemon = await startAt(site, { args: ['--log-level', 'info'] });
    assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
    assert.deepEqual(
      logOf(site).map((line) => (typeof line === 'object' && line !== null && 'msg' in line ? line.msg : '')),
      ['leasehold is ready', 'leasehold stops; leases stay'],
    );
    const quiet = await startAt(site, { args: ['--log-level', 'error'] });
    await endBy(quiet, 'SIGTERM');
    assert.equal(logOf(site).length, 2);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`ends in order at ${signal}: exit 0, no socket file, the same state can be used again`, async (t) => {
      const site = await emptySite(t);
      const daemon = await startAt(site);
      assert.equal(await endBy(daemon, signal), 'exit status 0');
      assert.ok(!existsSync(site.socket));
      await startAt(site);
    });
  }

  test('does not end when the reader of its log goes away', async (t) => {
    const site = await emptySite(t);
    const daemon = spawn(
      'nsenter',
      [`--net=${site.namespace.path}`, '--', LEASEHOLD, 'daemon', ...pathArguments(site)],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    t.after(() => daemon.kill('SIGKILL'));
    await once(daemon.stderr, 'data');
    daemon.stderr.destroy();
    // What lies in the spool and is no request is worth a line in the log.
    const strange = join(`${site.socket}.spool`, '1.req');
    await writeFile(strange, 'strange');
    await waitFor('the daemon to look at its spool', () => !existsSync(strange));
    assert.equal((await get(site.socket, '/readyz')).status, 200);
    daemon.kill('SIGTERM');
    assert.deepEqual(await once(daemon, 'exit'), [0, null]);
  });
});

describe('what is there already', options, () => {
  test('a killed daemon leaves its socket file, and the next one takes it over', async (t) => {
    const site = await emptySite(t);
    assert.equal(await endBy(await startAt(site), 'SIGKILL'), 'SIGKILL');
    assert.ok(lstatSync(site.socket).isSocket());
    await startAt(site);
    assert.equal((await get(site.socket, '/readyz')).status, 200);
  });

  test('the socket of a live daemon is not taken over, and that one goes on', async (t) => {
    const site = await emptySite(t);
    const daemon = await startAt(site);
    // Of another network namespace, which has a daemon of its own.
    const { namespace } = await emptySite(t);
    const other = { ...site, namespace, stateDir: join(site.folder, 'other') };
    assertRefused(await runAt(other), 1, /--socket \S+d\.sock: another daemon answers there; stop it, or/);
    assert.ok(isRunning(daemon));
    assert.equal((await get(site.socket, '/readyz')).status, 200);
  });

  test('a socket whose queue is full is a live one', async (t) => {
    const site = await emptySite(t);
    await mkdir(join(site.folder, 'run'));
    const server = createServer().listen({ path: site.socket, backlog: 0 });
    t.after(() => server.close());
    assertRefused(await runAt(site), 1, /another daemon answers there/);
    assert.ok(lstatSync(site.socket).isSocket());
  });

  test('the state folder of a live daemon is refused', async (t) => {
    const site = await emptySite(t);
    const daemon = await startAt(site);
    const other = { ...site, socket: join(site.folder, 'other.sock') };
    assertRefused(
      await runAt(other),
      1,
      /--state-dir \S+state: another daemon uses this folder; stop it, or/,
    );
    assert.ok(!existsSync(other.socket));
    assert.ok(isRunning(daemon));
    assert.equal((await get(site.socket, '/readyz')).status, 200);
  });

  test('the network namespace of a live daemon is refused, whatever the paths; in another one there may be one', async (t) => {
    const site = await emptySite(t);
    const daemon = await startAt(site);
    const paths = pathsIn(join(site.folder, 'second'));
    const second = { ...site, ...paths };
    await mkdir(second.folder);
    assertRefused(
      await runAt(second),
      1,
      new RegExp(
        `another leasehold daemon runs in this network namespace \\(process ${daemon.pid} has it\\).*: a node has one; stop`,
      ),
    );
    assert.ok(!existsSync(second.socket));
    assert.deepEqual(readdirSync(second.stateDir), ['lock'], 'nothing was made');
    assert.equal((await get(site.socket, '/readyz')).status, 200);
    const elsewhere = await emptySite(t);
    await startAt(elsewhere);
    assert.equal(await endBy(daemon, 'SIGKILL'), 'SIGKILL');
    await startAt(second);
  });

  test('a file that is no socket is never removed', async (t) => {
    const site = await emptySite(t);
    const file = join(site.folder, 'precious');
    writeFileSync(file, 'precious');
    const link = join(site.folder, 'link');
    symlinkSync(file, link);
    for (const socket of [file, link, site.folder]) {
      assertRefused(await runAt({ ...site, socket }), 1, /--socket \S+: is there already and no socket/);
    }
    assert.ok(lstatSync(file).isFile() && lstatSync(link).isSymbolicLink());
  });

  test('a lock that is a symbolic link is not followed', async (t) => {
    const site = await emptySite(t);
    await mkdir(site.stateDir);
    symlinkSync(join(site.folder, 'elsewhere'), join(site.stateDir, 'lock'));
    assertRefused(await runAt(site), 1, /--state-dir \S+: cannot be used: .*ELOOP/);
    assert.ok(!existsSync(join(site.folder, 'elsewhere')));
  });
});

describe('what is given on the command line', options, () => {
  test('paths that cannot be a socket or a state folder', async (t) => {
    const site = await emptySite(t);
    const file = join(site.folder, 'file');
    writeFileSync(file, '');
    const cases = [
      [{ socket: 'run/d.sock' }, /--socket run\/d\.sock: must be an absolute path/],
      [{ socket: `/${'x'.repeat(107)}` }, /--socket \S+: is longer than 107 bytes/],
      [{ socket: join(file, 'd.sock') }, /--socket \S+: cannot be used: E(NOTDIR|EXIST)/],
      [{ socket: '' }, /--socket : must be an absolute path/],
      [{ stateDir: 'state' }, /--state-dir state: must be an absolute path/],
      [{ stateDir: '' }, /--state-dir : must be an absolute path/],
      [{ stateDir: file }, /--state-dir \S+: cannot be used: E(NOTDIR|EXIST)/],
      [{ stateDir: join(file, 'state') }, /--state-dir \S+: cannot be used: E(NOTDIR|EXIST)/],
    ] as const;
    for (const [change, message] of cases) assertRefused(await runAt({ ...site, ...change }), 1, message);
  });

  test('options that are none', async (t) => {
    const site = await emptySite(t);
    const cases = [
      [['--log-level', 'loud'], /--log-level loud: must be one of fatal, error, warn, info, debug, trace/],
      [['--log-level'], /--log-level/],
      [['--colour'], /--colour/],
      [['here'], /here/],
    ] as const;
    for (const [args, message] of cases) assertRefused(await runAt(site, { args }), 2, message);
  });

  test('a configuration file', async (t) => {
    const site = await emptySite(t);
    const file = join(site.folder, 'config.json');
    const args = ['--config', file];
    assertRefused(await runAt(site, { args }), 1, /--config \S+: cannot be read: ENOENT/);
    await writeFile(file, '{"dhcp":{"deadline":5}}');
    assertRefused(await runAt(site, { args }), 1, /--config \S+: dhcp\.deadline: .*deadlineSeconds/);
    await writeFile(file, '{"dhcp":{"deadlineSeconds":5,"broadcast":"always","rapidCommit":false}}');
    await startAt(site, { args });
  });

  test('the defaults are those that the relay and the unit file know', async (t) => {
    const site = await emptySite(t);
    // A mount namespace of its own: the machine's /run and /var/lib are not this test's.
    const script =
      'mount -t tmpfs t /run && mkdir -p /var/lib && mount -t tmpfs t /var/lib && exec "$0" daemon';
    const daemon = await startProcess(
      site.namespace.command(['unshare', '--mount', 'sh', '-c', script, LEASEHOLD]),
      { name: 'daemon', logFile: join(site.folder, 'daemon.log') },
    );
    site.resources.add({ kind: 'process', id: daemon, name: 'daemon' });
    const root = `/proc/${daemon.pid}/root`;
    await waitUntilReady(daemon, () => existsSync(`${root}/run/leasehold/leasehold.sock`));
    assert.ok(lstatSync(`${root}/var/lib/leasehold/leases`).isDirectory());
    assert.equal(await endBy(daemon, 'SIGTERM'), 'exit status 0');
  });
});
