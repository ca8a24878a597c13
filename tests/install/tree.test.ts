import assert from 'node:assert/strict';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { listTree } from '../../src/install/tree.ts';
import { temporaryFolder } from './support/folder.ts';

const EARLIER = new Date(1_700_000_000_000);
const LATER = new Date(1_700_000_000_500);

/** A checkout of a few bytes that was built after its sources were written. */
function checkout(t: TestContext): string {
  const root = temporaryFolder(t);
  const paths = [
    'package.json',
    'package-lock.json',
    'bin/leasehold',
    'src/main.ts',
    'src/wire/arp.ts',
    'tests/x.test.ts',
    'dist/app/leasehold.mjs',
    'dist/app/leasehold.mjs.map',
    'dist/app/koffi.node',
    'dist/app/THIRD-PARTY.md',
    'dist/app/third-party/koffi/LICENSE',
    'dist/cni/leasehold',
    'dist/cni/loopback',
    'dist/compile-cache/v26/0',
    'node_modules/node/bin/node',
    'node_modules/koffi/index.js',
  ];
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
    utimesSync(join(root, path), EARLIER, path.startsWith('dist/app/') ? LATER : EARLIER);
  }
  return root;
}

suite('what of a checkout is installed', () => {
  test('is the program as one file with what it needs, without sources and packages', (t) => {
    assert.deepEqual(
      listTree(checkout(t)).map(({ path, executable }) => [path, executable]),
      [
        ['THIRD-PARTY.md', false],
        ['app/koffi.node', false],
        ['app/leasehold.mjs', false],
        ['app/leasehold.mjs.map', false],
        ['app/third-party/koffi/LICENSE', false],
        ['bin/leasehold', true],
        ['dist/cni/leasehold', true],
        ['dist/cni/loopback', true],
        ['node_modules/node/bin/node', true],
        ['package.json', false],
      ],
    );
  });

  test('is never older than the sources beside it', (t) => {
    const root = checkout(t);
    utimesSync(join(root, 'src/wire/arp.ts'), EARLIER, new Date(LATER.getTime() + 1));
    assert.throws(() => listTree(root), /src\/wire\/arp\.ts is newer than dist\/app: run 'make build' there/);
  });

  test('is not there before it is built', (t) => {
    const root = checkout(t);
    rmSync(join(root, 'dist/app'), { recursive: true });
    assert.throws(() => listTree(root), /app\/leasehold\.mjs is missing: run 'make build' there/);
  });
});
