import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { conflistCommand } from '../../src/cli/conflist.ts';
import { UsageError } from '../../src/cli/command.ts';
import { decodeConf } from '../../src/cni/spec/conf.ts';
import { readLeaseholdConf } from '../../src/cni/leasehold/conf.ts';
import { asRoot, makeNode } from '../doctor/local/support/node.ts';
import { ROOT } from '../support/leasehold.ts';
import { partsWith, printed, quietFacts } from './support.ts';

const LEASEHOLD = join(ROOT, 'bin', 'leasehold');
const PLAIN = {
  cniVersion: '1.0.0',
  cniVersions: ['1.0.0', '1.1.0'],
  name: 'lan',
  plugins: [{ type: 'leasehold' }],
};

test('for this node: JSON on stdout, the reasons on stderr', asRoot, async (t) => {
  const node = await makeNode(t, 'conflist');
  const { status, stdout, stderr } = await node.namespace.runToEnd([LEASEHOLD, 'conflist']);
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout), PLAIN);
  assert.match(
    stderr,
    /^# uplink eth0 \(veth, default route by 192\.168\.77\.1\): found by the default route/,
  );
  assert.match(stderr, /# no service network was found/);
  for (const line of stderr.trimEnd().split('\n')) assert.ok(line.startsWith('# '), line);
});

test('only keys that must differ, and the plugin reads what is printed', asRoot, async (t) => {
  const node = await makeNode(t, 'wishes');
  const argv = [
    'conflist',
    '--master',
    'eth0',
    '--service-cidr',
    '10.43.7.7/16',
    '--service-cidr',
    '10.44.0.0/16',
  ];
  const { status, stdout } = await node.namespace.runToEnd([LEASEHOLD, ...argv]);
  assert.equal(status, 0);
  const { plugins, ...list } = JSON.parse(stdout) as { plugins: object[] };
  assert.deepEqual(plugins, [
    { type: 'leasehold', master: 'eth0', services: ['10.43.0.0/16', '10.44.0.0/16'] },
  ]);
  const conf = decodeConf(new TextEncoder().encode(JSON.stringify({ ...list, ...plugins[0] })));
  assert.ok(conf.ok);
  assert.equal(readLeaseholdConf(conf.value).services.length, 2);
});

test('a master by an alternative name is found, and stays named so', asRoot, async (t) => {
  const node = await makeNode(t, 'altname');
  const master = 'averyveryverylongname0';
  await node.ip('link', 'property', 'add', 'dev', 'eth0', 'altname', master);
  const { status, stdout, stderr } = await node.namespace.runToEnd([
    LEASEHOLD,
    'conflist',
    '--master',
    master,
  ]);
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { ...PLAIN, plugins: [{ type: 'leasehold', master }] });
  assert.match(stderr, /^# uplink eth0 \(veth, .*\): by --master/);
});

test('what is wrong with this node is said, and the status tells', asRoot, async (t) => {
  const node = await makeNode(t, 'noroute');
  await node.ip('route', 'del', 'default');
  const { status, stdout, stderr } = await node.namespace.runToEnd([LEASEHOLD, 'conflist']);
  assert.equal(status, 2);
  assert.deepEqual(JSON.parse(stdout), PLAIN);
  assert.match(stderr, /# error +.*no interface of this node has a default route.*\[master-missing\]/);
});

for (const [what, argv, services] of [
  ['tell', ['kube-apiserver', '--service-cluster-ip-range=10.43.0.0/16'], { services: ['10.43.0.0/16'] }],
  ['hide, as k3s does: the default of k3s is a guess', ['/usr/local/bin/k3s server', '', ''], {}],
] as const) {
  test(`service networks that processes of this node ${what}`, async (t) => {
    const text = printed(t);
    t.mock.method(process.stderr, 'write', () => true);
    const facts = quietFacts({ processes: () => [{ pid: 7, argv }] });
    const command = conflistCommand(() => Promise.resolve(partsWith(facts)));
    assert.equal(await command.run([]), 0);
    assert.deepEqual(JSON.parse(text()), { ...PLAIN, plugins: [{ type: 'leasehold', ...services }] });
  });
}

test('--check: plugin by plugin, with a status', asRoot, async (t) => {
  const node = await makeNode(t, 'check');
  const file = join(node.folder, 'a.conflist');
  const run = async (conf: unknown, ...more: readonly string[]) => {
    await writeFile(file, JSON.stringify(conf));
    return await node.namespace.runToEnd([LEASEHOLD, 'conflist', '--check', file, ...more]);
  };
  const bins = ['--cni-bin', join(ROOT, 'dist', 'cni')];
  const good = await run(PLAIN, ...bins);
  assert.equal(good.status, 0);
  assert.match(
    good.stdout,
    /network "lan", CNI 1\.0\.0\n\n1\. leasehold makes a macvlan on eth0.*\n\nNothing is wrong/,
  );

  const macvlan = { ...PLAIN, plugins: [{ type: 'macvlan', ipam: { type: 'dhcp' } }] };
  const warned = await run(macvlan, ...bins);
  assert.equal(warned.status, 1);
  assert.match(
    warned.stdout,
    /\n1\. macvlan makes.*\n\nThe list as a whole\n {2}warning .*\[no-host-access\]\n/,
  );
  const leaking = await run(macvlan, ...bins, '--service-cidr', '10.43.0.0/16');
  assert.equal(leaking.status, 2);
  assert.match(leaking.stdout, /error .*no route to the services 10\.43\.0\.0\/16/);

  const json = await run(macvlan, ...bins, '--json');
  const report = JSON.parse(json.stdout) as { status: number; plugins: { type: string }[] };
  assert.deepEqual([report.status, report.plugins[0]?.type], [1, 'macvlan']);
});

test('--check from standard input and other descriptors, at most 1 MiB', asRoot, async (t) => {
  const node = await makeNode(t, 'stdin');
  const run = async (path: string, input: string) =>
    await node.namespace.runToEnd([LEASEHOLD, 'conflist', '--check', path], { input });
  const list = JSON.stringify({ ...PLAIN, plugins: [] });
  for (const path of ['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']) {
    const { status, stdout } = await run(path, list);
    assert.equal(status, 2, path);
    assert.match(stdout, /it has no "plugins"/, path);
  }
  const huge = await run('-', ' '.repeat(1_048_577));
  assert.equal(huge.status, 3);
  assert.match(huge.stderr, /-: cannot be read: it must be a file of at most 1 MiB/);
  const piped = `printf '%s' '${list}' > list; "$0" conflist --check <(cat list)`;
  const bash = ['bash', '--norc', '-c', `cd ${node.folder} && ${piped}`, LEASEHOLD];
  assert.match((await node.namespace.runToEnd(bash)).stdout, /it has no "plugins"/);
  const closed = ['sh', '-c', '"$0" conflist --check /dev/fd/9', LEASEHOLD];
  assert.equal((await node.namespace.runToEnd(closed)).status, 3);
});

test('a file that is not there, is a folder, or is not JSON', asRoot, async (t) => {
  const node = await makeNode(t, 'badfile');
  const run = async (path: string) => await node.namespace.runToEnd([LEASEHOLD, 'conflist', '--check', path]);
  for (const path of ['/nowhere', node.folder, '/dev/zero']) {
    const { status, stderr } = await run(path);
    assert.deepEqual(
      { status, stderr },
      {
        status: 3,
        stderr: `leasehold conflist: ${path}: cannot be read: it must be a file of at most 1 MiB, or - for standard input\n`,
      },
    );
  }
  await writeFile(join(node.folder, 'x'), '{\u001B[2J');
  const odd = await run(join(node.folder, 'x'));
  assert.equal(odd.status, 2);
  assert.match(odd.stdout, /it is not JSON/);
  assert.ok(!odd.stdout.includes('\u001B'));
});

test('mistakes on the command line', async () => {
  const command = conflistCommand(() => Promise.reject(new Error('not opened')));
  for (const argv of [
    ['--check', 'x', '--master', 'eth0'],
    ['--json'],
    ['--service-cidr', '10.43.0.0'],
    ['--service-cidr', '0.0.0.0/0'],
    ['--service-cidr', 'fd00::/64'],
    ['x'],
  ])
    await assert.rejects(command.run(argv), UsageError, argv.join(' '));
});
