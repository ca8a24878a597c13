import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { UsageError } from '../../src/cli/command.ts';
import type { DoctorParts } from '../../src/cli/doctor-parts.ts';
import { doctorCommand } from '../../src/cli/doctor.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { fakeDaemon } from '../api/support.ts';
import { addShim, asRoot, makeNode, type TestNode } from '../doctor/local/support/node.ts';
import { ROOT } from '../support/leasehold.ts';
import { partsWith, printed, quietFacts } from './support.ts';

const LEASEHOLD = join(ROOT, 'bin', 'leasehold');

function finding(severity: Finding['severity'], more: Partial<Finding> = {}): Finding {
  return { id: 'made-up', severity, title: `a ${severity}`, evidence: ['seen'], remedy: ['do'], ...more };
}

/** A daemon that is ready, and tells nothing of the host side. */
function readyDaemon(t: TestContext, host?: unknown): Promise<string> {
  return fakeDaemon(t, (request, response) => {
    if (request.url === '/readyz') response.end('{"status":"ready"}');
    else if (request.url === '/v1/host' && host !== undefined) response.end(JSON.stringify(host));
    else response.writeHead(404).end('{}');
  });
}

describe('what is printed', () => {
  test('nothing wrong: said plainly, with what was looked at', async (t) => {
    const socket = await readyDaemon(t);
    const text = printed(t);
    const command = doctorCommand(() => Promise.resolve(partsWith(quietFacts())));
    assert.equal(await command.run(['--socket', socket]), 0);
    assert.match(text(), /^Nothing is wrong\. Uplink: eth0\.\nLooked at: .*; the clock\.$/);
  });

  test('worst first, and the exit status of the worst', async (t) => {
    const socket = await readyDaemon(t);
    for (const [severities, status] of [
      [['note'], 0],
      [['note', 'warning', 'ok'], 1],
      [['warning', 'error', 'note'], 2],
    ] as const) {
      const text = printed(t);
      const heard = severities.map((severity) => finding(severity));
      const command = doctorCommand(() => Promise.resolve(partsWith(quietFacts(), heard)));
      assert.equal(await command.run(['--socket', socket]), status);
      const order = ['error', 'warning', 'note', 'ok'].filter((one) => heard.some((f) => f.severity === one));
      const lines = text().split('\n');
      assert.deepEqual(
        lines.filter((line) => line.includes('[made-up]')).map((line) => line.split(' ')[0]),
        order,
      );
      assert.ok(lines.includes('   seen  seen') && lines.includes('     do  do'));
    }
  });

  test('no colours where there is no terminal, and no control characters of strangers', async (t) => {
    const socket = await readyDaemon(t);
    const text = printed(t);
    const hostile = finding('error', { title: 'a\u001B[2Jb', evidence: ['x\ny\u009B'], remedy: ['\u202E'] });
    await doctorCommand(() => Promise.resolve(partsWith(quietFacts(), [hostile]))).run(['--socket', socket]);
    assert.ok(text().includes(String.raw`a\u{1b}[2Jb`) && text().includes(String.raw`x\u{a}y\u{9b}`));
    assert.ok(!/[\p{Cc}\p{Cf}]/u.test(text().replaceAll('\n', '')));
  });

  test('--uplink by an alternative name: the LAN of the interface is asked, under its own name', async (t) => {
    const socket = await readyDaemon(t);
    const text = printed(t);
    const [eth0] = await quietFacts().links();
    assert.ok(eth0 !== undefined);
    const links = [{ ...eth0, altNames: ['averyveryverylongname0'] }];
    const asked: (string | undefined)[] = [];
    const lan: DoctorParts['lan'] = (uplink) => {
      asked.push(uplink);
      return Promise.resolve([]);
    };
    const facts = quietFacts({ links: () => Promise.resolve(links) });
    const command = doctorCommand(() => Promise.resolve({ ...partsWith(facts), lan }));
    assert.equal(await command.run(['--uplink', 'averyveryverylongname0', '--socket', socket]), 0);
    assert.deepEqual(asked, ['eth0']);
    assert.match(text(), /Uplink: eth0\./);
  });

  test('--json: the same, for programs', async (t) => {
    const socket = await readyDaemon(t);
    const text = printed(t);
    const command = doctorCommand(() => Promise.resolve(partsWith(quietFacts(), [finding('warning')])));
    assert.equal(await command.run(['--json', '--socket', socket]), 1);
    const { uplink, status, findings, subjects } = JSON.parse(text()) as Record<string, unknown>;
    assert.deepEqual({ uplink, status }, { uplink: 'eth0', status: 1 });
    assert.deepEqual(findings, [finding('warning')]);
    assert.ok(Array.isArray(subjects) && subjects.length > 10);
  });
});

/** What is found on a quiet node with what answers at this socket. */
async function idsWith(t: TestContext, socket: string): Promise<readonly string[]> {
  const text = printed(t);
  const command = doctorCommand(() => Promise.resolve(partsWith(quietFacts())));
  await command.run(['--json', '--socket', socket]);
  return (JSON.parse(text()) as { findings: { id: string }[] }).findings.map(({ id }) => id);
}

describe('what the daemon says', () => {
  test('nobody there, starting, unfit, or another program', async (t) => {
    assert.deepEqual(await idsWith(t, '/nowhere/d.sock'), ['daemon-absent']);
    const starting = await fakeDaemon(t, (_, response) => response.writeHead(503).end('{}'));
    assert.deepEqual(await idsWith(t, starting), ['daemon-not-ready']);
    const unfit = await fakeDaemon(t, (_, response) =>
      response.writeHead(503).end('{"status":"unfit","reason":"no sysctl can be set"}'),
    );
    assert.deepEqual(await idsWith(t, unfit), ['daemon-unfit']);
    for (const text of ['<html>', '[]', '"ready"', '{}']) {
      const socket = await fakeDaemon(t, (_, response) => response.end(text));
      assert.deepEqual(await idsWith(t, socket), ['daemon-odd'], text);
    }
  });

  test('one that hangs is not another program', async (t) => {
    const socket = await fakeDaemon(t, () => undefined);
    assert.deepEqual(await idsWith(t, socket), ['daemon-silent']);
  });

  test('its host side: a fight, a shim that is gone; nonsense is passed over', async (t) => {
    const host = {
      uplinks: [{ name: 'eth0', shim: 'lh0', address: null, pods: 3, problem: 'EPERM' }],
      services: [{ network: '10.43.0.0/16' }, '10.44.0.0/16'],
      guard: { problem: 'put the guard: EPERM' },
      fights: [{ item: 'lh0', since: 0, count: 3 }],
      repairs: {},
    };
    assert.deepEqual((await idsWith(t, await readyDaemon(t, host))).toSorted(), [
      'fight',
      'host-problem',
      'host-problem',
      'shim-missing',
    ]);
    for (const odd of [
      null,
      [],
      7,
      { uplinks: 3, fights: { a: 1 }, services: [null], guard: 'x' },
      { fights: [{}, 1] },
    ])
      assert.deepEqual(await idsWith(t, await readyDaemon(t, odd)), [], JSON.stringify(odd));
  });
});

describe('what cannot be', () => {
  test('status 3, and why, when it could not run', async (t) => {
    const errors = t.mock.method(process.stderr, 'write', () => true);
    const command = doctorCommand(() => Promise.reject(new Error('no netlink\nhere')));
    assert.equal(await command.run([]), 3);
    const deaf = quietFacts({ links: () => Promise.reject(new Error('RTM_GETLINK: EPERM')) });
    assert.equal(await doctorCommand(() => Promise.resolve(partsWith(deaf))).run([]), 3);
    assert.deepEqual(
      errors.mock.calls.map(({ arguments: [text] }) => text),
      ['leasehold doctor: no netlink here\n', 'leasehold doctor: RTM_GETLINK: EPERM\n'],
    );
  });

  test('one check that fails does not stop the others', async (t) => {
    const socket = await readyDaemon(t);
    const text = printed(t);
    const facts = quietFacts({
      wallClock: () => {
        throw new Error('no clock');
      },
    });
    assert.equal(await doctorCommand(() => Promise.resolve(partsWith(facts))).run(['--socket', socket]), 0);
    assert.match(text(), /this could not be looked at: the clock \[check-failed\]\n +seen +no clock/);
  });

  test('a mistake on the command line', async () => {
    const command = doctorCommand(() => Promise.reject(new Error('not opened')));
    for (const argv of [['--jason'], ['now'], ['--socket', 'relative'], ['--uplink']])
      await assert.rejects(command.run(argv), UsageError);
  });
});

/** All that the doctor could have changed. */
async function dump(node: TestNode): Promise<readonly string[]> {
  const commands = [
    ['ip', '-d', 'link', 'show'],
    ['ip', 'addr', 'show'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['ip', 'rule', 'show'],
    ['ip', 'neigh', 'show'],
    ['ip', 'maddr', 'show'],
    ['nft', 'list', 'ruleset'],
    ['sysctl', '-a', '-r', String.raw`^net\.(ipv[46]\.(conf|neigh|ip_forward|icmp)|bridge)`],
  ];
  const texts: string[] = [];
  for (const command of commands) texts.push(await node.namespace.run(command));
  const files = readdirSync(node.folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => `${name} ${statSync(join(node.folder, name)).mtimeMs}`);
  return [...texts.flatMap((text) => text.split('\n')), ...files];
}

test('on a node it says what is wrong, and changes nothing', asRoot, async (t) => {
  const node = await makeNode(t, 'cli');
  await addShim(node);
  await node.namespace.run(['iptables', '-P', 'FORWARD', 'DROP']);
  writeFileSync(join(node.places.cniConf, '10-lan.conflist'), '{');
  const [bin = ''] = node.places.cniBins;
  const folders = ['--cni-conf', node.places.cniConf, '--cni-bin', bin];
  const socket = ['--socket', join(node.folder, 'd.sock')];
  const before = await dump(node);
  const command = [LEASEHOLD, 'doctor', '--json', '--quick', ...folders, ...socket];
  const { status, stdout, stderr } = await node.namespace.runToEnd(command);
  assert.deepEqual({ status, stderr }, { status: 2, stderr: '' });
  const after = await dump(node);
  assert.deepEqual(
    after.filter((line, i) => line !== before[i]),
    [],
  );
  assert.equal(after.length, before.length);
  const { uplink, findings } = JSON.parse(stdout) as { uplink: string; findings: Finding[] };
  assert.equal(uplink, 'eth0');
  const ids = new Set(findings.map(({ id }) => id));
  for (const id of ['cni-conf-broken', 'daemon-absent', 'forward-drop']) assert.ok(ids.has(id), id);
});

test('an uplink that does not exist is a finding', asRoot, async (t) => {
  const node = await makeNode(t, 'clino');
  const command = [LEASEHOLD, 'doctor', '--quick', '--uplink', 'eth7', '--socket', '/nowhere/d.sock'];
  const { status, stdout } = await node.namespace.runToEnd(command);
  assert.equal(status, 2);
  assert.match(stdout, /^error +.*eth7/);
});
