import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ifnameProblem, linkNameProblem } from '../../src/base/ifname.ts';

test('a name that the kernel takes and leaves as it is', () => {
  for (const good of ['e', 'net1', 'abcdefghijklmno', 'a.b', 'eth-0', '...', 'é'.repeat(7), 'a@b*?']) {
    assert.equal(ifnameProblem(good), undefined, good);
  }
});

test('what it refuses, or reads otherwise', () => {
  const bad: readonly (readonly [string, RegExp])[] = [
    ['', /empty/],
    ['abcdefghijklmnop', /longer than 15 bytes/],
    ['é'.repeat(8), /longer than 15 bytes/],
    ['.', /does not allow/],
    ['..', /does not allow/],
    ['a/b', /"\/"/],
    ['eth0:1', /":"/],
    ['a b', /white space/],
    ['a\tb', /white space/],
    ['a\u0000b', /control/],
    ['a\u001b[m', /control/],
    ['à', /byte A0/],
    ['eth%d', /"%"/],
    ['%', /"%"/],
    ['a%%b', /"%"/],
  ];
  for (const [name, why] of bad) assert.match(ifnameProblem(name) ?? 'none', why, JSON.stringify(name));
});

test('an interface that is there may be named by up to 127 bytes', () => {
  assert.equal(linkNameProblem('averyveryverylongname0'), undefined);
  assert.equal(linkNameProblem('a'.repeat(127)), undefined);
  assert.match(linkNameProblem('a'.repeat(128)) ?? 'none', /longer than 127 bytes/);
  for (const bad of ['', '..', 'a/b', 'eth%d', 'a\u0000']) assert.ok(linkNameProblem(bad), bad);
});
