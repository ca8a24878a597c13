import { readlinkSync } from 'node:fs';
import { join, sep } from 'node:path';
import { err, ok, type Result } from '../base/result.ts';
import { lstatOf } from './fingerprint.ts';

/** MAXSYMLINKS (linux/namei.h). */
const MOST_LINKS = 40;

/** Why a text is no path of a host as install writes it: absolute, and nothing in it that leads up. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith(sep) || path.includes('\0')) return 'is no absolute path';
  const names = path.split(sep).slice(1);
  if (names.includes('..')) return 'has ".." in it';
  return names.some((name) => name === '' || name === '.') ? 'is no plain path' : undefined;
}

/**
 * Where a path of the host lies whose root is the folder `base` (a real path), free of links: as openat2(2) finds it with
 * RESOLVE_BENEATH. A relative link is followed as long as it stays beneath the root; an absolute one would lead out, and is
 * refused with the reason. `last`: whether the last name is followed too, or is what is meant, be it a link or not.
 * Names that are not there are taken as they are. On this machine (`base` is "/") nothing is outside, and the path stays.
 *
 * Somebody who changes the folders of an image while this runs is not held off: the answer is of one moment.
 */
export function beneath(
  base: string,
  path: string,
  last: 'followed' | 'as it is' = 'as it is',
): Result<string, string> {
  const problem = pathProblem(path);
  if (problem !== undefined) return err(problem);
  if (base === sep) return ok(path);
  const names = path.split(sep).slice(1);
  const found: string[] = [];
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (found.pop() === undefined) return err(`a link on the way leads out of ${base}`);
      continue;
    }
    const here = join(base, ...found, name);
    if ((names.length === 0 && last === 'as it is') || lstatOf(here)?.isSymbolicLink() !== true) {
      found.push(name);
      continue;
    }
    const target = readlinkSync(here);
    if (target.startsWith(sep)) return err(`a link leads from it out of ${base}, to ${target}`);
    if (++links > MOST_LINKS) return err('too many links on the way');
    names.unshift(...target.split(sep));
  }
  return ok(join(base, ...found));
}
