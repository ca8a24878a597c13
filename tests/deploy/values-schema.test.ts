import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { forGo } from '../../scripts/go-pattern.ts';
import { plainValuesSchema, valuesSchema } from '../../scripts/values-schema.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/base/json.ts';
import { problemsOf } from '../support/json-schema.ts';
import { ROOT } from '../support/leasehold.ts';
import { object } from './support/manifest.ts';
import { BAD_VALUES, GOOD_VALUES } from './support/values.ts';

const DEPLOY = join(ROOT, 'deploy');
const CHART = join(DEPLOY, 'chart/leasehold');
function asJson(schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject;
}

const SCHEMA = asJson(plainValuesSchema());

function yamlIn(path: string): JsonObject {
  return parse(readFileSync(path, 'utf8')) as JsonObject;
}

function judge(values: Json): readonly string[] {
  return problemsOf(SCHEMA, values, SCHEMA);
}

test('the shipped file is what the code generates: make deploy', () => {
  const shipped: unknown = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));
  assert.deepEqual(shipped, asJson(valuesSchema()));
});

describe('values', () => {
  test('values.yaml has each key of the schema, and fits', () => {
    const values = yamlIn(join(CHART, 'values.yaml'));
    assert.deepEqual(judge(values), []);
    const known = Object.keys(object(SCHEMA['properties']));
    assert.deepEqual(Object.keys(values).toSorted(), known.filter((key) => key !== 'global').toSorted());
  });

  for (const folder of ['profiles', 'examples']) {
    for (const file of readdirSync(join(DEPLOY, folder))) {
      test(`${folder}/${file} fits`, () => {
        assert.deepEqual(judge(yamlIn(join(DEPLOY, folder, file))), []);
      });
    }
  }

  for (const [what, values] of GOOD_VALUES) {
    test(`taken: ${what}`, () => {
      assert.deepEqual(judge(values), []);
    });
  }

  for (const [what, values, at] of BAD_VALUES) {
    test(`refused: ${what}`, () => {
      const problems = judge(values);
      assert.ok(problems.length > 0, 'the schema takes it');
      assert.ok(
        problems.some((problem) => problem.includes(at)),
        problems.join('\n'),
      );
    });
  }
});

/** What Go's regular expressions lack (https://github.com/google/re2/wiki/Syntax). */
const NOT_IN_GO = /\(\?[=!<]|\\u|\\[1-9]/;

function patternsIn(node: Json): readonly string[] {
  if (Array.isArray(node)) return (node as readonly Json[]).flatMap(patternsIn);
  if (!isJsonObject(node)) return [];
  return Object.entries(node).flatMap(([key, inner]) => {
    const names = key === 'patternProperties' && isJsonObject(inner) ? Object.keys(inner) : [];
    return [...names, ...(key === 'pattern' && typeof inner === 'string' ? [inner] : patternsIn(inner))];
  });
}

describe('for Go', () => {
  test('no pattern has what Go does not know', () => {
    const patterns = patternsIn(asJson(valuesSchema()));
    assert.ok(patterns.length > 20);
    assert.deepEqual(
      patterns.filter((pattern) => NOT_IN_GO.test(pattern)),
      [],
    );
    assert.ok(patternsIn(SCHEMA).some((pattern) => NOT_IN_GO.test(pattern)));
  });

  test('a lookahead becomes a "not"', () => {
    const schema = asJson(forGo({ type: 'string', pattern: '^(?!a(b)?$)[a-z]+$' }));
    assert.equal(schema['pattern'], '^[a-z]+$');
    const verdicts = ['a', 'ab', 'abc', 'b', ''].map((text) => problemsOf(schema, text, schema).length === 0);
    assert.deepEqual(verdicts, [false, false, true, true, false]);
  });

  test('a lookahead in the middle is refused: it would say something else', () => {
    assert.throws(() => forGo({ pattern: '^a(?!b)' }), /in the middle/);
  });
});
