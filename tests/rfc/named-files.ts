import { evidenceOf } from './clause.ts';
import { RFCS } from './rfcs.ts';

/** Prints the files of all tests that docs/rfc.md names, for `make rfc-tests`. */
const files = RFCS.flatMap(({ clauses }) =>
  clauses.flatMap((clause) => evidenceOf(clause).map(({ file }) => file)),
);
console.log([...new Set(files)].join('\n'));
