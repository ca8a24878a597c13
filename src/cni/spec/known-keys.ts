import type { JsonObject } from '../../base/json.ts';
import { nearest } from '../../base/nearest.ts';
import { CniError, quoted } from './errors.ts';
import { foldKeys, type KeyTree } from './key-case.ts';

/** A key that needs no quotes in a message. */
const PLAIN_KEY = /^[\w./-]{1,64}$/;
const PLAIN_PATH = /^[\w./[\]-]{1,128}$/;

/**
 * Throws CniError 7 for the first key, at any depth, that is one of `tree` but for the case of its letters, with the right
 * spelling.
 */
export function refuseOtherCase(object: JsonObject, tree: KeyTree): void {
  const [first] = foldKeys(object, tree).respelled;
  if (first === undefined) return;
  const { written, key } = first;
  const right = key.slice(key.lastIndexOf('.') + 1);
  const shown = PLAIN_PATH.test(written) ? written : quoted(written);
  throw new CniError(
    'invalid-config',
    `${shown}: is no key: did you mean "${right}"? (small and capital letters count)`,
  );
}

/**
 * Throws CniError 7 for the first key that is none of `known` and that `isFree` does not let pass: a key that does
 * nothing would look as if it did something. The message names the nearest key and lists all. `at` is the path of the
 * object, empty for the configuration itself.
 */
export function refuseUnknownKeys(
  object: JsonObject,
  known: readonly string[],
  at: string,
  isFree: (key: string) => boolean = () => false,
): void {
  const key = Object.keys(object).find((name) => !known.includes(name) && !isFree(name));
  if (key === undefined) return;
  const near = nearest(key, known) ?? nearest(key.toLowerCase(), known);
  const hint = near === undefined ? '' : `did you mean "${near}"? `;
  const shown = PLAIN_KEY.test(key) ? key : quoted(key);
  const path = at === '' ? shown : `${at}.${shown}`;
  throw new CniError('invalid-config', `${path}: is no key: ${hint}(keys: ${known.join(', ')})`);
}
