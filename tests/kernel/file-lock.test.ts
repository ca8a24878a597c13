import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, test } from 'node:test';
import { lockFile, lockFileForAll } from '../../src/kernel/file-lock.ts';
import { asRoot } from './support/sandbox.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lh-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('one holds it, the others learn that at once, and it can be held again', () => {
  const path = join(folder, 'lock');
  const first = lockFile(path);
  assert.ok(first.ok);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = lockFile(path);
  assert.ok(!second.ok);
  assert.equal(second.error.code, 'EWOULDBLOCK');
  first.value.release();
  first.value.release();
  const third = lockFile(path);
  assert.ok(third.ok);
  third.value.release();
});

test('a symbolic link is not followed, a missing folder is named', () => {
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'link'));
  const linked = lockFile(join(folder, 'link'));
  assert.ok(!linked.ok);
  assert.equal(linked.error.code, 'ELOOP');
  const lost = lockFile(join(folder, 'missing', 'lock'));
  assert.ok(!lost.ok);
  assert.equal(lost.error.code, 'ENOENT');
});

/** Locks the network namespace of a process of its own and says what came of it. */
const TAKE = `
  const { lockNetworkNamespace } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/kernel/file-lock.ts'))});
  const lock = lockNetworkNamespace();
  console.log(lock.ok ? 'ok' : lock.error.code + ' ' + lock.error.detail);
`;

/** In a namespace that goes with the shell: this file's own is shared with other programs. */
async function takenIn(shell: string): Promise<readonly string[]> {
  const command = [
    '--net',
    'sh',
    '-euc',
    shell,
    'sh',
    process.execPath,
    '--input-type=module',
    '--eval',
    TAKE,
  ];
  return (await promisify(execFile)('unshare', command)).stdout.trimEnd().split('\n');
}

test(
  'a network namespace has one holder, which is named; another namespace has its own',
  asRoot,
  async () => {
    assert.deepEqual(await takenIn('"$@"; "$@"'), ['ok', 'ok'], 'it is free when the process has ended');
    const [first, code = '', other] = await takenIn(
      'exec 9</proc/self/ns/net; flock -x 9; echo held; "$@" 9<&-; unshare --net "$@" 9<&-',
    );
    assert.deepEqual([first, other], ['held', 'ok']);
    // flock(1) took it, through a descriptor of the shell.
    assert.match(code, /^EWOULDBLOCK (process \d+ has it|undefined)$/);
  },
);

test('a lock that can be asked for without taking it has one holder as well', () => {
  const path = join(folder, 'lock');
  const first = lockFileForAll(path);
  assert.ok(first.ok);
  const second = lockFileForAll(path);
  assert.ok(!second.ok);
  assert.equal(second.error.code, 'EWOULDBLOCK');
  first.value.release();
  const third = lockFileForAll(path);
  assert.ok(third.ok);
  third.value.release();
});
