import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { leaseholdSchema } from './leasehold-schema.ts';

/** Writes schema/leasehold.schema.json, which is shipped, from the schema of the code. */
const root = dirname(import.meta.dirname);
const file = join(root, 'schema/leasehold.schema.json');
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, JSON.stringify(leaseholdSchema(), undefined, 2));
execFileSync(join(root, 'node_modules/.bin/oxfmt'), [file], { stdio: 'ignore' });
