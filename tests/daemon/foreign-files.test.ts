import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { getJson } from '../../src/api/client.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { assertRefused, emptySite, logFileOf, runAt, type Site, startAt } from './support/site.ts';
import { readFile } from 'node:fs/promises';
import { waitFor } from '../../src/lab/wait.ts';

const NOBODY = 65_534;
const options = { skip: NEEDS_ROOT };

function giveAway(path: string): void {
  chownSync(path, NOBODY, NOBODY);
}

/** The daemon refuses to start, names what is whose, and leaves nothing where it should not be. */
async function refuses(site: Site, args: readonly string[], message: RegExp): Promise<void> {
  assertRefused(await runAt(site, { args }), 1, message);
}

describe('what another user owns or may write is refused at the start', options, () => {
  test('the folder of the socket, and the one above it', async (t) => {
    const site = await emptySite(t);
    const run = dirname(site.socket);
    mkdirSync(run);
    giveAway(run);
    await refuses(
      site,
      [],
      /--socket \S+: cannot be used: \S+run is owned by user 65534 \(nobody\), not by 0; .*chown 0/,
    );
    assert.deepEqual(readdirSync(run), []);
    chownSync(run, 0, 0);
    chmodSync(run, 0o777);
    await refuses(site, [], /--socket \S+: cannot be used: \S+run can be written by others \(mode 0777\)/);
    chmodSync(run, 0o755);
    giveAway(site.folder);
    await refuses(
      site,
      [],
      /--(socket|state-dir) \S+: cannot be used: \S+ is owned by user 65534 \(nobody\)/,
    );
    chownSync(site.folder, 0, 0);
    await startAt(site);
  });

  test('the state folder, before anything is written there, and the lock in one that all may write to', async (t) => {
    const site = await emptySite(t);
    mkdirSync(site.stateDir, { mode: 0o700 });
    giveAway(site.stateDir);
    await refuses(
      site,
      [],
      /--state-dir \S+: cannot be used: \S+state is owned by user 65534 \(nobody\), not by 0; .*chown 0/,
    );
    assert.deepEqual(readdirSync(site.stateDir), []);
    chownSync(site.stateDir, 0, 0);
    chmodSync(site.stateDir, 0o1777);
    // EACCES: the kernel refuses it first where fs.protected_regular is set (proc_sys_fs(5)).
    const lock = join(site.stateDir, 'lock');
    writeFileSync(lock, '');
    giveAway(lock);
    await refuses(
      site,
      [],
      /--state-dir \S+: cannot be used: .*lock.*(is owned by user 65534 \(nobody\)|EACCES)/,
    );
  });

  test('the configuration; one behind a link of root is taken', async (t) => {
    const site = await emptySite(t);
    const file = join(site.folder, 'config.json');
    const link = join(site.folder, 'link.json');
    symlinkSync(file, link);
    writeFileSync(file, '{}');
    giveAway(file);
    await refuses(
      site,
      ['--config', file],
      /--config \S+: cannot be read: it is owned by user 65534 \(nobody\), not by 0; .*chown 0/,
    );
    chownSync(file, 0, 0);
    chmodSync(file, 0o666);
    await refuses(
      site,
      ['--config', link],
      /--config \S+: cannot be read: it can be written by others \(mode 0666\)/,
    );
    chmodSync(file, 0o644);
    await startAt(site, { args: ['--config', link] });
  });

  test('the spool is not looked at, and the log says whose it is', async (t) => {
    const site = await emptySite(t);
    const spool = `${site.socket}.spool`;
    mkdirSync(spool, { recursive: true, mode: 0o700 });
    giveAway(spool);
    writeFileSync(join(spool, 'entry.req'), 'POST');
    await startAt(site);
    const log = await readFile(logFileOf(site), 'utf8');
    assert.match(log, /"owner":65534,"mode":"0700","msg":"the spool is not a private folder of this user/);
    assert.ok(existsSync(join(spool, 'entry.req')));
  });
});

test('the command line does not believe who has taken the place of the daemon', options, async (t) => {
  const site = await emptySite(t);
  const run = dirname(site.socket);
  mkdirSync(run);
  chmodSync(run, 0o1777);
  chmodSync(site.folder, 0o755);
  const script = `require('node:http').createServer((_, r) => r.end('[]')).listen(process.argv[1])`;
  const impostor = spawn(process.execPath, ['-e', script, site.socket], { uid: NOBODY, gid: NOBODY });
  t.after(() => impostor.kill());
  await waitFor('the impostor to listen', () => existsSync(site.socket));
  await assert.rejects(
    getJson(site.socket, '/v1/leases'),
    /belongs to user 65534, neither to root nor to the owner/,
  );
  // In a folder of its own it is a daemon of its own.
  giveAway(run);
  assert.deepEqual(await getJson(site.socket, '/v1/leases'), []);
  assert.equal(lstatSync(site.socket).uid, NOBODY);
  impostor.kill();
  await once(impostor, 'exit');
});
