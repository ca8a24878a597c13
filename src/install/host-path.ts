import { realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { lstatOf } from './fingerprint.ts';

/** Where an absolute path of the host lies, with what has to be made first. */
export type HostPath = {
  /** The real path of the root. */
  readonly base: string;
  /** Free of links as far as it exists. */
  readonly path: string;
  /** Its folders (itself included) that are not there, the outermost first. */
  readonly missing: readonly string[];
};

/** The path as it is seen from within the root whose real path is `base`. */
export function inside(base: string, path: string): string {
  return base === sep || !path.startsWith(base + sep) ? path : path.slice(base.length);
}

/** The reverse of `inside`. */
export function outside(base: string, path: string): string {
  return base === sep ? path : base + path;
}

/**
 * A folder of the host that lies under `root` ("/" for this machine). Links on the way are followed once, here, so that
 * uninstall finds the place again when they have moved on. Throws an Error for a path that leaves the root.
 */
export function hostFolder(root: string, folder: string, flag: string): HostPath {
  if (!folder.startsWith('/')) throw new Error(`${flag} ${folder}: must be an absolute path`);
  const base = realpathSync(root);
  const missing: string[] = [];
  let there = join(base, folder);
  const rest: string[] = [];
  while (lstatOf(there) === undefined) {
    rest.unshift(there.slice(dirname(there).length).replace(sep, ''));
    there = dirname(there);
  }
  let real: string;
  try {
    real = realpathSync(there);
  } catch (error) {
    throw new Error(`${flag} ${folder}: ${there} is a link to nowhere`, { cause: error });
  }
  if (base !== sep && real !== base && !real.startsWith(base + sep)) {
    throw new Error(
      `${flag} ${folder}: a link leads from it out of ${base}, to ${real}; name a folder inside`,
    );
  }
  let path = real;
  for (const name of rest) {
    path = join(path, name);
    missing.push(path);
  }
  if (lstatOf(real)?.isDirectory() !== true) throw new Error(`${flag} ${folder}: ${real} is no folder`);
  return { base, path, missing };
}
