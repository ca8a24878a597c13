import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { LeaseFiles, recordFileName } from '../../src/kernel/lease-files.ts';
import { LoopCalls } from '../../src/kernel/loop-calls.ts';
import { asRoot } from './support/sandbox.ts';

const MOST_SPARES = 256;
const MOST_BYTES = 256 * 1024;
const CHILD = join(import.meta.dirname, 'support', 'full-disk-child.ts');
const ONE = recordFileName('one');
const TWO = recordFileName('two');

/** A state folder that exists only for one test. */
class StateDir implements Disposable {
  readonly path = fs.mkdtempSync(join(tmpdir(), 'lh-files-'));

  record(name: string): string {
    return join(this.path, 'leases', name);
  }

  names(folder: string): readonly string[] {
    return fs.readdirSync(join(this.path, folder));
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.path, { recursive: true });
  }
}

/** A disk that keeps whoever writes to it waiting, or not. */
class Disk {
  waitMs = 0;
  now = 0;
  #waited = 0n;
  readonly calls = new LoopCalls({
    // Asked before and after each call that is made on the loop.
    now: () => (this.now += this.waitMs),
    switches: () => ({ waited: this.#waited++, preempted: 0n }),
  });
}

async function reopened(dir: StateDir): Promise<LeaseFiles> {
  return LeaseFiles.open(dir.path);
}

describe('records', () => {
  test('what was put is there after a restart, what was removed is not', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    await Promise.all([files.put(ONE, '{"a":1}'), files.put(TWO, 'é'), files.put('x.json', '')]);
    await files.remove('x.json');
    const expected = [
      { name: ONE, text: '{"a":1}' },
      { name: TWO, text: 'é' },
    ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(await files.load(), expected);
    assert.deepEqual(await (await reopened(dir)).load(), expected);
  });

  test('a new text takes the place of the old one', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    await files.put(ONE, 'a long text');
    await files.put(ONE, 'short');
    assert.deepEqual(await files.load(), [{ name: ONE, text: 'short' }]);
    assert.deepEqual(dir.names('leases'), [ONE]);
  });

  test('while the disk is busy threads write, in the order in which it was asked for', async () => {
    using dir = new StateDir();
    const disk = new Disk();
    const files = await LeaseFiles.open(dir.path, 'leases', 'spare', disk.calls);
    const isThere = (name: string): boolean => dir.names('leases').includes(name);
    const first = files.put(ONE, 'first');
    assert.ok(isThere(ONE), 'written on the loop');
    await first;
    disk.waitMs = 10;
    await files.put(ONE, 'waited');
    disk.waitMs = 0;

    const work = [
      files.put(TWO, 'a long text'),
      files.put(ONE, 'second'),
      files.put(TWO, 'short'),
      files.put('x.json', 'gone'),
      files.remove('x.json'),
      files.put('y.json', 'y'),
    ];
    assert.ok(!isThere(TWO), 'left to a thread');
    // Busy or not by now: it does not overtake what is under way.
    disk.now += 1e6;
    work.push(files.remove('y.json'), files.put(ONE, 'third'));
    await Promise.all(work);
    const expected = [
      { name: ONE, text: 'third' },
      { name: TWO, text: 'short' },
    ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(await files.load(), expected);

    const last = files.put('z.json', 'z');
    assert.ok(isThere('z.json'), 'on the loop again');
    await last;
  });

  test('what fails on a thread is told as on the loop, and nothing is left of it', async () => {
    using dir = new StateDir();
    const disk = new Disk();
    const files = await LeaseFiles.open(dir.path, 'leases', 'spare', disk.calls);
    await files.put(ONE, 'kept');
    disk.waitMs = 10;
    await files.put(ONE, 'kept');
    fs.rmSync(join(dir.path, 'leases'), { recursive: true });
    await assert.rejects(files.put(ONE, 'lost'), { name: 'SysError', code: 'ENOENT' });
    assert.deepEqual(dir.names('spare'), []);
  });

  test('removing what is not there does nothing', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    await files.remove(ONE);
    await files.put(ONE, 'x');
    await Promise.all([files.remove(ONE), files.remove(ONE)]);
    assert.deepEqual(await files.load(), []);
    await files.put(TWO, 'y');
    assert.deepEqual(await files.load(), [{ name: TWO, text: 'y' }]);
  });

  test('only the owner may read files and folders', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(join(dir.path, 'deep', 'state'));
    await files.put(ONE, 'x');
    const mode = (path: string): number => fs.statSync(join(dir.path, 'deep', 'state', path)).mode & 0o777;
    assert.equal(mode(`leases/${ONE}`), 0o600);
    for (const folder of ['.', 'leases', 'unreadable', 'spare']) assert.equal(mode(folder), 0o700, folder);
  });
});

describe('what is found at start', () => {
  test('a write that never ended is removed', async () => {
    using dir = new StateDir();
    await LeaseFiles.open(dir.path);
    fs.writeFileSync(dir.record('.1'), '{"half":');
    const files = await reopened(dir);
    assert.deepEqual(await files.load(), []);
    assert.deepEqual(dir.names('leases'), []);
    await files.put(ONE, 'x');
    assert.deepEqual(await files.load(), [{ name: ONE, text: 'x' }]);
  });

  test('what is no record is named, and can be moved aside', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    fs.writeFileSync(join(dir.path, 'secret'), 'not ours');
    fs.mkdirSync(dir.record('.folder'));
    fs.mkdirSync(dir.record('folder.json'));
    fs.symlinkSync(join(dir.path, 'secret'), dir.record('link.json'));
    fs.writeFileSync(dir.record('large.json'), '');
    fs.truncateSync(dir.record('large.json'), MOST_BYTES + 1);
    const found = await files.load();
    assert.deepEqual(found, [
      { name: '.folder', problem: 'is not a regular file' },
      { name: 'folder.json', problem: 'is not a regular file' },
      { name: 'large.json', problem: `is larger than ${MOST_BYTES} bytes` },
      { name: 'link.json', problem: 'is a symbolic link' },
    ]);
    for (const { name } of found) assert.ok(fs.existsSync(await files.moveAside(name)), name);
    assert.deepEqual(await files.load(), []);
    assert.equal(fs.readFileSync(join(dir.path, 'secret'), 'utf8'), 'not ours');
    await assert.rejects(files.moveAside(ONE), { name: 'SysError', op: `move ${ONE} aside`, code: 'ENOENT' });
  });
});

describe('spare files', () => {
  test('a removed record gives its file to the next one, without its old bytes', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    await files.put(ONE, 'x'.repeat(10_000));
    const { ino } = fs.statSync(dir.record(ONE));
    await files.remove(ONE);
    assert.deepEqual([dir.names('leases'), dir.names('spare').length], [[], 1]);
    await files.put(TWO, 'short');
    assert.equal(fs.statSync(dir.record(TWO)).ino, ino);
    assert.deepEqual(dir.names('spare'), []);
    assert.deepEqual(await files.load(), [{ name: TWO, text: 'short' }]);
  });

  test('they are no records, and gone after the next start', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    await files.put(ONE, 'x');
    await files.remove(ONE);
    assert.equal(dir.names('spare').length, 1);
    assert.deepEqual(await files.load(), []);
    const again = await reopened(dir);
    assert.deepEqual(dir.names('spare'), []);
    await again.put(ONE, 'y');
    assert.deepEqual(await again.load(), [{ name: ONE, text: 'y' }]);
  });

  test('there are never more than a bound, removed one by one or all at once', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    const names = Array.from({ length: MOST_SPARES + 50 }, (_, i) => recordFileName(`${i}`));
    const fill = (): Promise<unknown> => Promise.all(names.map((name) => files.put(name, 'x')));
    await fill();
    await Promise.all(names.map((name) => files.remove(name)));
    assert.deepEqual([dir.names('leases').length, dir.names('spare').length], [0, MOST_SPARES]);
    await fill();
    assert.deepEqual([dir.names('leases').length, dir.names('spare').length], [names.length, 0]);
    for (const name of names) await files.remove(name);
    assert.deepEqual([dir.names('leases').length, dir.names('spare').length], [0, MOST_SPARES]);
  });

  test('somebody who tidies them up, or their folder, stops nothing', async () => {
    using dir = new StateDir();
    const files = await LeaseFiles.open(dir.path);
    await Promise.all([files.put(ONE, 'x'), files.put(TWO, 'x')]);
    await files.remove(ONE);
    fs.rmSync(join(dir.path, 'spare'), { recursive: true });
    await files.put(ONE, 'y');
    await files.remove(TWO);
    assert.deepEqual(await files.load(), [{ name: ONE, text: 'y' }]);
  });
});

test('a disk that is full or read-only is named, and the old record stays', asRoot, async () => {
  using dir = new StateDir();
  const command = ['--mount', process.execPath, CHILD, dir.path];
  const { stdout } = await promisify(execFile)('unshare', command);
  assert.deepEqual(JSON.parse(stdout), {
    tells: ['writable', 'write /leases: EROFS'],
    full: ['write /leases/a.json: ENOSPC', 'write /leases/a.json: ENOSPC'],
    whenFull: { leases: ['a.json'], spares: 0, records: [{ name: 'a.json', text: 'old' }] },
    smaller: 'ok',
    readOnly: [
      'write /leases/a.json: EROFS',
      'remove a.json: EROFS',
      'move a.json aside: EROFS',
      'open /leases: EROFS',
    ],
    whenReadOnly: { leases: ['a.json'], spares: 1, records: [{ name: 'a.json', text: 'new' }] },
  });
  assert.deepEqual(fs.readdirSync(dir.path), []);
});

test('names are short, safe and different', () => {
  const keys = ['a', 'b', 'a/b', '../../etc/passwd', '', '\0', 'k'.repeat(5000)];
  const names = keys.map(recordFileName);
  for (const name of names) assert.match(name, /^[0-9a-f]{40}\.json$/);
  assert.equal(new Set(names).size, keys.length);
  assert.equal(recordFileName('a'), names[0]);
});
