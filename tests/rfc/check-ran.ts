import { readFileSync } from 'node:fs';
import { notRun, ranFrom } from './evidence.ts';
import { RFCS } from './rfcs.ts';

/** node check-ran.ts FILE: each test that docs/rfc.md names is in what the reporter wrote (./reporter.ts), and passed. */
const [, , file = ''] = process.argv;
const faults = notRun(RFCS, ranFrom(readFileSync(file, 'utf8')));
for (const fault of faults) console.error(fault);
if (faults.length > 0) {
  console.error('docs/rfc.md names a test that did not run and pass: mend tests/rfc/clauses, or the test.');
  process.exitCode = 1;
}
