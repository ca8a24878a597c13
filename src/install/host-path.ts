import { realpathSync } from 'node:fs';
import { basename, dirname, join, normalize, sep } from 'node:path';
import { ok } from '../base/result.ts';
import { beneath } from './beneath.ts';
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

/** The place of a path that is already beneath `base`, as the host has it at this moment. Throws an Error that names it. */
export function checkedPath(base: string, path: string): string {
  const found = beneath(base, inside(base, path));
  if (found.ok) return found.value;
  throw new Error(`${path}: ${found.error}; it is left as it is`);
}

/**
 * A folder of the host that lies under `root` ("/" for this machine). Links on the way are followed once, here, so that
 * uninstall finds the place again when they have moved on. Throws an Error for a path that leaves the root.
 */
export function hostFolder(root: string, folder: string, flag: string): HostPath {
  if (!folder.startsWith(sep)) throw new Error(`${flag} ${folder}: must be an absolute path`);
  const base = realpathSync(root);
  const plain = normalize(folder).replace(/\/$/, '');
  const found = plain === '' ? ok(base) : beneath(base, plain, 'followed');
  if (!found.ok) throw new Error(`${flag} ${folder}: ${found.error}; name a folder inside`);
  const rest: string[] = [];
  let there = found.value;
  while (lstatOf(there) === undefined) {
    rest.unshift(basename(there));
    there = dirname(there);
  }
  let real: string;
  try {
    real = realpathSync(there);
  } catch (error) {
    throw new Error(`${flag} ${folder}: ${there} is a link to nowhere`, { cause: error });
  }
  if (lstatOf(real)?.isDirectory() !== true) throw new Error(`${flag} ${folder}: ${real} is no folder`);
  const missing = rest.map((_, at) => join(real, ...rest.slice(0, at + 1)));
  return { base, path: missing.at(-1) ?? real, missing };
}
