import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../../support/leasehold.ts';

const FOLDER = join(ROOT, 'tests', 'faults');
const ROW = /^\| `([a-z0-9-]+)`\s*\|/gm;
/** A test that is named by a row: `test('server-down-through-t1: ...'`. */
const NAMED_TEST = /\btest\(\s*['`]([a-z0-9-]+): /g;

function firstGroups(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** The names of the rows of docs/faults.md, in their order. */
export async function faultRows(): Promise<readonly string[]> {
  return firstGroups(await readFile(join(ROOT, 'docs', 'faults.md'), 'utf8'), ROW);
}

/** What stands before the colon in the names of the tests in tests/faults. */
export async function testedFaults(): Promise<readonly string[]> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.test.ts'));
  const texts = await Promise.all(files.map(async (name) => await readFile(join(FOLDER, name), 'utf8')));
  return texts.flatMap((text) => firstGroups(text, NAMED_TEST));
}
