import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLOURED, PLAIN, styleFor, type Style } from '../../src/lab/style.ts';
import { renderMatrix, renderTable } from '../../src/lab/table.ts';

test('columns are as wide as their widest cell; numbers end together; no trailing blanks', () => {
  const columns = [{ title: 'pod' }, { title: 'ms', align: 'right' }, { title: 'left' }] as const;
  const rows = [
    ['a', '1.5', '12 h'],
    ['longer', '100.5', ''],
  ];
  const golden = ['pod        ms  left', 'a         1.5  12 h', 'longer  100.5', ''];
  assert.equal(renderTable(columns, rows), golden.join('\n'));
});

const rows = (style: Style) => [[{ text: 'x', paint: style.good }, 'y']];

test('colour changes no column', () => {
  const columns = [{ title: 'one' }, { title: 'two' }];
  const painted = renderTable(columns, rows(COLOURED), COLOURED);
  // oxlint-disable-next-line no-control-regex -- the escape sequences are the subject
  assert.equal(painted.replaceAll(/\u001B\[\d+m/g, ''), renderTable(columns, rows(PLAIN)));
  assert.match(painted, /\[32mx/);
});

function expected(from: string, to: string): boolean {
  return !(from === 'node' && to === 'pod');
}

test('the matrix: rows are senders; a missing answer is red only where one was expected', () => {
  const matrix = [
    [undefined, true, false],
    [true, undefined, true],
    [false, false, undefined],
  ];
  const names = ['node', 'laptop', 'pod'];
  const asked = { rows: names, columns: names, matrix };
  const golden = [
    'from \\ to  node  laptop  pod',
    'node       -     yes     no',
    'laptop     yes   -       yes',
    'pod        no    no      -',
    '',
  ];
  assert.equal(renderMatrix(asked, expected), golden.join('\n'));
  const painted = renderMatrix(asked, expected, COLOURED).split('\n');
  assert.ok(painted[1]?.includes(COLOURED.warn('no')));
  assert.ok(painted[3]?.includes(COLOURED.bad('no')));
});

test('colour only on a terminal that was not asked to go without', () => {
  assert.equal(styleFor({ isTTY: true }, {}), COLOURED);
  assert.equal(styleFor({ isTTY: true }, { NO_COLOR: '' }), COLOURED);
  assert.equal(styleFor({ isTTY: true }, { NO_COLOR: '1' }), PLAIN);
  assert.equal(styleFor({ isTTY: true }, { TERM: 'dumb' }), PLAIN);
  assert.equal(styleFor({}, {}), PLAIN);
});
