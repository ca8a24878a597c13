import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where scripts/e2e-programs.sh leaves what it built and fetched. */
export const CACHE =
  process.env['LEASEHOLD_E2E_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'leasehold-e2e');

/** A program of the cache, by its path there; throws when it is not there. */
export function program(...path: readonly string[]): string {
  const file = join(CACHE, ...path);
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new Error(`${file} is not there; build it by scripts/e2e-programs.sh`);
  }
  return file;
}
