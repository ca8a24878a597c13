import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';

const FOLDER = join(ROOT, 'tests', 'story');
/** A row of docs/story.md: its name, what happens today, the file of the test, what is done. */
const ROW = /^\| `([a-z-]+)` \|[^|]+\| `tests\/story\/([a-z0-9-]+\.test\.ts)` \|[^|]+\|$/gm;
/** `test('host-access: ...'`, also with a template. */
const NAMED_TEST = /\btest\(\s*['`]([a-z-]+): /g;

function groups(text: string, pattern: RegExp): readonly (readonly string[])[] {
  return [...text.matchAll(pattern)].map((match) => match.slice(1));
}

test('every row of docs/story.md has its tests where it says, and every test of the story has its row', async () => {
  const rows = groups(await readFile(join(ROOT, 'docs', 'story.md'), 'utf8'), ROW);
  const files = (await readdir(FOLDER)).filter(
    (name) => name.endsWith('.test.ts') && name !== 'page.test.ts',
  );
  const tested = new Set<string>();
  for (const file of files) {
    const names = groups(await readFile(join(FOLDER, file), 'utf8'), NAMED_TEST);
    assert.ok(names.length > 0, file);
    for (const [name] of names) tested.add(`${name} in ${file}`);
  }
  assert.deepEqual(rows.map(([name, file]) => `${name} in ${file}`).toSorted(), [...tested].toSorted());
});
