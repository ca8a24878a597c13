import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { askProgram } from '../../src/kernel/node-command.ts';
import { digestOf, fileHolds, listFolder, lookAt, readText } from '../../src/kernel/node-files.ts';
import { listeningPaths, processesHere } from '../../src/kernel/node-processes.ts';
import { forwardChainsOf, tablesOf } from '../../src/kernel/nft-chains.ts';
import { fakeDaemon } from '../api/support.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), `lh${process.pid}-facts-`));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test('files: bounded, and never waited for', (t) => {
  const at = folder(t);
  const path = (name: string): string => join(at, name);
  writeFileSync(path('a'), 'text');
  writeFileSync(path('large'), Buffer.alloc((1 << 20) + 1));
  execFileSync('mkfifo', [path('fifo')]);
  assert.equal(readText(path('a')), 'text');
  for (const name of ['large', 'fifo', '.', 'nothing', 'a/b', 'a\0b'])
    assert.equal(readText(path(name)), undefined);
  assert.match(digestOf(path('large')) ?? '', /^[0-9a-f]{64}$/);
  assert.equal(digestOf(path('fifo')), undefined);
  assert.deepEqual([fileHolds(path('a'), 'ex'), fileHolds(path('a'), 'x!')], [true, false]);
  assert.deepEqual(listFolder(at)?.toSorted(), ['a', 'fifo', 'large']);
  assert.equal(listFolder(path('a')), undefined);
  assert.ok((readText('/proc/self/status') ?? '').includes('Pid:'));
});

test('a path itself, and what it leads to', (t) => {
  const at = folder(t);
  const path = (name: string): string => join(at, name);
  writeFileSync(path('a'), '');
  chmodSync(path('a'), 0o755);
  symlinkSync('a', path('link'));
  symlinkSync('loop', path('loop'));
  symlinkSync('/nowhere', path('dangling'));
  mkdirSync(path('b'));
  const link = lookAt(path('link'));
  assert.deepEqual(
    [link?.kind, link?.target, link?.resolved, link?.executable],
    ['link', 'a', path('a'), true],
  );
  assert.equal(link?.identity, lookAt(path('a'))?.identity);
  for (const name of ['loop', 'dangling']) {
    const odd = lookAt(path(name));
    assert.deepEqual([odd?.kind, odd?.resolved, odd?.executable], ['link', undefined, false]);
  }
  assert.deepEqual([lookAt(path('b'))?.kind, lookAt(path('b'))?.executable], ['folder', false]);
  assert.equal(lookAt(path('nothing')), undefined);
  assert.equal(lookAt('/dev/null')?.kind, 'other');
});

test('a socket is one that is listened at only while it is', async (t) => {
  const socket = await fakeDaemon(t, (_, response) => response.end());
  assert.ok(listeningPaths().has(socket));
  assert.equal(lookAt(socket)?.kind, 'socket');
  assert.ok(!listeningPaths().has(`${socket}2`));
});

test('this process is one of this namespace', () => {
  const own = processesHere().find(({ pid }) => pid === process.pid);
  assert.ok(own?.argv[0]?.endsWith('node'));
});

test('a program that is not there, fails, says too much, or is asked in vain', async () => {
  assert.deepEqual(await askProgram('no-such-program', []), {
    kind: 'failed',
    why: 'no-such-program is not installed',
  });
  assert.deepEqual(await askProgram('sh', ['-c', 'echo bad luck >&2; exit 3']), {
    kind: 'failed',
    why: 'sh: bad luck',
  });
  assert.equal((await askProgram('head', ['-c', '8M', '/dev/zero'])).kind, 'failed');
  assert.deepEqual(await askProgram('echo', ['x']), { kind: 'done', stdout: 'x\n' });
});

test('what nft lists: base chains at hook forward, and tables', () => {
  const chain = {
    family: 'ip',
    table: 'filter',
    name: 'FORWARD',
    type: 'filter',
    hook: 'forward',
    policy: 'drop',
  };
  const chains = [
    { metainfo: { version: '1.0.6' } },
    { chain },
    { chain: { ...chain, family: 'ip6' } },
    { chain: { ...chain, hook: 'input' } },
    { chain: { ...chain, type: 'nat' } },
    { chain: { family: 'inet', table: 't', name: 'plain' } },
    { chain: { ...chain, name: 7 } },
    { chain: { ...chain, family: 'inet', policy: undefined } },
  ];
  assert.deepEqual(
    forwardChainsOf(JSON.stringify({ nftables: chains })).map(({ family, policy }) => `${family} ${policy}`),
    ['ip drop', 'inet accept'],
  );
  const tables = [{ table: { family: 'inet', name: 'leasehold' } }, { table: 3 }, null];
  assert.deepEqual(tablesOf(JSON.stringify({ nftables: tables })), ['inet leasehold']);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.deepEqual(forwardChainsOf(text), []);
      assert.deepEqual(tablesOf(text), []);
    }),
  );
});
