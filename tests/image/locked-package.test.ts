import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockedPackage } from '../../scripts/image/locked-package.ts';
import { ROOT } from '../support/leasehold.ts';

// A small package without dependencies, which the build has fetched already.
const NAME = 'atomic-sleep';

test('a package whose bytes are not those of the lock file is refused, and nothing of it stays', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'leasehold-locked-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(ROOT, '.npmrc'), join(folder, '.npmrc'));
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  writeFileSync(join(folder, 'package-lock.json'), lock);
  const cache = join(folder, 'cache');
  const { folder: unpacked, version } = lockedPackage(folder, NAME, join(folder, 'good'));
  assert.match(readFileSync(join(unpacked, 'package.json'), 'utf8'), new RegExp(`"version": "${version}"`));

  const entry = new RegExp(`("node_modules/${NAME}": [{][^}]*"integrity": "sha512-)...`);
  const forged = lock.replace(entry, '$1AAA');
  assert.notEqual(forged, lock);
  writeFileSync(join(folder, 'package-lock.json'), forged);
  assert.throws(
    () => lockedPackage(folder, NAME, cache),
    /atomic-sleep@.* has the hash sha512-.* says sha512-AAA/,
  );
  assert.deepEqual(readdirSync(cache), []);
});
