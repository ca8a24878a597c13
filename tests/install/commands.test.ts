import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run, runToEnd, type Outcome } from '../../src/lab/process.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { ROOT } from '../support/leasehold.ts';
import { temporaryFolder } from './support/folder.ts';

async function leasehold(...args: readonly string[]): Promise<Outcome> {
  return await runToEnd([join(ROOT, 'bin/leasehold'), ...args]);
}

describe('leasehold install and uninstall', () => {
  test('set up an image, say so, and undo it', async (t) => {
    const root = temporaryFolder(t);
    const dry = await leasehold('install', '--root', root, '--drop-in', '--dry-run');
    assert.equal(dry.status, 0, dry.stderr);
    assert.match(dry.stdout, /^write .*\/opt\/cni\/bin\/macvlan$/m);
    const done = await leasehold('install', '--root', root, '--service-cidr', '10.43.7.1/16');
    assert.equal(done.status, 0, done.stderr);
    const unit = readFileSync(join(root, 'etc/systemd/system/leasehold.service'), 'utf8');
    assert.match(unit, /"--service-cidr" "10\.43\.0\.0\/16"/);
    assert.match(readFileSync(join(root, 'etc/cni/net.d/05-leasehold.conflist'), 'utf8'), /"leasehold"/);
    // An image is booted, and undone, under another root: the manifest knows its own paths only.
    assert.ok(!readFileSync(join(root, 'var/lib/leasehold/install.json'), 'utf8').includes(root));
    const undone = await leasehold('uninstall', '--root', root);
    assert.equal(undone.status, 0, undone.stderr);
    assert.equal((await run(['find', root])).trim(), root);
    assert.match((await leasehold('uninstall', '--root', root)).stdout, /nothing is installed here/);
  });

  test('without a service they say what is to be started', async (t) => {
    const root = temporaryFolder(t);
    const { stdout, status } = await leasehold('install', '--root', root, '--no-service', '--no-conflist');
    assert.equal(status, 0);
    assert.match(stdout, /have this started at boot, as root: \S+\/bin\/leasehold daemon$/m);
  });

  test('do not purge leases that pods live on, unless forced', async (t) => {
    const root = temporaryFolder(t);
    const leases = join(root, 'var/lib/leasehold/leases');
    mkdirSync(leases, { recursive: true });
    writeFileSync(join(leases, 'one.json'), '{}');
    const refused = await leasehold('uninstall', '--root', root, '--purge');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /1 leases are on record .*Remove the pods first, or give --force/);
    assert.equal((await leasehold('uninstall', '--root', root, '--purge', '--force')).status, 0);
    assert.equal((await run(['find', join(root, 'var/lib')])).trim(), join(root, 'var/lib'));
  });

  test('leave a node alone that the agent of a DaemonSet has', async (t) => {
    const root = temporaryFolder(t);
    const state = join(root, 'var/lib/leasehold');
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, 'agent.json'), '{"version":1,"files":[],"folders":[]}');
    const refused = await leasehold('install', '--root', root);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /the agent of a DaemonSet has this node .*leasehold agent --remove/);
    assert.equal((await run(['find', root, '-type', 'f'])).trim(), join(state, 'agent.json'));
  });

  test('refuse what cannot be meant', async (t) => {
    const root = temporaryFolder(t);
    const cases = [
      [['--service-cidr', '10.43'], 2, /--service-cidr 10\.43: is no IPv4 network/],
      [['--service-cidr', 'fd00::/64'], 2, /is no IPv4 network/],
      [['--config', 'x.json'], 2, /--config x\.json: must be an absolute path/],
      [['--config', '/root/x.json'], 2, /homes and \/tmp are hidden/],
      [['--prefix', '/home/me/leasehold'], 2, /homes and \/tmp are hidden/],
      [['--cni-bin', 'bin'], 1, /--cni-bin bin: must be an absolute path/],
      [['--what'], 2, /Unknown option/],
      [['--root', 'x'], 2, /--root x: must be an absolute path/],
    ] as const;
    for (const [args, status, message] of cases) {
      const said = await leasehold('install', '--root', root, ...args);
      assert.equal(said.status, status, args.join(' '));
      assert.match(said.stderr, message);
    }
    assert.equal((await run(['find', root])).trim(), root);
  });

  test('a system that is read-only is refused before anything is done', { skip: NEEDS_ROOT }, async (t) => {
    const root = temporaryFolder(t);
    mkdirSync(join(root, 'usr/local'), { recursive: true });
    const script =
      'mount --bind "$1/usr" "$1/usr"; mount -o remount,bind,ro "$1/usr"; exec "$2" install --root "$1"';
    const inside = ['unshare', '--mount', 'sh', '-euc', script, 'sh', root, join(ROOT, 'bin/leasehold')];
    const { status, stderr } = await runToEnd(inside);
    assert.equal(status, 1);
    assert.match(stderr, /usr\/local cannot be written to: .*--prefix/);
    assert.match(stderr, /nothing was changed/);
    assert.equal((await run(['find', root, '-type', 'f'])).trim(), '');
  });
});
