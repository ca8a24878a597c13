import * as v from 'valibot';
import { parseCidr, type Cidr } from '../../base/cidr.ts';
import { parseIp, type Ip } from '../../base/ip.ts';
import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts';
import { parseMac, type Mac } from '../../base/mac.ts';
import { isPlain } from '../../base/outside-text.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { CniError, quoted } from './errors.ts';

/** More than this of a kind in one configuration is a mistake, and some of the work on them is quadratic. */
export const MAX_ENTRIES = 1024;

/** So many wrong keys are named in one message; a person mends those first. */
const MAX_NAMED_PROBLEMS = 4;
const LONGEST_PROBLEM = 200;

/**
 * Reads foreign JSON with a schema. The error has code 7 and names each wrong key by its path from `at` on:
 * "ipam.request[2].option: expected string, not 5".
 */
export function readShape<const S extends v.GenericSchema>(
  schema: S,
  input: unknown,
  at = '',
): Result<v.InferOutput<S>, CniError> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return ok(parsed.output);
  const { issues } = parsed;
  const named = issues.slice(0, MAX_NAMED_PROBLEMS).map((issue) => describe(issue, at));
  const more = issues.length - named.length;
  return err(new CniError('invalid-config', named.join('; ') + (more > 0 ? `; and ${more} more` : '')));
}

function describe(issue: v.BaseIssue<unknown>, at: string): string {
  let path = at;
  for (const item of issue.path ?? []) path = keyPath(path, item.key);
  const text = `${path === '' ? 'the configuration' : path}: ${problemOf(issue)}`;
  return text.length > LONGEST_PROBLEM ? `${text.slice(0, LONGEST_PROBLEM)}…` : text;
}

function problemOf(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== 'schema' || issue.type === 'custom') return issue.message;
  return issue.received === 'undefined' ? 'is missing' : `expected ${issue.expected}, not ${issue.received}`;
}

function keyPath(parent: string, key: unknown): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  return parent === '' ? String(key) : `${parent}.${String(key)}`;
}

/** A string that `parse` understands; `what` completes "… is not". */
function textOf<T>(parse: (text: string) => T | undefined, what: string) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: `${quoted(dataset.value)} is not ${what}` });
      return NEVER;
    }),
  );
}

export const ipText = textOf<Ip>(parseIp, 'an IP address');
export const cidrText = textOf<Cidr>(parseCidr, 'an address with prefix length ("192.168.2.0/24")');
export const macText = textOf<Mac>(parseMac, 'an Ethernet address ("02:00:5e:10:00:01")');

/** A key that may be absent; null and "" are how Go's JSON writes an absent string or address. */
function orEmpty<T>(schema: v.GenericSchema<unknown, T>) {
  const empty = v.pipe(
    v.nullable(v.literal('')),
    v.transform((): undefined => undefined),
  );
  return v.optional(v.lazy((input) => (input === '' || input === null ? empty : schema)));
}

export const optionalIp = orEmpty<Ip>(ipText);
export const optionalMac = orEmpty<Mac>(macText);
/** A text that goes on as it is: into files, results and onto screens. */
export const plainText = v.pipe(v.string(), v.check(isPlain, 'has control or format characters'));
export const optionalText = orEmpty<string>(plainText);

/** An unsigned 32-bit number: what the kernel holds MTUs, metrics and table ids in. */
export const uint32 = v.pipe(
  v.number(),
  v.check(
    (n) => Number.isInteger(n) && n >= 0 && n <= 0xffff_ffff,
    'must be a whole number from 0 to 4294967295',
  ),
);

/** A key that may be absent or null; both are undefined afterwards. */
export function maybe<T>(schema: v.GenericSchema<unknown, T>) {
  return v.pipe(
    v.nullish(schema),
    v.transform((value): T | undefined => value ?? undefined),
  );
}

/** A list that may be absent or null, which is the empty list; bounded. */
export function listOf<T>(schema: v.GenericSchema<unknown, T>) {
  const list = v.pipe(v.array(schema), v.maxLength(MAX_ENTRIES, `has more than ${MAX_ENTRIES} entries`));
  return v.nullish(list, []);
}

function isObject(input: unknown): input is JsonObject {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

/** An object whose keys are read later, by whom they concern. */
export const jsonObject = v.custom<JsonObject>(isObject, 'must be an object');

/** Undefined unless `value` is an object that has `key` as an object too. */
export function objectAt(value: Json | undefined, key: string): JsonObject | undefined {
  const inner = isJsonObject(value) ? value[key] : undefined;
  return isJsonObject(inner) ? inner : undefined;
}
