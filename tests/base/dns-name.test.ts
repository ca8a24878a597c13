import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isDnsName, MAX_LABEL, MAX_NAME, readDnsName } from '../../src/base/dns-name.ts';

const LABEL = 'a'.repeat(MAX_LABEL);

test('names as they are', () => {
  for (const name of [
    'lan',
    'home.arpa',
    'a-b.c_d.E9',
    '_dns-sd._udp',
    LABEL,
    `${LABEL}.${LABEL}.${LABEL}.${'a'.repeat(61)}`,
  ]) {
    assert.ok(isDnsName(name), name);
    assert.equal(readDnsName(`${name}.`), name);
  }
});

test('what would be another word of resolv.conf, a command, or not to be seen is no name', () => {
  const none = [
    '',
    '.',
    '..',
    'a..b',
    '.a',
    'a..',
    'a options ndots:15',
    'a b',
    'a\tb',
    'a\nnameserver 6.6.6.6',
    '$(id)',
    '`id`',
    'a;b',
    "a'b",
    'a/b',
    '../a',
    'a:b',
    'büro.lan',
    'a\u202Eb',
    'a\u200Bb',
    'a\u{E0041}',
    `${LABEL}a`,
    `${LABEL}.${LABEL}.${LABEL}.${LABEL}`,
  ];
  for (const text of none) assert.equal(readDnsName(text), undefined, JSON.stringify(text));
});

test('whatever comes, a name has letters, digits, hyphens, underscores and dots, within the lengths of RFC 1035', () => {
  const parts = fc.constantFrom('a', 'Z', '9', '-', '_', '.', ' ', '\n', '$', 'ü', '\u202E', LABEL);
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(parts, { maxLength: 12 }).map((some) => some.join('')),
  );
  fc.assert(
    fc.property(text, (any) => {
      const name = readDnsName(any);
      if (name === undefined) return;
      assert.match(name, /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/);
      assert.ok(name.length <= MAX_NAME);
      assert.ok(any === name || any === `${name}.`);
    }),
    { numRuns: 5000 },
  );
});
