import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { InvariantError } from '../../src/base/invariant.ts';
import { NetNs } from '../../src/kernel/netns.ts';
import { asRoot, Sandbox } from './support/sandbox.ts';

function fail(): string {
  throw new RangeError('inside');
}

function here(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

test('runs inside the namespace and comes back with the result', asRoot, async () => {
  await using sandbox = new Sandbox('netns');
  const netns = sandbox.namespace('a');
  const home = here();
  assert.equal(netns.run(here), `net:[${netns.inode}]`);
  assert.equal(here(), home);
  assert.equal(home, `net:[${NetNs.self().inode}]`);
});

test('comes back after an exception, which goes on', asRoot, async () => {
  await using sandbox = new Sandbox('netns');
  const netns = sandbox.namespace('a');
  const home = here();
  assert.throws(() => netns.run(fail), RangeError);
  assert.equal(here(), home);
});

test('refuses to be left for another one and to run what is not synchronous', asRoot, async () => {
  await using sandbox = new Sandbox('netns');
  const netns = sandbox.namespace('a');
  const other = sandbox.namespace('b');
  const home = here();
  assert.throws(() => netns.run(() => other.run(here)), InvariantError);
  // @ts-expect-error the compiler refuses a promise too
  assert.throws(() => netns.run(async () => {}), InvariantError);
  assert.equal(here(), home);
});

test('a visit within a visit to the same namespace is part of it', asRoot, async () => {
  await using sandbox = new Sandbox('netns-again');
  const netns = sandbox.namespace('a');
  const home = here();
  const inside = `net:[${netns.inode}]`;
  assert.deepEqual(
    netns.run(() => [here(), netns.run(here), here()]),
    [inside, inside, inside],
  );
  assert.equal(here(), home);
});

test('the inode that is known does not make another namespace or a file one of those', asRoot, async () => {
  await using sandbox = new Sandbox('netns-known');
  const netns = sandbox.namespace('a');
  const other = sandbox.namespace('b');
  using again = NetNs.open(sandbox.path('a'), netns.inode);
  assert.equal(again.inode, netns.inode);
  using another = NetNs.open(sandbox.path('b'), netns.inode);
  assert.equal(another.inode, other.inode);
  assert.throws(() => NetNs.open('/proc/self/ns/mnt', netns.inode), { code: 'ENOTNS' });
  const file = import.meta.filename;
  assert.throws(() => NetNs.open(file, String(statSync(file).ino)), { code: 'ENOTNS' });
});

test('no thread is ever born inside a namespace', asRoot, () => {
  // In a process of its own, where nothing has used the thread pool before.
  const script = `
    import { readdirSync, readlinkSync, promises } from 'node:fs';
    import { NetNs } from ${JSON.stringify(join(import.meta.dirname, '../../src/kernel/netns.ts'))};
    const home = NetNs.self();
    const other = NetNs.open(process.argv[1]);
    let late;
    other.run(() => { late = promises.stat('/'); return 0; });
    await late;
    const seen = readdirSync('/proc/self/task').map((id) => readlinkSync('/proc/self/task/' + id + '/ns/net'));
    process.stdout.write(JSON.stringify([...new Set(seen)].map((name) => name === 'net:[' + home.inode + ']')));
  `;
  const name = `lh-netns-threads-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script, `/run/netns/${name}`]);
    assert.deepEqual(JSON.parse(out.toString()), [true]);
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
  }
});

test('says what is wrong with a path', asRoot, () => {
  const folder = mkdtempSync(join(tmpdir(), 'lh-netns-'));
  const file = join(folder, 'file');
  const pipe = join(folder, 'pipe');
  writeFileSync(file, '');
  execFileSync('mkfifo', [pipe]);
  const before = readdirSync('/proc/self/fd').length;
  try {
    assert.throws(() => NetNs.open(join(folder, 'missing')), { code: 'ENOENT' });
    assert.throws(() => NetNs.open('run/netns/a'), { code: 'EINVAL' });
    assert.throws(() => NetNs.open('/run/netns/a\0b'), { code: 'EINVAL' });
    assert.throws(() => NetNs.open(file), { name: 'SysError', code: 'ENOTNS' });
    assert.throws(() => NetNs.open(folder), { code: 'ENOTNS' });
    // A pipe without a writer would stop the loop for ever if it were opened in the usual way.
    assert.throws(() => NetNs.open(pipe), { code: 'ENOTNS' });
    assert.throws(() => NetNs.open('/proc/self/ns/mnt'), { code: 'ENOTNS' });
    assert.equal(readdirSync('/proc/self/fd').length, before);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('keeps a namespace alive after its name is gone', asRoot, () => {
  const name = `lh-netns-gone-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  const netns = NetNs.open(`/run/netns/${name}`);
  execFileSync('ip', ['netns', 'del', name]);
  assert.equal(netns.run(here), `net:[${netns.inode}]`);
  netns.close();
  netns.close();
  assert.throws(() => netns.run(here), InvariantError);
});
