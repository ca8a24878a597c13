import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../support/leasehold.ts';

/** The ids that the code of a folder of src/doctor can give: every text that stands behind `id:`. */
function idsIn(folder: string): readonly string[] {
  const path = join(ROOT, 'src', 'doctor', folder);
  const texts = readdirSync(path).map((name) => readFileSync(join(path, name), 'utf8'));
  const ids = texts.flatMap((text) => [...text.matchAll(/^\s+id: ([^\n]*),$/gm)]);
  const all = ids.flatMap((match) => [...(match[1] ?? '').matchAll(/'([a-z0-9-]+)'/g)]);
  return [...new Set(all.map((match) => match[1] ?? ''))].toSorted();
}

/** The first cells of the table of findings in one section. */
function idsOn(page: string, section: string): readonly string[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
  const part = text.split(/^## /m).find((one) => one.startsWith(`${section}\n`)) ?? '';
  return [...part.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map((match) => match[1] ?? '').toSorted();
}

for (const [folder, page, section] of [
  ['local', 'doctor.md', 'What the node says'],
  ['conflist', 'conflist.md', 'Findings'],
] as const) {
  test(`docs/${page} has exactly the findings of doctor/${folder}`, () => {
    const ids = idsIn(folder);
    assert.ok(ids.length > 20);
    assert.deepEqual(idsOn(page, section), ids);
  });
}
