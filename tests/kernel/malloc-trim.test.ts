import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/lab/process.ts';

const CHILD = join(import.meta.dirname, 'support', 'malloc-child.ts');
/** Of the 64 MB that the child frees. */
const MOST_KIB = 60 << 10;

test('memory that is free within the process is given back to the kernel', async () => {
  const { full, freed, givenBack } = JSON.parse(await run([process.execPath, CHILD])) as Record<
    'full' | 'freed' | 'givenBack',
    number
  >;
  assert.ok(full - freed < MOST_KIB, `glibc keeps what is free: the test can fail (${full - freed} KiB)`);
  assert.ok(full - givenBack > MOST_KIB, `${full - givenBack} KiB`);
});
