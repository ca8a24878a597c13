import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { daemonSchema } from './daemon-schema.ts';
import { leaseholdSchema } from './leasehold-schema.ts';
import { valuesSchema } from './values-schema.ts';

/** Writes the JSON Schemas that are shipped from those of the code: of a network, of the daemon's file, of the chart's values. */
const root = dirname(import.meta.dirname);
const FILES = {
  'schema/leasehold.schema.json': leaseholdSchema,
  'schema/daemon.schema.json': daemonSchema,
  'deploy/chart/leasehold/values.schema.json': valuesSchema,
} as const;
for (const [name, schema] of Object.entries(FILES)) {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(schema(), undefined, 2));
  execFileSync(join(root, 'node_modules/.bin/oxfmt'), [file], { stdio: 'ignore' });
}
