import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';

const PAGE = join(ROOT, 'docs', 'limits.md');
const FOLDERS = ['src', 'relay', 'tests'];
const FILE = /[a-z0-9-]+(?:\/[a-z0-9-]+)*(?:\.test)?\.(?:ts|c)\b/g;
/** `DELEGATE_*` stands for several. */
const CONSTANT = /`([A-Z][A-Z0-9_]+)(\*?)`/g;

type Bound = {
  readonly what: string;
  readonly constants: readonly RegExp[];
  readonly files: readonly string[];
};

/** The rows whose last cell names constants. */
function bounds(): readonly Bound[] {
  return readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((line) => {
      const cells = line.split(' | ');
      const last = cells.at(-1) ?? '';
      const constants = [...last.matchAll(CONSTANT)].map(
        ([, name = '', more]) => new RegExp(`\\bconst ${name}${more === '*' ? '' : '\\b'}`),
      );
      const files = [...last.matchAll(FILE)].map(([file]) => file);
      return constants.length + files.length === 0 ? [] : [{ what: cells[0] ?? '', constants, files }];
    });
}

test('each constant of docs/limits.md is in a file that its row names, and each of these is there', () => {
  const paths = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  );
  const wrong: string[] = [];
  const rows = bounds();
  assert.ok(rows.length > 0);
  for (const { what, constants, files } of rows) {
    const named = files.map((file) => paths.filter((path) => path === file || path.endsWith(`/${file}`)));
    files.forEach((file, at) => {
      if (named[at]?.length === 0) wrong.push(`${what}: there is no ${file}`);
    });
    const text = named.flat().map((path) => readFileSync(join(ROOT, path), 'utf8'));
    for (const constant of constants) {
      if (!text.some((one) => constant.test(one)))
        wrong.push(`${what}: no ${constant.source} in ${files.join()}`);
    }
  }
  assert.deepEqual(wrong, []);
});
