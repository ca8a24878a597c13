import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readResultCache } from '../../src/kernel/result-cache.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const NOBODY = 65_534;

test(
  'of a runtime’s cache is read what no other user could have written',
  { skip: NEEDS_ROOT },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), `lh-cache-${process.pid}-`));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const name of ['good', 'foreign', 'open']) writeFileSync(join(folder, name), name, { mode: 0o600 });
    chownSync(join(folder, 'foreign'), NOBODY, NOBODY);
    chmodSync(join(folder, 'open'), 0o606);
    symlinkSync('good', join(folder, 'link'));
    const read = await readResultCache(folder);
    assert.deepEqual(
      Object.fromEntries(
        read.map((file) => [file.name.slice(folder.length + 1), 'text' in file ? file.text : file.problem]),
      ),
      {
        good: 'good',
        foreign: 'is owned by user 65534 (nobody), not by 0',
        open: 'can be written by others (mode 0606)',
        link: `ELOOP: too many symbolic links encountered, open '${join(folder, 'link')}'`,
      },
    );
    assert.deepEqual(await readResultCache(join(folder, 'nowhere')), []);
  },
);
