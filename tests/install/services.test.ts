import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { installCommand } from '../../src/cli/install.ts';
import { asRoot, makeNode } from '../doctor/local/support/node.ts';
import { ROOT } from '../support/leasehold.ts';
import { runAs } from '../support/program-as.ts';

const LEASEHOLD = join(ROOT, 'bin', 'leasehold');

test(
  'on a worker whose service network nothing tells, install and conflist want it stated',
  asRoot,
  async (t) => {
    const node = await makeNode(t, 'install');
    await runAs(node, 'kubelet');
    const run = async (...args: readonly string[]) => await node.namespace.runToEnd([LEASEHOLD, ...args]);
    // A dry run changes nothing of this machine.
    const install = async (...more: readonly string[]) =>
      await run(
        'install',
        '--dry-run',
        '--no-service',
        '--prefix',
        join('/opt', `leasehold-test-${process.pid}`),
        ...more,
      );
    const refused = await install();
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /this is a node of a cluster \(kubelet \(process \d+\)\), and its service network was not found: .* --service-cidr CIDR/,
    );
    assert.match(refused.stderr, /nothing was changed/);
    assert.equal((await install('--no-conflist')).status, 1, 'the daemon would not know it either');
    for (const stated of [
      ['--service-cidr', '10.43.0.0/16'],
      ['--root', node.folder],
    ]) {
      assert.ok(!(await install(...stated)).stderr.includes('service network'), stated.join(' '));
    }
    const conflist = await run('conflist');
    assert.equal(conflist.status, 2);
    assert.match(conflist.stderr, /# error +this is a node of a cluster.*\[service-network-unknown\]/);
  },
);

test('a file for the daemon that states the services is enough, as far as it does', asRoot, async (t) => {
  t.mock.method(console, 'log', () => undefined);
  const errors = t.mock.method(console, 'error', () => undefined);
  const asked: string[] = [];
  const command = installCommand({
    tree: ROOT,
    version: () => '0.0.0',
    conflist: () => Promise.resolve({ conflist: {}, remarks: [], unknownServices: 'kubelet (process 7)' }),
    statesServices: (path) => {
      asked.push(path);
      return Promise.resolve(path.endsWith('full.json'));
    },
    service: { isRunning: () => false, systemctl: () => Promise.reject(new Error('not called')) },
  });
  const prefix = join('/opt', `leasehold-test-${process.pid}`);
  const said = async (config: string): Promise<string> => {
    errors.mock.resetCalls();
    await command.run(['--dry-run', '--no-conflist', '--prefix', prefix, '--config', config]);
    return errors.mock.calls.map((call) => call.arguments.join(' ')).join('\n');
  };
  assert.ok(!(await said('/etc/leasehold/full.json')).includes('service network'));
  assert.match(await said('/etc/leasehold/empty.json'), /its service network was not found/);
  assert.deepEqual(asked, ['/etc/leasehold/full.json', '/etc/leasehold/empty.json']);
});
