import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { fakeTree, LOOPBACK, RELAY } from './support/fake-tree.ts';
import { FolderHost } from './support/host.ts';
import { snapshot } from './support/snapshot.ts';

const BIN = '/opt/cni/bin';
const CONF = '/etc/cni/net.d/05-leasehold.conflist';
const UNIT = '/etc/systemd/system/leasehold.service';

/** A host with a Go plugin of old times, and names that are links to one big program, hard and symbolic. */
function usedHost(t: TestContext): FolderHost {
  const host = new FolderHost(t, { replace: true });
  const go = host.path(`${BIN}/dhcp`);
  writeFileSync(go, 'the Go plugin');
  chmodSync(go, 0o750);
  utimesSync(go, 1_600_000_000, 1_600_000_000);
  writeFileSync(host.path(`${BIN}/cni`), 'many in one', { mode: 0o755 });
  symlinkSync('cni', host.path(`${BIN}/macvlan`));
  linkSync(host.path(`${BIN}/cni`), host.path(`${BIN}/route-override`));
  return host;
}

function all(host: FolderHost): readonly string[] {
  return snapshot(host.root, ['/']);
}

function text(host: FolderHost, path: string): string {
  return readFileSync(host.path(path), 'utf8');
}

describe('install', () => {
  test('puts program, unit, plugins and network in their places, in that order', async (t) => {
    const host = new FolderHost(t, {
      serviceCidrs: ['10.43.0.0/16'],
      configPath: '/etc/leasehold/a b%.json',
    });
    const order: string[] = [];
    await host.install({}, (what) => order.push(what.replace(host.root, '').replace(/1\.2\.3-\w+/, 'TREE')));
    assert.deepEqual(order, [
      'manifest',
      '/usr/local/lib/leasehold/TREE',
      '/usr/local/bin/leasehold',
      UNIT,
      '/etc/systemd/system/multi-user.target.wants/leasehold.service',
      'service',
      ...['leasehold', 'dhcp', 'macvlan', 'route-override', 'loopback'].map((name) => `${BIN}/${name}`),
      CONF,
      'end',
    ]);
    for (const name of ['leasehold', 'dhcp', 'macvlan', 'route-override']) {
      assert.equal(text(host, `${BIN}/${name}`), RELAY);
      assert.equal(statSync(host.path(`${BIN}/${name}`)).mode & 0o7777, 0o755);
    }
    assert.equal(text(host, `${BIN}/loopback`), LOOPBACK);
    assert.equal(statSync(host.path(`${BIN}/loopback`)).mode & 0o7777, 0o755);
    assert.equal(statSync(host.path(CONF)).mode & 0o7777, 0o600);
    const [tree] = readdirSync(host.path('/usr/local/lib/leasehold'));
    assert.match(
      text(host, UNIT),
      new RegExp(
        `^ExecStart="/usr/local/lib/leasehold/${tree}/bin/leasehold" "daemon" "--config" "/etc/leasehold/a b%%\\.json" "--service-cidr" "10\\.43\\.0\\.0/16"$`,
        'm',
      ),
    );
    assert.deepEqual(host.calls, ['daemon-reload', 'restart leasehold.service']);
    assert.ok(!all(host).some((line) => /-new |\.new /.test(line)), 'no temporary file is left');
  });

  test('a loopback of somebody else stays, whatever the flags say', async (t) => {
    for (const replace of [false, true]) {
      const host = new FolderHost(t, { replace });
      symlinkSync('cni', host.path(`${BIN}/loopback`));
      const before = all(host);
      assert.ok(
        host.describe().includes(`${host.path(`${BIN}/loopback`)} is somebody else's: it stays, and is used`),
      );
      await host.install();
      await host.install();
      assert.equal(readlinkSync(host.path(`${BIN}/loopback`)), 'cni');
      assert.deepEqual((await host.uninstall()).left, []);
      assert.deepEqual(all(host), before);
    }
  });

  test('ours gives way to a loopback that comes later, and comes back when that has gone', async (t) => {
    const host = new FolderHost(t);
    await host.install();
    writeFileSync(host.path(`${BIN}/loopback`), 'theirs');
    await host.install({ replace: true });
    assert.equal(text(host, `${BIN}/loopback`), 'theirs');
    rmSync(host.path(`${BIN}/loopback`));
    writeFileSync(`${host.tree}/dist/cni/loopback`, 'a newer one');
    await host.install();
    assert.equal(text(host, `${BIN}/loopback`), 'a newer one');
    writeFileSync(host.path(`${BIN}/loopback`), 'theirs');
    const { said, left } = await host.uninstall();
    assert.ok(said.includes(`${host.path(`${BIN}/loopback`)} is somebody else's now: left as it is`));
    assert.deepEqual(left, []);
    assert.equal(text(host, `${BIN}/loopback`), 'theirs');
  });

  test('a folder of that name is no plugin', async (t) => {
    const host = new FolderHost(t);
    mkdirSync(host.path(`${BIN}/loopback`));
    await assert.rejects(host.install(), /loopback is neither a file nor a link: move it away$/);
  });

  test('a loopback that comes while install runs stays', async (t) => {
    const host = new FolderHost(t);
    const path = host.path(`${BIN}/loopback`);
    const { said } = await host.install({}, (what) => {
      if (what === path) writeFileSync(path, 'theirs');
    });
    assert.ok(said.includes(`${path} has come from somebody else: it stays`));
    assert.equal(text(host, `${BIN}/loopback`), 'theirs');
    assert.deepEqual((await host.uninstall()).left, []);
    assert.equal(text(host, `${BIN}/loopback`), 'theirs');
  });

  test('a second time changes nothing and starts nothing anew', async (t) => {
    const host = new FolderHost(t);
    await host.install();
    const [before, calls] = [all(host), host.calls.length];
    const { said } = await host.install();
    assert.deepEqual(
      all(host).filter((line) => !line.includes('install.json')),
      before.filter((line) => !line.includes('install.json')),
    );
    assert.deepEqual(host.calls.slice(calls), ['start leasehold.service']);
    assert.ok(!said.some((line) => line.startsWith('wrote')));
  });

  test('a dry run says what would be done and does nothing', (t) => {
    const host = usedHost(t);
    const before = all(host);
    const lines = host.describe();
    assert.ok(
      lines.some((line) =>
        /^write .*\/dhcp and keep what is there as .*\.dhcp\.before-leasehold$/.test(line),
      ),
    );
    assert.ok(lines.some((line) => line.startsWith('copy the program to ')));
    assert.deepEqual(all(host), before);
  });

  test('a foreign plugin is left alone without --replace, and so is everything else', async (t) => {
    const host = usedHost(t);
    const before = all(host);
    await assert.rejects(host.install({ replace: false }), (error: Error) => {
      assert.match(error.message, /dhcp is a file that install did not make: --replace/);
      assert.match(error.message, /macvlan is a link to cni that install did not make/);
      return true;
    });
    assert.deepEqual(all(host), before);
  });

  test('a link, or one of many names of a program, is replaced and never written through', async (t) => {
    const host = usedHost(t);
    await host.install();
    assert.equal(text(host, `${BIN}/cni`), 'many in one');
    for (const name of ['dhcp', 'macvlan', 'route-override']) {
      assert.ok(lstatSync(host.path(`${BIN}/${name}`)).isFile());
      assert.equal(text(host, `${BIN}/${name}`), RELAY);
    }
  });

  test('a new version takes the place of the old one, and what was there before both stays kept', async (t) => {
    const host = usedHost(t);
    const before = all(host);
    await host.install();
    fakeTree(host.tree, 'a newer main');
    writeFileSync(`${host.tree}/dist/cni/leasehold`, 'a newer relay');
    await host.install();
    assert.equal(text(host, `${BIN}/dhcp`), 'a newer relay');
    assert.equal(readdirSync(host.path('/usr/local/lib/leasehold')).length, 1);
    assert.deepEqual(host.calls.slice(-2), ['daemon-reload', 'restart leasehold.service']);
    await host.uninstall();
    assert.deepEqual(all(host), before);
  });

  test('an edited network configuration is not overwritten without --replace, and then kept aside', async (t) => {
    const host = new FolderHost(t);
    await host.install();
    appendFileSync(host.path(CONF), ' ');
    await assert.rejects(
      host.install(),
      /05-leasehold\.conflist was edited .* --replace .*\.saved.* --no-conflist/,
    );
    await host.install({ conflist: undefined });
    const edited = text(host, CONF);
    await host.install({ replace: true });
    assert.notEqual(text(host, CONF), edited);
    assert.equal(text(host, `${CONF}.saved`), edited);
  });

  test('says which other networks there are, and which one wins', async (t) => {
    const host = new FolderHost(t);
    writeFileSync(
      host.path('/etc/cni/net.d/10-flannel.conflist'),
      '{"name":"cbr0","plugins":[{"type":"flannel"}]}',
    );
    writeFileSync(host.path('/etc/cni/net.d/99-notes.txt'), '');
    const { said } = await host.install();
    assert.ok(
      said.some((line) => /10-flannel\.conflist \(network cbr0: flannel\)/.test(line)),
      said.join('\n'),
    );
    assert.ok(said.some((line) => line.startsWith('05-leasehold.conflist wins')));
    assert.ok(!said.some((line) => line.includes('notes')));
    writeFileSync(host.path('/etc/cni/net.d/00-multus.conf'), '{"name":"multus","type":"multus"}');
    const again = await host.install();
    assert.ok(again.said.some((line) => line.startsWith('00-multus.conf wins, not 05-leasehold')));
  });

  test('refuses a folder in the way, a path out of the image, and a relative one', async (t) => {
    const host = new FolderHost(t);
    mkdirSync(host.path(`${BIN}/dhcp`));
    await assert.rejects(host.install({ replace: true }), /dhcp is neither a file nor a link/);
    symlinkSync('/etc', host.path('/opt/away'));
    assert.throws(() => host.plan({ cniBin: '/opt/away' }), /a link leads from it out of .*, to \/etc/);
    assert.throws(() => host.plan({ cniBin: '/opt/away/x' }), /out of/);
    assert.throws(() => host.plan({ cniConf: 'net.d' }), /--cni-conf net\.d: must be an absolute path/);
    writeFileSync(host.path('/opt/file'), '');
    assert.throws(() => host.plan({ cniBin: '/opt/file' }), /is no folder/);
  });

  test('a manifest that cannot be read stops it, by name', (t) => {
    const host = new FolderHost(t);
    mkdirSync(host.path('/var/lib/leasehold'));
    for (const bad of [
      '',
      '{',
      '[]',
      '{"version":2}',
      '{"version":1,"phase":"x","entries":[]}',
      '{"version":1,"phase":"installed","entries":[{"kind":"item","path":"relative","ours":[],"kept":null}]}',
    ]) {
      writeFileSync(host.path('/var/lib/leasehold/install.json'), bad);
      assert.throws(() => host.plan(), /install\.json: /, bad);
    }
  });
});

describe('uninstall', () => {
  test('leaves every file, mode, owner, time, inode and link as it was', async (t) => {
    const host = usedHost(t);
    const before = all(host);
    await host.install();
    assert.notDeepEqual(all(host), before);
    const { left, said } = await host.uninstall();
    assert.deepEqual(left, []);
    assert.ok(said.includes('the host side is undone'));
    assert.deepEqual(all(host), before);
    assert.deepEqual(host.calls.slice(-3), [
      'stop leasehold.service',
      'daemon-reload',
      'reset-failed leasehold.service',
    ]);
    assert.deepEqual((await host.uninstall()).said, []);
  });

  test('what cannot be taken off the network is said and left, and all the rest goes', async (t) => {
    const host = usedHost(t);
    const before = all(host);
    await host.install();
    host.notUndone = ['could not remove lh0 (ip link del lh0): EBUSY'];
    const { left, said } = await host.uninstall();
    assert.deepEqual(left, host.notUndone);
    assert.ok(said.includes('could not remove lh0 (ip link del lh0): EBUSY'));
    assert.deepEqual(all(host), before);
  });

  test('what somebody has changed since is left, and where the old one is, is said', async (t) => {
    const host = usedHost(t);
    await host.install();
    rmSync(host.path(`${BIN}/dhcp`));
    writeFileSync(host.path(`${BIN}/dhcp`), 'a newer Go plugin');
    const { left, said } = await host.uninstall();
    assert.deepEqual(left, [host.path(`${BIN}/dhcp`)]);
    assert.ok(said.some((line) => /dhcp was changed since.*\.dhcp\.before-leasehold$/.test(line)));
    assert.equal(text(host, `${BIN}/dhcp`), 'a newer Go plugin');
    assert.equal(text(host, `${BIN}/.dhcp.before-leasehold`), 'the Go plugin');
  });

  test('an edited network configuration goes out of effect and is not lost', async (t) => {
    const host = new FolderHost(t);
    await host.install();
    appendFileSync(host.path(CONF), ' ');
    const { said } = await host.uninstall();
    assert.ok(said.some((line) => /edited since: out of effect now/.test(line)));
    assert.deepEqual(readdirSync(host.path('/etc/cni/net.d')), ['05-leasehold.conflist.saved']);
  });

  test('what was there already and had our content is not ours to remove', async (t) => {
    const host = new FolderHost(t);
    writeFileSync(host.path(`${BIN}/dhcp`), RELAY);
    const before = all(host);
    await host.install();
    await host.uninstall();
    assert.deepEqual(all(host), before);
  });
});
