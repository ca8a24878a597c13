import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  fillTemplate,
  parseTemplate,
  PLACEHOLDERS,
  type PlaceholderValues,
} from '../../../src/cni/identity/template.ts';

const VALUES: PlaceholderValues = {
  pod: 'web-0',
  namespace: 'shop',
  container: 'abc',
  ifname: 'eth0.5',
  node: 'n1',
  network: 'lan',
};

function filled(text: string, values = VALUES): string | undefined {
  const template = parseTemplate(text);
  assert.ok(template.ok, text);
  const result = fillTemplate(template.value, values);
  return result.kind === 'text' ? result.text : undefined;
}

test('placeholders are filled; a dot of a value is no border between labels', () => {
  for (const [text, result] of [
    ['{pod}', 'web-0'],
    ['{pod}.{namespace}.home.arpa', 'web-0.shop.home.arpa'],
    ['x-{container}-{ifname}-{node}-{network}', 'x-abc-eth0-5-n1-lan'],
    ['{pod}{pod}', 'web-0web-0'],
    ['plain', 'plain'],
    ['', ''],
  ] as const) {
    assert.equal(filled(text), result);
  }
});

test('a placeholder that the runtime did not fill leaves the whole name out', () => {
  const values = { ...VALUES, pod: undefined, namespace: undefined };
  assert.equal(filled('{pod}', values), undefined);
  assert.equal(filled('a-{namespace}-b', values), undefined);
  assert.equal(filled('{container}', values), 'abc');
});

test('what is no placeholder is refused, naming the known ones', () => {
  for (const [text, message] of [
    ['{pods}', /"\{pods\}" is no placeholder: did you mean \{pod\}\? Known are \{pod\}, \{namespace\}/],
    ['{POD}', /did you mean \{pod\}/],
    ['{}', /"\{\}" is no placeholder: Known are/],
    ['{something}', /Known are .*\{network\}/],
    ['{pod', /without its other half/],
    ['pod}', /without its other half/],
    ['{{pod}}', /without its other half/],
    ['x'.repeat(254), /longer than 253/],
  ] as const) {
    const template = parseTemplate(text);
    assert.ok(!template.ok, text);
    assert.match(template.error, message);
  }
});

test('any text is read or refused, and without braces it is itself', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 253 }), (text) => {
      const template = parseTemplate(text);
      if (/[{}]/.test(text)) return;
      assert.ok(template.ok);
      assert.deepEqual(fillTemplate(template.value, VALUES), { kind: 'text', text });
    }),
  );
  assert.equal(new Set(PLACEHOLDERS).size, PLACEHOLDERS.length);
});
