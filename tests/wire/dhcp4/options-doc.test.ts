import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { optionsDocument } from './options-doc.ts';

const FILE = new URL('../../../docs/dhcp-options.md', import.meta.url);

test('docs/dhcp-options.md is the option table', () => {
  if (process.env['LEASEHOLD_UPDATE_DOCS'] === '1') writeFileSync(FILE, optionsDocument());
  assert.equal(
    readFileSync(FILE, 'utf8'),
    optionsDocument(),
    'run this test with LEASEHOLD_UPDATE_DOCS=1 and look at the difference',
  );
});
