import { visible } from '../base/outside-text.ts';
import type { Matrix } from './ping.ts';
import { PLAIN, type Style } from './style.ts';

const GAP = '  ';

export type Column = { readonly title: string; readonly align?: 'left' | 'right' };

/** A cell's text, and how it is painted once its width is settled. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string };

function textOf(cell: Cell | undefined): string {
  return visible(typeof cell === 'string' ? cell : (cell?.text ?? ''));
}

/** Columns as wide as their widest cell, two spaces between them, no trailing blanks, a newline at the end. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  style: Style = PLAIN,
): string {
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...rows.map((row) => textOf(row[at]).length)),
  );
  const line = (cells: readonly Cell[]): string => {
    const padded = columns.map((column, at) => {
      const cell = cells[at];
      const text = textOf(cell);
      const width = widths[at] ?? 0;
      const last = at === columns.length - 1 && column.align !== 'right';
      const blanks = ' '.repeat(last ? 0 : Math.max(0, width - text.length));
      const painted = typeof cell === 'object' ? cell.paint(text) : text;
      return column.align === 'right' ? blanks + painted : painted + blanks;
    });
    return padded.join(GAP).trimEnd();
  };
  const head = line(columns.map(({ title }) => ({ text: title, paint: style.bold })));
  return `${[head, ...rows.map(line)].join('\n')}\n`;
}

/**
 * Who reaches whom: rows are those who ask, columns those who are asked. `expected` says for each pair whether an answer
 * is wanted; "yes" and "no" are words and not signs, so that they survive logs and screen readers.
 */
export function renderMatrix(
  asked: { readonly rows: readonly string[]; readonly columns: readonly string[]; readonly matrix: Matrix },
  expected: (from: string, to: string) => boolean,
  style: Style = PLAIN,
): string {
  const columns = [{ title: 'from \\ to' }, ...asked.columns.map((title) => ({ title }))];
  const rows = asked.rows.map((from, row) => [
    from,
    ...asked.columns.map((to, column): Cell => {
      const answered = asked.matrix[row]?.[column];
      if (answered === undefined) return { text: '-', paint: style.dim };
      if (answered) return { text: 'yes', paint: style.good };
      return { text: 'no', paint: expected(from, to) ? style.bad : style.warn };
    }),
  ]);
  return renderTable(columns, rows, style);
}
