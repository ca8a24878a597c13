import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LeaseFiles, recordFileName } from '../../src/kernel/lease-files.ts';
import { asRoot } from './support/sandbox.ts';

const MOST_ASIDE = 100;
const NOBODY = 65_534;
const ONE = recordFileName('one');

/** A state folder that exists only for one test. */
class StateDir implements Disposable {
  readonly path = fs.mkdtempSync(join(tmpdir(), 'lh-trust-'));

  in(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  mode(name: string): number {
    return fs.statSync(this.in(name)).mode & 0o777;
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.path, { recursive: true });
  }
}

describe('what others may write is not believed', () => {
  test('records', asRoot, async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    for (const name of ['group', 'world', 'foreign', 'mine']) await files.put(`${name}.json`, '{}');
    fs.chmodSync(dir.in('leases', 'group.json'), 0o660);
    fs.chmodSync(dir.in('leases', 'world.json'), 0o602);
    fs.chownSync(dir.in('leases', 'foreign.json'), NOBODY, NOBODY);
    execFileSync('mkfifo', ['-m', '600', dir.in('leases', 'pipe.json')]);
    assert.deepEqual(await files.load(), [
      { name: 'foreign.json', problem: `is owned by user ${NOBODY} (nobody), not by 0` },
      { name: 'group.json', problem: 'can be written by others (mode 0660)' },
      { name: 'mine.json', text: '{}' },
      { name: 'pipe.json', problem: 'is not a regular file' },
      { name: 'world.json', problem: 'can be written by others (mode 0602)' },
    ]);
  });

  test('the state folder, and the folders of somebody else', asRoot, async () => {
    for (const [name, spoil, message] of [
      ['.', (path: string) => fs.chmodSync(path, 0o775), /EPERM .*lh-trust-\w+ can be written by others/],
      ['.', (path: string) => fs.chownSync(path, NOBODY, NOBODY), /EPERM .*is owned by user 65534/],
      ['leases', (path: string) => fs.chownSync(path, NOBODY, NOBODY), /EPERM .*leases is owned by user/],
    ] as const) {
      using dir = new StateDir();
      await LeaseFiles.open(dir.path);
      spoil(dir.in(name));
      await assert.rejects(LeaseFiles.open(dir.path), { name: 'SysError', code: 'EPERM', message });
    }
  });

  test('our own folders are shut again; a folder like /tmp may be around them', async () => {
    using dir = new StateDir();
    await LeaseFiles.open(dir.path);
    fs.chmodSync(dir.path, 0o1777);
    for (const name of ['leases', 'unreadable']) fs.chmodSync(dir.in(name), 0o777);
    await LeaseFiles.open(dir.path);
    for (const name of ['leases', 'unreadable', 'spare']) assert.equal(dir.mode(name), 0o700, name);
  });
});

describe('what was moved aside', () => {
  test('is kept a hundred times, and the oldest go, whatever they are', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    fs.mkdirSync(dir.in('leases', 'a.json'));
    fs.writeFileSync(dir.in('leases', 'a.json', 'inside'), '');
    await files.moveAside('a.json');
    const names = Array.from({ length: MOST_ASIDE + 5 }, (_, i) => `b${i}.json`);
    for (const name of names) await files.put(name, name);
    await Promise.all(names.map((name) => files.moveAside(name)));
    const kept = fs.readdirSync(dir.in('unreadable'));
    assert.deepEqual(kept.toSorted(), names.slice(-MOST_ASIDE).toSorted());
    // The next run goes on counting, by the time of the move.
    const again = await LeaseFiles.open(dir.path);
    await again.put(ONE, 'x');
    await again.moveAside(ONE);
    assert.equal(fs.readdirSync(dir.in('unreadable')).length, MOST_ASIDE);
    assert.ok(fs.existsSync(dir.in('unreadable', ONE)));
  });

  test('is not overwritten by the next of its name', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    const places: string[] = [];
    for (const text of ['first', 'second', 'third']) {
      await files.put(ONE, text);
      places.push(await files.moveAside(ONE));
    }
    assert.deepEqual(
      places.map((place) => fs.readFileSync(place, 'utf8')),
      ['first', 'second', 'third'],
    );
  });
});

describe('writable', () => {
  test('tells nothing when all is well, and leaves nothing behind', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    assert.deepEqual(await Promise.all([files.writable(), files.writable()]), [undefined, undefined]);
    assert.deepEqual(fs.readdirSync(dir.in('leases')), []);
  });

  test('names what is wrong', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    fs.rmSync(dir.in('leases'), { recursive: true });
    const error = await files.writable();
    assert.deepEqual(
      [error?.name, error?.code, error?.op],
      ['SysError', 'ENOENT', `write ${dir.in('leases')}`],
    );
  });
});

test('many records are read, in order, while others get their turn', async () => {
  using dir = new StateDir();
  const files = await LeaseFiles.open(dir.path);
  const names = Array.from({ length: 2000 }, (_, i) => recordFileName(`${i}`)).toSorted();
  for (const name of names) await files.put(name, name);
  let turns = 0;
  let reading = true;
  const count = (): void => {
    turns++;
    if (reading) setImmediate(count);
  };
  setImmediate(count);
  const found = await files.load();
  reading = false;
  assert.deepEqual(
    found,
    names.map((name) => ({ name, text: name })),
  );
  assert.ok(turns > 1);
});
