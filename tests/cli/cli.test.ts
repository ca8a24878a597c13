import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runToEnd, systemEnv, type Outcome } from '../../src/lab/process.ts';
import { fakeDaemon } from '../api/support.ts';
import { ROOT } from '../support/leasehold.ts';

const LEASEHOLD = join(ROOT, 'bin', 'leasehold');

async function leasehold(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program = LEASEHOLD,
): Promise<Outcome> {
  return await runToEnd([program, ...argv], { cwd: '/', env: systemEnv(env) });
}

const LEASE = {
  containerId: 'c0ffee'.repeat(10),
  network: 'lan',
  ifname: 'eth0',
  state: 'bound',
  mac: '02:00:5e:10:00:01',
  address: '192.168.2.50',
  prefix: 24,
  routers: ['192.168.2.1'],
  server: '192.168.2.1',
  expiresInSeconds: 43_199,
};
const SEEKING = { ...LEASE, containerId: 'b', state: 'selecting', address: null, expiresInSeconds: null };

async function daemonWith(t: TestContext, leases: unknown, owed: unknown = []): Promise<string> {
  return await fakeDaemon(t, (request, response) => {
    if (request.url === '/v1/leases') response.end(JSON.stringify(leases));
    else if (request.url === '/v1/owed') response.end(JSON.stringify(owed));
    else response.writeHead(404).end('{}');
  });
}

for (const argv of [['help'], ['--help'], ['-h']]) {
  test(`${argv.join(' ')} names every command and its options`, async () => {
    const { status, stdout, stderr } = await leasehold(argv);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    for (const text of [
      'daemon [--socket PATH] [--state-dir DIR] [--config FILE]',
      'leases',
      'lab',
      'version',
    ])
      assert.ok(stdout.includes(`leasehold ${text}`), text);
  });
}

test('each command says how it is used, and does nothing', async () => {
  const { stdout } = await leasehold(['help']);
  const names = [...stdout.matchAll(/^ {2}leasehold (\S+)/gm)].map(([, name = '']) => name);
  assert.ok(names.includes('agent'), names.join(' '));
  for (const argv of [
    ...names.filter((name) => name !== 'lab').map((name) => [name, '--help']),
    ['agent', '--socket', '/nowhere', '-h'],
    ['help', 'agent'],
  ]) {
    const name = argv.find((word) => names.includes(word)) ?? '';
    const asked = await leasehold(argv);
    assert.deepEqual([asked.status, asked.stderr], [0, ''], argv.join(' '));
    assert.match(asked.stdout, new RegExp(`^Usage:\\n  leasehold ${name}(?: |\\n)`));
    assert.equal([...asked.stdout.matchAll(/^ {2}leasehold /gm)].length, 1);
  }
  assert.deepEqual(
    stdout.split('\n').filter((line) => line.length > 100 || line.endsWith(' ')),
    [],
  );
  assert.equal((await leasehold(['help', 'lease'])).status, 2);
  // The lab has more to say.
  for (const argv of [
    ['lab', '--help'],
    ['help', 'lab'],
  ]) {
    const asked = await leasehold(argv);
    assert.equal(asked.status, 0);
    assert.match(asked.stdout, /^ {2}leasehold lab heal \[NAME\]/m);
  }
});

test('version is that of the package', async () => {
  const { status, stdout } = await leasehold(['version']);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  assert.deepEqual({ status, stdout }, { status: 0, stdout: `${version}\n` });
});

test('it runs through a link, from any folder', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), `lh${process.pid}-cli-`));
  t.after(async () => await rm(folder, { recursive: true }));
  const link = join(folder, 'leasehold');
  symlinkSync(LEASEHOLD, link);
  assert.equal((await leasehold(['version'], {}, link)).status, 0);
});

test('mistakes on the command line: status 2, what is wrong, how it is used', async () => {
  const cases = [
    [['lease'], /^leasehold: there is no command "lease"\nUsage:\n +leasehold daemon/],
    [['leases', '--jason'], /^leasehold: .*--jason.*\nUsage:\n +leasehold leases .*\n.*\n$/],
    [['leases', 'all'], /^leasehold: .*all.*\nUsage:\n +leasehold leases /],
    [
      ['daemon', '--kubeconfig', 'kubelet.conf'],
      /^leasehold: --kubeconfig kubelet\.conf: must be an absolute path\nUsage:/,
    ],
    [['leases', '--socket='], /^leasehold: --socket "": must be an absolute path\nUsage:/],
    [['leases', '--socket', 'd.sock'], /^leasehold: --socket "d\.sock": must be an absolute path\nUsage:/],
    [['leases', '--socket'], /^leasehold: .*--socket.*\nUsage:\n +leasehold leases /],
  ] as const;
  for (const [argv, message] of cases) {
    const { status, stdout, stderr } = await leasehold(argv);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
    assert.match(stderr, message);
  }
  const nothing = await leasehold([]);
  assert.equal(nothing.status, 2);
  assert.match(nothing.stdout, /^Usage:/);
});

test('leases as a table', async (t) => {
  const socket = await daemonWith(t, [LEASE, SEEKING]);
  const { status, stdout, stderr } = await leasehold(['leases', '--socket', socket]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  const rows = stdout.trimEnd().split('\n');
  assert.deepEqual(
    rows.map((row) => row.split(/ {2,}/)),
    [
      ['CONTAINER', 'NETWORK', 'INTERFACE', 'ADDRESS', 'MAC', 'STATE', 'LEFT'],
      ['c0ffeec0ffeec', 'lan', 'eth0', '192.168.2.50', LEASE.mac, 'bound', '11 h 59 min'],
      ['b', 'lan', 'eth0', '-', LEASE.mac, 'selecting', '-'],
    ],
  );
});

test('leases of pods that the runtime names; --wide: who each is to the server (RFC 4361 6.1)', async (t) => {
  const duid = '00:04:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff';
  const iaid = '01:02:03:04';
  const leases = [
    {
      ...LEASE,
      podNamespace: 'shop',
      podName: 'web-0',
      clientId: `ff:${iaid}:${duid}`,
      clientIdText: null,
      iaid,
      duid,
    },
    { ...LEASE, podNamespace: null, podName: 'db', clientId: '00:64:62', clientIdText: 'db', iaid: null },
    { ...SEEKING, podNamespace: null, podName: null, clientId: '01:02:00:5e:10:00:01' },
  ];
  const socket = await daemonWith(t, leases);
  const rowsOf = async (...flags: readonly string[]): Promise<readonly (readonly string[])[]> => {
    const { status, stdout, stderr } = await leasehold(['leases', ...flags, '--socket', socket]);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    return stdout
      .trimEnd()
      .split('\n')
      .map((row) => row.split(/ {2,}/));
  };
  assert.deepEqual(
    (await rowsOf()).map((row) => [row.length, row[1]]),
    [
      [8, 'POD'],
      [8, 'shop/web-0'],
      [8, 'db'],
      [8, '-'],
    ],
  );
  assert.deepEqual(
    (await rowsOf('--wide')).map((row) => row.slice(8)),
    [
      ['IAID', 'DUID', 'CLIENT-ID'],
      [iaid, duid, `ff:${iaid}:${duid}`],
      ['-', '-', 'db'],
      ['-', '-', '01:02:00:5e:10:00:01'],
    ],
  );
});

test('what servers have still to hear stands below the leases', async (t) => {
  const owed = { address: '192.168.2.61', server: '192.168.2.1', why: 'eth0 has no carrier' };
  const socket = await daemonWith(t, [], [owed]);
  const { stdout } = await leasehold(['leases', '--socket', socket]);
  assert.equal(
    stdout.trimEnd().split('\n')[1],
    '192.168.2.61 is to be released at 192.168.2.1: eth0 has no carrier',
  );
});

test('leases as JSON, the socket by LEASEHOLD_SOCKET', async (t) => {
  const socket = await daemonWith(t, [LEASE]);
  const { status, stdout } = await leasehold(['leases', '--json'], { LEASEHOLD_SOCKET: socket });
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(stdout), [LEASE]);
});

test('no leases: the headings alone', async (t) => {
  const socket = await daemonWith(t, []);
  const { status, stdout } = await leasehold(['leases', '--socket', socket]);
  assert.deepEqual({ status, lines: stdout.trimEnd().split('\n').length }, { status: 0, lines: 1 });
});

test('no daemon: one line that says what to start', async () => {
  const { status, stdout, stderr } = await leasehold(['leases', '--socket', '/nowhere/d.sock']);
  assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
  assert.equal(stderr, 'leasehold: no daemon at /nowhere/d.sock: start it with "leasehold daemon"\n');
});

test('what another program answers is no reason for a stack', async (t) => {
  for (const [text, message] of [
    ['<html>', /^leasehold: .* something that is not JSON\n$/],
    ['"hello"', /^leasehold: .* gives no list of leases\n$/],
  ] as const) {
    const socket = await fakeDaemon(t, (_, response) => response.end(text));
    const { status, stdout, stderr } = await leasehold(['leases', '--json', '--socket', socket]);
    assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
    assert.match(stderr, message);
  }
});

test('a reader that has seen enough is no failure', async (t) => {
  const socket = await daemonWith(
    t,
    Array.from({ length: 20_000 }, () => LEASE),
  );
  const script = `"$0" leases --socket ${socket} | head -n 1`;
  const { status, stdout, stderr } = await runToEnd(['bash', '-o', 'pipefail', '-c', script, LEASEHOLD]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.match(stdout, /^CONTAINER/);
});
