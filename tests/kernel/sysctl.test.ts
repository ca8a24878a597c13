import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.ts';
import { NetNs } from '../../src/kernel/netns.ts';
import { asRoot, Sandbox } from './support/sandbox.ts';

const KEY = ['ipv4', 'conf', 'lo', 'arp_notify'];

test('writes in the namespace and nowhere else', asRoot, async () => {
  await using sandbox = new Sandbox('sysctl');
  const [one, two] = [sandbox.namespace('one'), sandbox.namespace('two')];
  const home = readSysctl(NetNs.self(), KEY);
  writeSysctl(one, KEY, '1');
  assert.deepEqual([readSysctl(one, KEY), readSysctl(two, KEY)], ['1', '0']);
  assert.equal(readSysctl(NetNs.self(), KEY), home);
});

test('names what cannot be written', asRoot, async () => {
  await using sandbox = new Sandbox('sysctl');
  const netns = sandbox.namespace('a');
  const missing = ['ipv4', 'conf', 'eth7', 'arp_notify'];
  assert.throws(() => writeSysctl(netns, missing, '1'), {
    code: 'ENOENT',
    op: 'write sysctl net.ipv4.conf.eth7.arp_notify',
  });
  assert.throws(() => writeSysctl(netns, KEY, 'much'), { code: 'EINVAL' });
  assert.throws(() => readSysctl(netns, ['ipv4', 'conf']), { code: 'EISDIR' });
});

test('no piece leads out of its folder', asRoot, async () => {
  await using sandbox = new Sandbox('sysctl');
  const netns = sandbox.namespace('a');
  for (const piece of ['..', '.', '', 'a/b', '../../kernel/hostname', 'a\0b', 'x'.repeat(65)]) {
    assert.throws(() => readSysctl(netns, ['ipv4', piece]), { code: 'EINVAL' }, JSON.stringify(piece));
  }
});
