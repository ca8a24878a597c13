import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';
import { notThere, outOfOrder } from './evidence.ts';
import { rfcPage } from './page.ts';
import { RFCS } from './rfcs.ts';

const PAGE = join(ROOT, 'docs', 'rfc.md');

function textOf(file: string): string | undefined {
  return existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : undefined;
}

describe('docs/rfc.md', () => {
  test('is what the tables say', () => {
    if (process.env['LEASEHOLD_UPDATE_DOCS'] === '1') writeFileSync(PAGE, rfcPage(RFCS));
    assert.equal(readFileSync(PAGE, 'utf8'), rfcPage(RFCS), 'run make rfc and look at the difference');
  });

  test('each test that it names is in its file', () => {
    assert.deepEqual(notThere(RFCS, textOf), []);
  });

  test('each RFC is there once, with its sections in order and no clause twice', () => {
    assert.equal(new Set(RFCS.map(({ number }) => number)).size, RFCS.length);
    for (const rfc of RFCS) {
      assert.ok(rfc.clauses.length > 0, `${rfc.number}`);
      assert.deepEqual(outOfOrder(rfc), [], `${rfc.number}`);
      const clauses = rfc.clauses.map(({ section, level, says }) => `${section} ${level} ${says}`);
      assert.deepEqual(
        clauses.filter((clause, at) => clauses.indexOf(clause) !== at),
        [],
      );
    }
  });

  test('the check that its tests ran is part of make test', () => {
    const script = readFileSync(join(ROOT, 'scripts', 'test.sh'), 'utf8');
    const written =
      /--test-reporter=\.\/tests\/rfc\/reporter\.ts \\?\s*--test-reporter-destination=(\S+)/.exec(script);
    assert.ok(written?.[1] !== undefined);
    assert.match(script, new RegExp(`tests/rfc/check-ran\\.ts ${RegExp.escape(written[1])}$`, 'm'));
  });
});
