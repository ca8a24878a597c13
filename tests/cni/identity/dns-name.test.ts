import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MAX_LABEL, MAX_NAME } from '../../../src/base/dns-name.ts';
import { cleanLabel, cleanName } from '../../../src/cni/identity/dns-name.ts';

/** RFC 1123 2.1. */
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/;
const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ maxLength: 400 }));

test('what is not allowed becomes a hyphen, ends are trimmed, case is kept', () => {
  for (const [text, label] of [
    ['web-0', 'web-0'],
    ['Web', 'Web'],
    ['my_app', 'my-app'],
    ['_x_', 'x'],
    ['a.b', 'a-b'],
    ['über', 'ber'],
    ['a b', 'a-b'],
    ['a\u{1f600}b', 'a-b'],
    ['---', ''],
    ['', ''],
    ['x'.repeat(70), 'x'.repeat(63)],
    [`${'x'.repeat(62)}--y`, 'x'.repeat(62)],
    [`--${'x'.repeat(63)}`, 'x'.repeat(63)],
  ] as const) {
    assert.equal(cleanLabel(text), label, text);
  }
});

test('labels without anything left go; a long name keeps the labels that fit', () => {
  const long = 'x'.repeat(63);
  for (const [text, name] of [
    ['web.lab.home.arpa', 'web.lab.home.arpa'],
    ['web.lab.', 'web.lab'],
    ['..web..--.lab', 'web.lab'],
    ['.', ''],
    ['', ''],
    [`${long}.${long}.${long}.${long}`, `${long}.${long}.${long}`],
    [`${long}.${long}.${long}.${long.slice(2)}`, `${long}.${long}.${long}.${long.slice(2)}`],
  ] as const) {
    assert.equal(cleanName(text), name);
  }
});

test('whatever the text, the result is empty or a host name, and cleaning it again changes nothing', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const label = cleanLabel(text);
      assert.ok(label === '' || (LABEL.test(label) && label.length <= MAX_LABEL));
      assert.equal(cleanLabel(label), label);
      const name = cleanName(text);
      assert.ok(name.length <= MAX_NAME);
      assert.ok(name === '' || name.split('.').every((part) => LABEL.test(part) && part.length <= MAX_LABEL));
      assert.equal(cleanName(name), name);
    }),
  );
});
