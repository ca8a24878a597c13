import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, tableOf, type Row } from './support/page.ts';

const COLUMNS = [
  { name: 'one', pack: 'one' },
  { name: 'other', pack: 'other' },
] as const;
const ROWS: readonly Row[] = [
  { title: 'renewal', cells: ['ACK', 'ACK'] },
  { title: 'RELEASE', cells: ['gone', 'kept'] },
];

function table(rows: readonly Row[], ...versions: readonly string[]): string {
  return tableOf({ columns: COLUMNS, rows }, versions);
}

const PAGE = table(ROWS, '1.0', '2.0');

test('the same table is right', () => {
  assert.deepEqual(judge(PAGE, PAGE), { wrong: [], told: [] });
});

test('another cell, a row too many and a row too few are wrong', () => {
  const rows = [
    { title: 'renewal', cells: ['NAK', 'ACK'] },
    { title: 'rebinding', cells: ['ACK', 'ACK'] },
  ];
  assert.deepEqual(judge(table(rows, '1.0', '2.0'), PAGE), {
    wrong: [
      'one, renewal: "NAK", on the page "ACK"',
      'one, RELEASE: "no such row", on the page "gone"',
      'one, rebinding: "ACK", on the page "no such row"',
      'other, RELEASE: "no such row", on the page "kept"',
      'other, rebinding: "ACK", on the page "no such row"',
    ],
    told: [],
  });
});

test('what another version does is told, and the other columns are judged all the same', () => {
  const rows = [
    { title: 'renewal', cells: ['NAK', 'silence'] },
    { title: 'RELEASE', cells: ['gone', 'kept'] },
  ];
  assert.deepEqual(judge(table(rows, '1.1', '2.0'), PAGE), {
    wrong: ['other, renewal: "silence", on the page "ACK"'],
    told: ['one is 1.1 here and 1.0 on the page', 'one, renewal: "NAK", on the page "ACK"'],
  });
});

test('another set of columns is an error', () => {
  assert.throws(
    () => judge(PAGE.replace('| other |', '| third |'), PAGE),
    /the columns of docs\/interop\.md/,
  );
});
