import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from './cache.ts';

/** A program that scripts/e2e-programs.sh has built or fetched, by its path in the cache; throws when it is not there. */
export function program(...path: readonly string[]): string {
  const file = join(CACHE, ...path);
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new Error(`${file} is not there: run scripts/e2e-programs.sh`);
  }
  return file;
}
