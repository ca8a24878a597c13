import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sectionOf, withSection } from '../../bench/sections.ts';

const TEXT = '# All\n\n## One\n\n1\n\n## Two\n\n2\n\n### Part\n\n## Three\n\n3\n';

void test('a section goes from its heading to before the next of its level', () => {
  assert.equal(sectionOf(TEXT, '## Two'), '## Two\n\n2\n\n### Part\n\n');
  assert.equal(sectionOf(TEXT, '## Three'), '## Three\n\n3\n');
  assert.equal(sectionOf(TEXT, '## Four'), undefined);
});

void test('a section takes the place of the one with its heading, or comes last', () => {
  const changed = withSection(TEXT, '## Two', '## Two\n\nnew\n');
  assert.equal(changed, '# All\n\n## One\n\n1\n\n## Two\n\nnew\n\n## Three\n\n3\n');
  assert.equal(withSection(changed, '## Two', '## Two\n\nnew\n'), changed, 'twice is as once');
  assert.equal(withSection(TEXT, '## Three', '## Three\n\n4\n'), TEXT.replace('3\n', '4\n'));
  assert.equal(withSection('# All\n', '## Four', '## Four\n'), '# All\n\n## Four\n');
});
