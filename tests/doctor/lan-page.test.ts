import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '..', '..');
const SECTION = /^## What the LAN says\n([^]*?)^## /m;

test('docs/doctor.md has a row for every finding about the LAN, and none for others', () => {
  const folder = join(ROOT, 'src', 'doctor');
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const texts = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  const made = new Set(texts.flatMap((text) => [...text.matchAll(/\bid: '([a-z-]+)'/g)].map((m) => m[1])));
  assert.ok(made.size > 10);
  const page = `${readFileSync(join(ROOT, 'docs', 'doctor.md'), 'utf8')}\n## `;
  const section = SECTION.exec(page)?.[1] ?? '';
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map((m) => m[1]);
  assert.equal(new Set(rows).size, rows.length, 'no row twice');
  assert.deepEqual(new Set(rows), made);
});
