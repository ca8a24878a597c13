import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type Json, type JsonObject } from '../../src/base/json.ts';

/**
 * So much of JSON Schema (draft-07) as our own schema uses: enough to see whether an editor would agree with the
 * reader. A keyword that is not known here throws, so that none is passed over.
 */

const NOTES = new Set([
  '$schema',
  'title',
  'description',
  'default',
  'examples',
  'definitions',
  'then',
  'else',
]);

type Check = (rule: Json, value: Json, at: string, root: JsonObject, whole: JsonObject) => readonly string[];

/** What is wrong with a value, each by its path; empty where nothing is. */
export function problemsOf(schema: Json, value: Json, root: JsonObject, at = ''): readonly string[] {
  if (schema === true) return [];
  if (schema === false) return [`${at}: is not allowed`];
  if (!isJsonObject(schema)) throw new Error(`${at}: no schema`);
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (NOTES.has(keyword)) return [];
    const check = CHECKS[keyword];
    if (check === undefined) throw new Error(`the keyword "${keyword}" is not known here`);
    return check(rule, value, at, root, schema);
  });
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

function isType(name: Json, value: Json): boolean {
  return name === typeOf(value) || (name === 'integer' && Number.isInteger(value));
}

function list(rule: Json | undefined): readonly Json[] {
  return Array.isArray(rule) ? (rule as readonly Json[]) : [];
}

function object(rule: Json | undefined): JsonObject {
  return isJsonObject(rule) ? rule : {};
}

function failing(bad: boolean, at: string, text: string): readonly string[] {
  return bad ? [`${at}: ${text}`] : [];
}

function bound(
  text: string,
  isBad: (size: number, limit: number) => boolean,
  sizeOf: (value: Json) => number | undefined,
): Check {
  return (rule, value, at) => {
    const size = sizeOf(value);
    return failing(size !== undefined && isBad(size, Number(rule)), at, `${text} ${textOf(rule)}`);
  };
}

const numberOf = (value: Json): number | undefined => (typeof value === 'number' ? value : undefined);
const lengthOf = (value: Json): number | undefined => (Array.isArray(value) ? value.length : undefined);
const textLengthOf = (value: Json): number | undefined =>
  typeof value === 'string' ? Array.from(value).length : undefined;

const keysOf = (value: Json): number | undefined =>
  isJsonObject(value) ? Object.keys(value).length : undefined;

const CHECKS: Readonly<Record<string, Check>> = {
  $ref: (rule, value, at, root) => {
    const name = textOf(rule).replace('#/definitions/', '');
    const target = object(root['definitions'])[name];
    if (target === undefined) throw new Error(`${textOf(rule)} is not there`);
    return problemsOf(target, value, root, at);
  },
  type: (rule, value, at) => {
    const names = Array.isArray(rule) ? list(rule) : [rule];
    return failing(!names.some((name) => isType(name, value)), at, `is no ${names.map(textOf).join(' or ')}`);
  },
  enum: (rule, value, at) =>
    failing(!list(rule).some((one) => isDeepStrictEqual(one, value)), at, 'is none of the values'),
  const: (rule, value, at) => failing(!isDeepStrictEqual(rule, value), at, `is not ${JSON.stringify(rule)}`),
  pattern: (rule, value, at) =>
    failing(typeof value === 'string' && !new RegExp(textOf(rule), 'u').test(value), at, 'has another form'),
  minimum: bound('is less than', (size, limit) => size < limit, numberOf),
  maximum: bound('is more than', (size, limit) => size > limit, numberOf),
  exclusiveMinimum: bound('is not more than', (size, limit) => size <= limit, numberOf),
  minItems: bound('has fewer than', (size, limit) => size < limit, lengthOf),
  maxItems: bound('has more than', (size, limit) => size > limit, lengthOf),
  maxLength: bound('is longer than', (size, limit) => size > limit, textLengthOf),
  minLength: bound('is shorter than', (size, limit) => size < limit, textLengthOf),
  maxProperties: bound('has more keys than', (size, limit) => size > limit, keysOf),
  uniqueItems: (_rule, value, at) =>
    failing(new Set(list(value).map(textOf)).size < list(value).length, at, 'has an entry twice'),
  items: (rule, value, at, root) =>
    list(value).flatMap((one, index) => problemsOf(rule, one, root, `${at}[${index}]`)),
  required: (rule, value, at) =>
    isJsonObject(value)
      ? list(rule).flatMap((key) => failing(!Object.hasOwn(value, textOf(key)), at, `lacks ${textOf(key)}`))
      : [],
  properties: (rule, value, at, root) =>
    Object.entries(object(rule)).flatMap(([key, inner]) => {
      const own = object(value)[key];
      return own === undefined ? [] : problemsOf(inner, own, root, `${at}.${key}`);
    }),
  patternProperties: (rule, value, at, root) =>
    Object.entries(object(rule)).flatMap(([pattern, inner]) =>
      Object.entries(object(value))
        .filter(([key]) => new RegExp(pattern, 'u').test(key))
        .flatMap(([key, own]) => problemsOf(inner, own, root, `${at}.${key}`)),
    ),
  additionalProperties: (rule, value, at, root, whole) => {
    const patterns = Object.keys(object(whole['patternProperties'])).map((text) => new RegExp(text, 'u'));
    return Object.entries(object(value))
      .filter(([key]) => !Object.hasOwn(object(whole['properties']), key))
      .filter(([key]) => !patterns.some((pattern) => pattern.test(key)))
      .flatMap(([key, own]) => problemsOf(rule, own, root, `${at}.${key}`));
  },
  propertyNames: (rule, value, at, root) =>
    Object.keys(object(value)).flatMap((key) => problemsOf(rule, key, root, `${at}.${key}`)),
  allOf: (rule, value, at, root) => list(rule).flatMap((one) => problemsOf(one, value, root, at)),
  anyOf: (rule, value, at, root) => {
    const all = list(rule).map((one) => problemsOf(one, value, root, at));
    return all.some((found) => found.length === 0) ? [] : [`${at}: fits none: ${all.flat().join('; ')}`];
  },
  not: (rule, value, at, root) =>
    failing(problemsOf(rule, value, root, at).length === 0, at, 'is what it must not be'),
  if: (rule, value, at, root, whole) => {
    const next = problemsOf(rule, value, root, at).length === 0 ? whole['then'] : whole['else'];
    return next === undefined ? [] : problemsOf(next, value, root, at);
  },
};
