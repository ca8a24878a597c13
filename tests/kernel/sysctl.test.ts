import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSysctl, writeSysctl, writeSysctls } from '../../src/kernel/sysctl.ts';
import { NetNs } from '../../src/kernel/netns.ts';
import { asRoot, Sandbox } from './support/sandbox.ts';

const KEY = ['ipv4', 'conf', 'lo', 'arp_notify'];
const FORWARDING = ['ipv4', 'conf', 'lo', 'forwarding'];

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

describe('several at once', () => {
  test(
    'all are written, in this namespace only; what the kernel does not have is passed over',
    asRoot,
    async () => {
      await using sandbox = new Sandbox('sysctl');
      const [one, two] = [sandbox.namespace('one'), sandbox.namespace('two')];
      const home = readSysctl(NetNs.self(), KEY);
      writeSysctls(one, [
        [KEY, '1'],
        [['ipv6', 'conf', 'eth7', 'disable_ipv6'], '0'],
        [['ipv9', 'conf'], '0'],
        [FORWARDING, '1'],
      ]);
      writeSysctls(two, []);
      assert.deepEqual([readSysctl(one, KEY), readSysctl(one, FORWARDING)], ['1', '1']);
      assert.deepEqual([readSysctl(two, KEY), readSysctl(two, FORWARDING)], ['0', '0']);
      assert.equal(readSysctl(NetNs.self(), KEY), home);
    },
  );

  test('a value that the kernel refuses is an error, as is a folder', asRoot, async () => {
    await using sandbox = new Sandbox('sysctl');
    const netns = sandbox.namespace('a');
    const op = 'write sysctls net.ipv4.conf.lo.arp_notify, net.ipv4.conf.lo.forwarding';
    const refused = { name: 'SysError', code: 'EINVAL', op };
    assert.throws(() => {
      writeSysctls(netns, [
        [KEY, 'much'],
        [FORWARDING, '1'],
      ]);
    }, refused);
    assert.equal(readSysctl(netns, FORWARDING), '0');
    assert.throws(() => writeSysctls(netns, [[['ipv4', 'conf'], '1']]), { code: 'EISDIR' });
  });

  test('nothing is written when one name is bad', asRoot, async () => {
    await using sandbox = new Sandbox('sysctl');
    const netns = sandbox.namespace('a');
    const settings = [
      [KEY, '1'],
      [['ipv4', '..', 'x'], '1'],
    ] as const;
    assert.throws(() => writeSysctls(netns, settings), { code: 'EINVAL' });
    assert.equal(readSysctl(netns, KEY), '0');
  });
});
