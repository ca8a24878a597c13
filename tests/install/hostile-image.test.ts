import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import type { JsonObject } from '../../src/base/json.ts';
import { beneath, pathProblem } from '../../src/install/beneath.ts';
import { fileFingerprint } from '../../src/install/fingerprint.ts';
import { temporaryFolder } from './support/folder.ts';
import { FolderHost } from './support/host.ts';
import { snapshot } from './support/snapshot.ts';

// `install --root` and `uninstall --root` on an image that somebody hostile has made. Nothing outside of it may change.

const SECRET = 'of the machine that works on the image';

/** An image, and beside it a folder that stands for the machine: what a path out of the image can lead to. */
class HostileImage {
  readonly host: FolderHost;
  readonly machine: string;

  constructor(t: TestContext) {
    this.host = new FolderHost(t);
    this.machine = join(dirname(this.host.root), 'machine');
    mkdirSync(join(this.machine, 'empty'), { recursive: true });
    writeFileSync(join(this.machine, 'file'), SECRET);
    mkdirSync(this.host.path('/var/lib/leasehold'), { recursive: true, mode: 0o700 });
  }

  manifest(entries: readonly JsonObject[], phase = 'installed'): void {
    const text = JSON.stringify({ version: 1, phase, entries });
    writeFileSync(this.host.path('/var/lib/leasehold/install.json'), text);
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(this.host.path(path)), { recursive: true });
    symlinkSync(target, this.host.path(path));
  }

  /** Everything that is not the image. */
  outside(): readonly string[] {
    return snapshot(this.machine, ['/']);
  }
}

function item(path: string, kept: string | null = null): JsonObject {
  return { kind: 'item', path, ours: [fileFingerprint(SECRET)], kept };
}

const KINDS = [
  (path: string): JsonObject => ({ kind: 'tree', path }),
  (path: string): JsonObject => ({ kind: 'folder', path }),
  (path: string): JsonObject => item(path),
];

describe('a path out of the image', () => {
  test('in the manifest: uninstall and install refuse it by its name, and nothing changes', async (t) => {
    const paths = [
      '/../machine/file',
      '/../machine',
      '/opt/cni/../../../machine',
      '/opt/cni/bin/..',
      '/..',
      '/',
      '//machine',
      '/opt/./cni',
      '/opt/cni/',
      'opt/cni',
      '',
      '/opt/\0/x',
      // By links: absolute, up, up in two steps, by a link to a link, round and round.
      '/absolute/file',
      '/up/file',
      '/opt/step/up/file',
      '/chain/file',
      '/loop/file',
    ];
    for (const entryOf of KINDS) {
      for (const path of paths) {
        const image = new HostileImage(t);
        image.link('/absolute', image.machine);
        image.link('/up', '../machine');
        image.link('/opt/step', '..');
        image.link('/chain', 'chain2');
        image.link('/chain2', './up');
        image.link('/loop', 'loop');
        image.manifest([entryOf('/opt/cni/bin/leasehold'), entryOf(path)]);
        const before = image.outside();
        const inside = snapshot(image.host.root, ['/']);
        const refusal = /install\.json: entries\[1\]: /;
        await assert.rejects(image.host.uninstall(), (error: Error) => {
          assert.match(error.message, refusal, path);
          assert.ok(error.message.includes(path), `the path itself is in: ${error.message}`);
          return true;
        });
        await assert.rejects(image.host.install(), refusal, path);
        assert.deepEqual(image.outside(), before, path);
        assert.deepEqual(snapshot(image.host.root, ['/']), inside, path);
      }
    }
  });

  test('in what is kept: a file of another name than the one beside the item is never moved', async (t) => {
    const kept = [
      '/../machine/file',
      '/etc/passwd',
      '/opt/cni/bin/.other.before-leasehold',
      '/absolute/file',
    ];
    for (const path of kept) {
      const image = new HostileImage(t);
      image.link('/absolute', image.machine);
      image.manifest([item('/opt/cni/bin/dhcp', path)]);
      const before = image.outside();
      await assert.rejects(image.host.uninstall(), /entries\[0\]: cannot be understood/);
      assert.deepEqual(image.outside(), before);
    }
  });

  test('that is made while uninstall runs: what it puts back is a link that the next entry goes through', async (t) => {
    const image = new HostileImage(t);
    // Undone from the last to the first: the second entry becomes a link out, the first goes through it.
    image.link('/opt/.way.before-leasehold', image.machine);
    image.manifest([
      { kind: 'tree', path: '/opt/way/empty' },
      item('/opt/way', '/opt/.way.before-leasehold'),
    ]);
    const before = image.outside();
    await assert.rejects(
      image.host.uninstall(),
      /opt\/way\/empty: a link leads from it out of .*, to .*machine/,
    );
    assert.deepEqual(image.outside(), before);
  });

  test('given to install as a folder, or met in one of its folders', async (t) => {
    const image = new HostileImage(t);
    image.link('/absolute', image.machine);
    image.link('/up', '../machine');
    for (const cniBin of ['/absolute', '/absolute/empty', '/up', '/up/new'])
      assert.throws(() => image.host.plan({ cniBin }), /--cni-bin \/(absolute|up).*: a link .*out of/);
    image.link('/etc/cni/net.d/10-other.conf', join(image.machine, 'file'));
    image.link('/opt/cni/bin/leasehold', join(image.machine, 'file'));
    const before = image.outside();
    const { said } = await image.host.install({ replace: true });
    assert.deepEqual(image.outside(), before, 'a link in the way is replaced, and not written through');
    assert.ok(
      said.some((line) => /10-other\.conf \(a link leads from it out of/.test(line)),
      said.join('\n'),
    );
    await image.host.uninstall();
    assert.deepEqual(image.outside(), before);
  });

  test('in the program that is there: it is not read, and written anew', async (t) => {
    const image = new HostileImage(t);
    await image.host.install();
    const { path } = image.host.plan().tree;
    // The same content, but not in the image.
    const page = join(path, 'package.json');
    const elsewhere = join(image.machine, 'package.json');
    copyFileSync(page, elsewhere);
    rmSync(page);
    symlinkSync(elsewhere, page);
    assert.ok(image.host.describe().includes(`copy the program to ${path}`));
    const before = image.outside();
    await image.host.install();
    assert.ok(lstatSync(page).isFile());
    assert.deepEqual(image.outside(), before);
  });
});

test('a link that stays in the image is followed: /opt is another folder there', async (t) => {
  const image = new HostileImage(t);
  image.link('/srv/plugins', '../data/./plugins');
  mkdirSync(image.host.path('/data/plugins'), { recursive: true });
  const before = snapshot(image.host.root, ['/']);
  await image.host.install({ cniBin: '/srv/plugins' });
  assert.ok(existsSync(image.host.path('/data/plugins/leasehold')));
  await image.host.uninstall();
  assert.deepEqual(snapshot(image.host.root, ['/']), before);
  // As a manifest of an earlier release, or of before the link, has it.
  writeFileSync(image.host.path('/data/plugins/dhcp'), SECRET);
  image.manifest([item('/srv/plugins/dhcp')]);
  await image.host.uninstall();
  assert.ok(!existsSync(image.host.path('/data/plugins/dhcp')));
});

test('whatever a path and the links of an image are, the place is beneath the root and free of links', (t) => {
  const root = temporaryFolder(t);
  const names = ['a', 'b', 'c'];
  const part = fc.constantFrom(...names, '..', '.', '');
  const target = fc
    .tuple(fc.boolean(), fc.array(part, { maxLength: 5 }))
    .map(([up, parts]) => (up ? '/' : '') + parts.join('/'));
  let run = 0;
  fc.assert(
    fc.property(
      fc.array(target, { minLength: 3, maxLength: 3 }),
      fc.array(part, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('followed' as const, 'as it is' as const),
      (targets, parts, last) => {
        const base = join(root, String(run++), 'image');
        mkdirSync(join(base, 'c'), { recursive: true });
        for (const [at, to] of targets.entries()) {
          const from = join(base, ['a', 'b', 'c/a'][at] ?? 'x');
          if (to !== '') symlinkSync(to, from);
        }
        const path = `/${parts.join('/')}`;
        const found = beneath(base, path, last);
        if (!found.ok) return;
        assert.equal(pathProblem(path), undefined);
        assert.ok(found.value === base || found.value.startsWith(`${base}/`));
        // The kernel's own walk of what is there comes to the same folder.
        const folder = last === 'followed' ? found.value : dirname(found.value);
        if (existsSync(folder)) assert.equal(realpathSync(folder), folder);
      },
    ),
    { numRuns: 300 },
  );
});
