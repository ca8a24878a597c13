import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ERRORS } from '../../../src/cni/spec/error-table.ts';
import { CniError, entryOf, quoted, toErrorObject } from '../../../src/cni/spec/errors.ts';

const PAGE = new URL('../../../docs/errors.md', import.meta.url);

/** The rows of the page's one table: code, name, meaning, remedy. */
function readPage(): string[][] {
  return readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('docs/errors.md has exactly the rows of the table, in its order', () => {
  const table = Object.entries(ERRORS).map(([name, row]) => [
    String(row.code),
    name,
    row.meaning,
    row.remedy,
  ]);
  assert.deepEqual(readPage(), table);
});

test('codes are unique, ascending, and our own begin at 100', () => {
  const codes = Object.values(ERRORS).map((row) => row.code);
  assert.deepEqual(
    codes,
    [...new Set(codes)].toSorted((a, b) => a - b),
  );
  const wellKnown = codes.filter((code) => code < 100);
  assert.deepEqual(wellKnown, [1, 2, 3, 4, 5, 6, 7, 11, 50, 51]);
});

test('an error object has the code of its row and the remedy where there are no details', () => {
  const plain = new CniError('uplink-missing', 'master: "eth9" does not exist');
  assert.deepEqual(toErrorObject(plain, '0.4.0'), {
    cniVersion: '0.4.0',
    code: 100,
    msg: 'master: "eth9" does not exist',
    details: entryOf('uplink-missing').remedy,
  });
  const diagnosed = new CniError('dhcp-no-answer', 'no lease in 60 s', '7 DISCOVERs sent, nothing came back');
  assert.equal(toErrorObject(diagnosed, '1.1.0').details, '7 DISCOVERs sent, nothing came back');
});

test('whatever else is thrown becomes 999, as with the Go plugins', () => {
  assert.equal(toErrorObject(new TypeError('x is undefined'), '1.0.0').code, 999);
  assert.equal(toErrorObject(new TypeError('x is undefined'), '1.0.0').msg, 'x is undefined');
  assert.equal(toErrorObject('a string').cniVersion, '1.1.0');
  const hostile = new CniError('ipam-failed', 'said: no\u202Eyes', 'a\u001B[2J\nb');
  const shown = toErrorObject(hostile, '1.0.0');
  assert.deepEqual(
    [shown.msg, shown.details],
    [String.raw`said: no\u{202e}yes`, String.raw`a\u{1b}[2J\u{a}b`],
  );
  assert.equal(quoted('a\u202Eb\n'), String.raw`"a\u202eb\n"`);
});

test('quoted input is bounded and shows control characters', () => {
  assert.equal(quoted('a\nb'), String.raw`"a\nb"`);
  assert.ok(quoted('x'.repeat(1_000_000)).length < 80);
});
