import type { Json } from '../base/json.ts';
import { visible } from '../base/outside-text.ts';

/** A text of an answer as a cell, made visible; what is no text is "-". */
export function cell(value: Json | undefined): string {
  return typeof value === 'string' ? visible(value) : '-';
}

/** Prints rows as columns, the first row as headings. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const columns = Math.max(0, ...rows.map(({ length }) => length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  for (const row of rows) {
    console.log(
      row
        .map((shown, column) => shown.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}
