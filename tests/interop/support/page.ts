import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../src/lab/process.ts';
import { ROOT } from '../../support/leasehold.ts';

const PAGE = join(ROOT, 'docs', 'interop.md');
/** Set by `make interop`: what is observed is written instead of compared. */
const WRITES = process.env['INTEROP_WRITE'] === '1';
const VERSION_ROW = 'version';
/** Of a table: what stands between two of its bars; a bar in a cell is escaped. */
const CELL_END = /(?<!\\)\|/;

/** A program, and Debian's package that it comes from; undefined: none. */
export type Column = { readonly name: string; readonly pack: string | undefined };

/** `cells`: in the order of the columns. */
export type Row = { readonly title: string; readonly cells: readonly string[] };

export type Matrix = { readonly columns: readonly Column[]; readonly rows: readonly Row[] };

/** A column of the page or of a run: title of the row to what is in it. */
type Words = ReadonlyMap<string, string>;

/** "2:2.90-4~deb12u1" is 2.90: what its own project calls it. */
function upstream(version: string): string {
  return version.replace(/^\d+:/, '').replace(/-[^-]*$/, '');
}

async function versionOf({ pack }: Column): Promise<string> {
  if (pack === undefined) return '';
  return upstream((await run(['dpkg-query', '-W', '-f', '${Version}', pack])).trim());
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function tableOf(matrix: Matrix, versions: readonly string[]): string {
  const names = matrix.columns.map(({ name }) => name);
  return [
    line(['', ...names]),
    `|${'---|'.repeat(names.length + 1)}`,
    line([VERSION_ROW, ...versions]),
    ...matrix.rows.map(({ title, cells }) => line([title, ...cells])),
  ].join('\n');
}

function cellsOf(row: string): readonly string[] {
  return row
    .split(CELL_END)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The columns of a table by their names. */
function columnsOf(table: string): ReadonlyMap<string, Words> {
  const [head = '', , ...lines] = table.trim().split('\n');
  const rows = lines.map(cellsOf);
  return new Map(
    cellsOf(head)
      .slice(1)
      .map((name, at) => [name, new Map(rows.map((cells) => [cells[0] ?? '', cells[at + 1] ?? '']))]),
  );
}

type Section = { readonly before: string; readonly table: string; readonly after: string };

/** What stands between `<!-- servers -->` and `<!-- /servers -->`. */
function sectionOf(page: string, name: string): Section {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  assert.ok(from >= 0 && to > from, `docs/interop.md has no section ${name}`);
  const start = from + begin.length;
  return { before: page.slice(0, start), table: page.slice(start, to), after: page.slice(to) };
}

function differences(seen: Words, page: Words): readonly string[] {
  return [...new Set([...page.keys(), ...seen.keys()])]
    .filter((title) => title !== VERSION_ROW && page.get(title) !== seen.get(title))
    .map(
      (title) =>
        `${title}: "${seen.get(title) ?? 'no such row'}", on the page "${page.get(title) ?? 'no such row'}"`,
    );
}

export type Verdict = {
  /** Columns of the version that the page has, in which it says something else. */
  readonly wrong: readonly string[];
  /** Of columns of another version: that it is one, and what is different. */
  readonly told: readonly string[];
};

/** A table as it was observed beside that of the page. */
export function judge(observed: string, onPage: string): Verdict {
  const [seen, said] = [columnsOf(observed), columnsOf(onPage)];
  assert.deepEqual([...seen.keys()], [...said.keys()], 'the columns of docs/interop.md');
  const [wrong, told]: [string[], string[]] = [[], []];
  for (const [column, words] of seen) {
    const page = said.get(column) ?? new Map<string, string>();
    const found = differences(words, page).map((difference) => `${column}, ${difference}`);
    const [here, there] = [words.get(VERSION_ROW), page.get(VERSION_ROW)];
    if (here === there) wrong.push(...found);
    else told.push(`${column} is ${here} here and ${there} on the page`, ...found);
  }
  return { wrong, told };
}

/**
 * Compares what was observed with a section of docs/interop.md, or writes it there for `make interop`. What is different
 * in the column of a program of another version than the page's is no failure: it is told to `tell`.
 */
export async function comparePage(
  name: string,
  matrix: Matrix,
  tell: (difference: string) => void,
): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const section = sectionOf(page, name);
  const table = tableOf(matrix, await Promise.all(matrix.columns.map(versionOf)));
  if (WRITES) {
    await writeFile(PAGE, `${section.before}${table}\n${section.after}`);
    return;
  }
  const { wrong, told } = judge(table, section.table);
  for (const difference of told) tell(difference);
  assert.deepEqual(wrong, [], 'docs/interop.md says something else; `make interop` writes what is so now');
}
