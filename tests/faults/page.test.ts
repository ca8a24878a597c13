import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';
import { TESTED_ELSEWHERE } from './support/elsewhere.ts';
import { faultRows, testedFaults } from './support/page.ts';

test('every row of docs/faults.md is there once and has a test', async () => {
  const rows = await faultRows();
  assert.ok(rows.length > 0);
  assert.equal(new Set(rows).size, rows.length);
  const tested = new Set([...(await testedFaults()), ...Object.keys(TESTED_ELSEWHERE)]);
  assert.deepEqual(
    rows.filter((row) => !tested.has(row)),
    [],
  );
});

test('every test of a fault has its row', async () => {
  const rows = new Set(await faultRows());
  const names = [...(await testedFaults()), ...Object.keys(TESTED_ELSEWHERE)];
  assert.deepEqual(
    names.filter((name) => !rows.has(name)),
    [],
  );
});

test('the tests that are elsewhere are there', async () => {
  for (const [row, { file, test: name }] of Object.entries(TESTED_ELSEWHERE)) {
    const text = await readFile(join(ROOT, 'tests', file), 'utf8');
    assert.ok(text.includes(`'${name}'`), `${row}: ${file} has no test '${name}'`);
  }
});
