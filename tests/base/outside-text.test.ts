import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { isPlain, visible, visibleJson } from '../../src/base/outside-text.ts';

/** What was seen to hide or to turn text: controls, bidirectional ones, separators, blanks without width, tags. */
const UNSEEN = [
  '\0',
  '\n',
  '\u001B',
  '\u007F',
  '\u009B',
  '\u00AD',
  '\u061C',
  '\u115F',
  '\u180E',
  '\u200B',
  '\u200D',
  '\u200E',
  '\u202A',
  '\u202E',
  '\u2028',
  '\u2029',
  '\u2060',
  '\u2066',
  '\u2069',
  '\u3164',
  '\uFE0F',
  '\uFEFF',
  '\uFFF9',
  '\uD800',
  '\uDFFF',
  '\uE000',
  '\uFFFF',
  '\u{1D173}',
  '\u{E0001}',
  '\u{E0041}',
  '\u{E0100}',
  '\u{F0000}',
];
const SEEN = ['', 'a b', 'büro', '日本', 'مرحبا', '#~"\\', '\u00A0', '👍'];

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.constantFrom(...UNSEEN, ...SEEN), { maxLength: 12 }).map((parts) => parts.join('')),
);

describe('text from outside', () => {
  test('what cannot be seen is not plain, and what can be seen is', () => {
    for (const unseen of UNSEEN) assert.equal(isPlain(`a${unseen}b`), false, visible(unseen));
    for (const seen of SEEN) assert.ok(isPlain(seen), seen);
  });

  test('is escaped, and the rest of it stays', () => {
    assert.equal(visible('pay\u202Eslaf\u{E0041}'), String.raw`pay\u{202e}slaf\u{e0041}`);
    assert.equal(visible('a\nb\u2028c'), String.raw`a\u{a}b\u{2028}c`);
    assert.equal(visible('x'.repeat(9), 4), 'xxxx…');
    for (const seen of SEEN) assert.equal(visible(seen), seen);
  });

  test('whatever it is, it is plain afterwards, and once is enough', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = visible(text);
        assert.ok(isPlain(shown));
        assert.equal(visible(shown), shown);
        if (isPlain(text)) assert.equal(shown, text);
      }),
      { numRuns: 2000 },
    );
  });

  test('JSON means the same, and no line of it deceives', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyText), fc.constantFrom(undefined, 2), (value, indent) => {
        const json = visibleJson(JSON.stringify(value, undefined, indent));
        assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(value)));
        assert.ok(json.split('\n').every(isPlain));
      }),
      { numRuns: 1000 },
    );
  });

  test('is judged in one place: nobody else in src/ has a rule for such characters', () => {
    const folder = join(import.meta.dirname, '..', '..', 'src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const own = files.filter((name) => /\\[pP]\{(C|Z)/.test(readFileSync(join(folder, name), 'utf8')));
    assert.deepEqual(own, [join('base', 'outside-text.ts')]);
  });
});
