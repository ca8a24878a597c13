import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ipv4, ipv4FromNumber, type Ipv4 } from '../../src/base/ipv4.ts';
import { PastAddresses } from '../../src/kernel/past-addresses.ts';
import { asRoot } from './support/sandbox.ts';

const MOST_CLIENTS = 4096;
const MOST_LINES = MOST_CLIENTS + 256;
const LONGEST_LINE = 57;
const NOBODY = 65_534;
const A = ipv4('192.168.2.40');
const B = ipv4('192.168.2.41');
const C = ipv4('10.255.255.255');

/** A state folder that exists only for one test. */
class StateDir implements Disposable {
  readonly path = fs.mkdtempSync(join(tmpdir(), 'lh-past-'));
  readonly folder = join(this.path, 'past');
  readonly file = join(this.folder, 'addresses');

  open(): Promise<PastAddresses> {
    return PastAddresses.open(this.path);
  }

  lines(): readonly string[] {
    return fs.readFileSync(this.file, 'utf8').split('\n').slice(0, -1);
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.path, { recursive: true });
  }
}

function numbered(n: number): Ipv4 {
  return ipv4FromNumber(0x0a00_0000 + n);
}

/** What `past` and the next run know of these clients. */
async function known(dir: StateDir, past: PastAddresses, ...clients: readonly string[]): Promise<unknown> {
  const here = clients.map((client) => past.get(client));
  const next = await dir.open();
  assert.deepEqual(
    clients.map((client) => next.get(client)),
    here,
  );
  return here;
}

describe('the addresses of clients that are gone', () => {
  test('nothing is written before there is one', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    assert.deepEqual([past.get('web'), past.dropped, fs.readdirSync(dir.folder)], [undefined, 0, []]);
  });

  test('are there after a restart; the last one of a client counts', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    await Promise.all([past.put('web', A), past.put('lan db\n\0', B), past.put('web', C)]);
    assert.deepEqual(await known(dir, past, 'web', 'lan db\n\0', 'no'), [C, B, undefined]);
    await (await dir.open()).put('web', B);
    assert.deepEqual(await known(dir, await dir.open(), 'web', 'lan db\n\0'), [B, B]);
  });

  test('are known at once, before they are on disk', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    const put = past.put('web', A);
    assert.equal(past.get('web'), A);
    await put;
  });

  test('only the owner may read them, and they do not say whose they were', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    await past.put('shop/web-0', A);
    await past.put('shop/web-1', B);
    assert.equal(fs.statSync(dir.folder).mode & 0o777, 0o700);
    assert.equal(fs.statSync(dir.file).mode & 0o777, 0o600);
    for (const line of dir.lines()) assert.match(line, /^[0-9a-f]{40} 192\.168\.2\.4[01]$/);
  });

  test('a bounded number: those that have been gone for longest are forgotten', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    for (let n = 0; n < MOST_CLIENTS; n++) await past.put(`c${n}`, numbered(n));
    await past.put('c0', A);
    await past.put('new', B);
    assert.equal(past.size, MOST_CLIENTS);
    assert.deepEqual(await known(dir, past, 'c0', 'c1', 'c2', 'new'), [A, undefined, numbered(2), B]);
  });

  test('a bounded file: lines that count no more go', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    let largest = 0;
    for (let n = 0; n < 2 * MOST_LINES; n++) {
      await past.put(n % 2 === 0 ? 'web' : 'db', numbered(n));
      largest = Math.max(largest, fs.statSync(dir.file).size);
    }
    assert.ok(largest <= MOST_LINES * LONGEST_LINE && largest > MOST_CLIENTS * 40, `${largest} bytes`);
    assert.deepEqual(await known(dir, past, 'web', 'db'), [
      numbered(2 * MOST_LINES - 2),
      numbered(2 * MOST_LINES - 1),
    ]);
    assert.deepEqual(fs.readdirSync(dir.folder), ['addresses']);
  });
});

describe('what is found at start', () => {
  test('lines that are none are dropped and counted; the file is whole again with the next one', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    await past.put('web', A);
    await past.put('db', B);
    const [web = '', db = ''] = dir.lines();
    const bad = [
      '',
      'x',
      `${web} `,
      db.toUpperCase(),
      `${'0'.repeat(40)} 300.1.1.1`,
      `${'0'.repeat(40)} 1.2.3`,
    ];
    fs.writeFileSync(dir.file, `${[web, ...bad, db].join('\n')}\n`);
    const next = await dir.open();
    assert.deepEqual([next.dropped, next.get('web'), next.get('db')], [bad.length, A, B]);
    await next.put('web', C);
    assert.equal((await dir.open()).dropped, 0);
    assert.deepEqual(await known(dir, next, 'web', 'db'), [C, B]);
  });

  test('a write that was cut off costs that line only, and does not spoil the next', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    for (const [client, address] of [
      ['web', A],
      ['db', C],
    ] as const)
      await past.put(client, address);
    fs.truncateSync(dir.file, fs.statSync(dir.file).size - 5);
    const next = await dir.open();
    // "10.255.255" is no address, and "10.255.255.2" is one, but not the one that was written.
    assert.deepEqual([next.dropped, next.get('web'), next.get('db')], [1, A, undefined]);
    await next.put('new', B);
    assert.deepEqual(await known(dir, next, 'web', 'db', 'new'), [A, undefined, B]);
  });

  test('a file that cannot be ours is dropped and counted', asRoot, async () => {
    for (const spoil of [
      (file: string) => fs.truncateSync(file, 300 * 1024),
      (file: string) => fs.chmodSync(file, 0o666),
      (file: string) => fs.chownSync(file, NOBODY, NOBODY),
      (file: string) => {
        fs.rmSync(file);
        fs.symlinkSync('/etc/passwd', file);
      },
      (file: string) => {
        fs.rmSync(file);
        fs.mkdirSync(join(file, 'deep'), { recursive: true });
      },
    ]) {
      using dir = new StateDir();
      await (await dir.open()).put('web', A);
      spoil(dir.file);
      const next = await dir.open();
      assert.deepEqual([next.dropped, next.get('web')], [1, undefined], String(spoil));
      await next.put('db', B);
      assert.deepEqual(await known(dir, next, 'web', 'db'), [undefined, B]);
    }
    assert.ok(fs.statSync('/etc/passwd').size > 0);
  });

  test("somebody else's folder is refused", asRoot, async () => {
    using dir = new StateDir();
    await dir.open();
    fs.chownSync(dir.folder, NOBODY, NOBODY);
    await assert.rejects(dir.open(), { code: 'EPERM', message: /past is owned by user 65534/ });
  });
});

describe('a write that fails', () => {
  test('is told, what is known stays known, and the next one writes all', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    await past.put('web', A);
    fs.rmSync(dir.folder, { recursive: true });
    fs.writeFileSync(dir.folder, 'in the way');
    await assert.rejects(past.put('db', B), { name: 'SysError', code: 'ENOTDIR' });
    await assert.rejects(past.put('db', C), { name: 'SysError', code: 'EEXIST' });
    assert.deepEqual([past.get('web'), past.get('db')], [A, C]);
    fs.rmSync(dir.folder);
    await past.put('new', B);
    assert.deepEqual(await known(dir, past, 'web', 'db', 'new'), [A, C, B]);
  });

  test('somebody tidied the file away: the next but one is whole again', async () => {
    using dir = new StateDir();
    const past = await dir.open();
    await past.put('web', A);
    fs.rmSync(dir.file);
    await assert.rejects(past.put('db', B), { name: 'SysError', code: 'ENOENT' });
    await past.put('new', C);
    assert.deepEqual(await known(dir, past, 'web', 'db', 'new'), [A, B, C]);
  });
});
