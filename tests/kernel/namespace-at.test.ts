import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { namespaceAt } from '../../src/kernel/namespace-at.ts';
import { asRoot, Sandbox } from './support/sandbox.ts';

/** Above the highest possible process id (PID_MAX_LIMIT of linux/threads.h is 2^22). */
const NO_PROCESS = 2 ** 22 + 1;
const UNSHARED = /^net:\[(\d+)\]$/;

function inFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'lh-at-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a named namespace, and the same path when it is gone', asRoot, async () => {
  const sandbox = new Sandbox('at');
  let path = '';
  try {
    const netns = sandbox.namespace('a');
    path = sandbox.path('a');
    assert.deepEqual(namespaceAt(path), { kind: 'namespace', inode: netns.inode });
    execFileSync('umount', ['--lazy', path]);
    // As it is where the folder is shared with us but its mounts are not.
    assert.equal(namespaceAt(path).kind, 'unseen');
  } finally {
    await sandbox[Symbol.asyncDispose]();
  }
  assert.deepEqual(namespaceAt(path), { kind: 'gone' });
});

describe('a process’s own', () => {
  test('is seen, and gone with the process', () => {
    const inode = UNSHARED.exec(readlinkSync('/proc/self/ns/net'))?.[1];
    assert.deepEqual(namespaceAt(`/proc/${process.pid}/ns/net`), { kind: 'namespace', inode });
    assert.deepEqual(namespaceAt(`/proc/${NO_PROCESS}/ns/net`), { kind: 'gone' });
  });

  test('by a symbolic link, as scripts make them', () => {
    inFolder((folder) => {
      const [alive, dead] = [join(folder, 'alive'), join(folder, 'dead')];
      symlinkSync(`/proc/${process.pid}/ns/net`, alive);
      symlinkSync(`/proc/${NO_PROCESS}/ns/net`, dead);
      assert.equal(namespaceAt(alive).kind, 'namespace');
      assert.deepEqual(namespaceAt(dead), { kind: 'gone' });
    });
  });
});

test('what cannot be told is unseen, with the reason', () => {
  inFolder((folder) => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    symlinkSync(join(folder, 'missing', 'x'), join(folder, 'nowhere'));
    symlinkSync(join(folder, 'round'), join(folder, 'round'));
    mkdirSync(join(folder, 'folder'));
    const cases: readonly (readonly [path: string, why: RegExp])[] = [
      [file, /no namespace/],
      [join(folder, 'folder'), /no namespace/],
      [join(folder, 'missing', 'x'), /there is no folder/],
      [join(folder, 'nowhere'), /there is no folder/],
      [join(file, 'x'), /there is no folder/],
      [join(folder, 'round'), /ELOOP/],
      [join(folder, 'x'.repeat(300)), /ENAMETOOLONG/],
      ['run/netns/a', /not absolute/],
      ['', /not absolute/],
      ['/run/netns/a\0b', /not absolute/],
    ];
    for (const [path, why] of cases) {
      const at = namespaceAt(path);
      assert.ok(at.kind === 'unseen', `${path}: ${at.kind}`);
      assert.match(at.why, why);
    }
    assert.deepEqual(namespaceAt(join(folder, 'was-here')), { kind: 'gone' });
  });
});

test('a folder that may not be entered is unseen', asRoot, () => {
  inFolder((folder) => {
    const closed = join(folder, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const script = `
      import { namespaceAt } from ${JSON.stringify(join(import.meta.dirname, '../../src/kernel/namespace-at.ts'))};
      process.setgid(65534);
      process.setuid(65534);
      process.stdout.write(JSON.stringify(namespaceAt(process.argv[1])));
    `;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script, join(closed, 'x')]);
    assert.deepEqual(JSON.parse(out.toString()), { kind: 'unseen', why: 'EACCES' });
  });
});
