import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';

/**
 * The keys that an object may have, each with those of the object (or of each object of the list) that is its value;
 * `true`: what is inside has no keys of ours.
 */
export type KeyTree = { readonly [key: string]: KeyTree | true };

/** A key that was not written as it is spelled; both are paths. */
export type RespelledKey = { readonly written: string; readonly key: string };

export type FoldedKeys = { readonly value: JsonObject; readonly respelled: readonly RespelledKey[] };

/** Keys without anything inside. */
export function leaves(keys: readonly string[]): KeyTree {
  return Object.fromEntries(keys.map((key) => [key, true]));
}

/**
 * Whether Go takes one for the other: `bytes.EqualFold`, where the letters of ASCII have one more of their kind each for
 * k (U+212A, the Kelvin sign) and s (U+017F, the long s).
 */
export function isSameKey(a: string, b: string): boolean {
  return folded(a) === folded(b);
}

function folded(key: string): string {
  return key
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replaceAll('\u212A', 'k')
    .replaceAll('\u017F', 's');
}

/**
 * An object as Go's `encoding/json` reads it into a struct with these keys (decode.go, `object`): a key that is no key as
 * it is written is the one that it equals but for case; of several for one key the last counts, a null leaves a plain
 * value as it is, and objects are merged. Keys that are none stay. libcni sorts the keys of what it hands to a plugin, so
 * that there the small letters come last. Of the same key written twice in one way only the last is known here.
 */
export function foldKeys(object: JsonObject, tree: KeyTree): FoldedKeys {
  const respelled: RespelledKey[] = [];
  return { value: foldObject(object, tree, '', respelled), respelled };
}

// The trees are constants; to fold their keys anew took 0.02 ms of each request.
const foldedKeys = new WeakMap<KeyTree, ReadonlyMap<string, string>>();

/** The keys by how they are compared. */
function foldedKeysOf(tree: KeyTree): ReadonlyMap<string, string> {
  const known = foldedKeys.get(tree);
  if (known !== undefined) return known;
  const keys = new Map(Object.keys(tree).map((key) => [folded(key), key]));
  foldedKeys.set(tree, keys);
  return keys;
}

function foldObject(object: JsonObject, tree: KeyTree, path: string, respelled: RespelledKey[]): JsonObject {
  const result = new Map<string, Json>();
  for (const [written, value] of Object.entries(object)) {
    const key = Object.hasOwn(tree, written) ? written : (foldedKeysOf(tree).get(folded(written)) ?? written);
    const at = path === '' ? key : `${path}.${key}`;
    if (key !== written) respelled.push({ written: path === '' ? written : `${path}.${written}`, key: at });
    const inner = Object.hasOwn(tree, key) ? tree[key] : undefined;
    result.set(key, merged(result.get(key), foldValue(value, inner, at, respelled)));
  }
  return Object.fromEntries(result);
}

function foldValue(
  value: Json,
  tree: KeyTree | true | undefined,
  at: string,
  respelled: RespelledKey[],
): Json {
  if (tree === undefined || tree === true) return value;
  if (isJsonObject(value)) return foldObject(value, tree, at, respelled);
  if (!Array.isArray(value)) return value;
  return value.map((entry: Json, index) => foldValue(entry, tree, `${at}[${index}]`, respelled));
}

function merged(before: Json | undefined, value: Json): Json {
  if (before === undefined || before === null) return value;
  if (value === null) return Array.isArray(before) ? null : before;
  if (!isJsonObject(before) || !isJsonObject(value)) return value;
  const whole = new Map(Object.entries(before));
  for (const [key, inner] of Object.entries(value)) whole.set(key, merged(whole.get(key), inner));
  return Object.fromEntries(whole);
}
