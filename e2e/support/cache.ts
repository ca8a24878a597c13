import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The checkout. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** What scripts/e2e-programs.sh has built, and the folders of runs. */
export const CACHE =
  process.env['LEASEHOLD_E2E_CACHE'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'leasehold-e2e');

/** Programs by name: kubelet, containerd, kubectl... */
export const CACHE_BIN = join(CACHE, 'bin');
/** The Go plugins (scripts/e2e/go-plugins.sh). */
export const GO_PLUGINS = join(CACHE, 'go-plugins');
/** Archives of the test pods' images: pause.tar, who.tar. */
export const CACHE_IMAGES = join(CACHE, 'images');
/** Disks and logs of what runs now; on a real file system, which overlays need. */
export const RUNS = join(CACHE, 'runs');
/** The same of those that are kept (LEASEHOLD_E2E_KEEP). */
export const KEPT_RUNS = join(CACHE, 'kept');

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
};

/** The product's own image, as `make image` makes it. */
export const LEASEHOLD_ARCHIVE = join(ROOT, 'dist', `leasehold-${version}-oci.tar`);

/** A program that scripts/e2e-programs.sh has built or fetched, by its path in the cache; throws when it is not there. */
export function program(...path: readonly string[]): string {
  const file = join(CACHE, ...path);
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new Error(
      `${file} is not there: run scripts/e2e-programs.sh; remove ${join(CACHE, 'stamps')} first when that has nothing to do`,
    );
  }
  return file;
}
