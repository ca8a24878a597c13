import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { lockFile } from '../../src/kernel/file-lock.ts';

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
