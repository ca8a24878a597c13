import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../../src/base/json.ts';
import { foldKeys, type KeyTree, leaves } from '../../../src/cni/spec/key-case.ts';

const TREE: KeyTree = {
  mode: true,
  master: true,
  ipam: { type: true, priority: true, provide: { option: true, fromArg: true } },
  linkInContainer: true,
  dns: { a: { deep: true, deeper: true } },
};

function read(object: JsonObject): JsonObject {
  return foldKeys(object, TREE).value;
}

describe('as encoding/json reads into a struct', () => {
  const cases: readonly (readonly [what: string, written: JsonObject, read: JsonObject])[] = [
    [
      'the case of letters does not count',
      { MODE: 'a', LinkInContainer: true },
      { mode: 'a', linkInContainer: true },
    ],
    [
      'the Kelvin sign and the long s are letters too',
      { 'lin\u212AInContainer': 1, 'ma\u017Fter': 2 },
      { linkInContainer: 1, master: 2 },
    ],
    [
      'no other letter is',
      { 'm\u00F6de': 1, 'mode\u0301': 2, modе: 3 },
      { 'm\u00F6de': 1, 'mode\u0301': 2, 'mod\u0435': 3 },
    ],
    ['what is no key stays as it is', { Other: { Mode: 1 } }, { Other: { Mode: 1 } }],
    ['the last of several counts, however it is written', { mode: 'a', Mode: 'b' }, { mode: 'b' }],
    ['the same the other way round', { Mode: 'b', mode: 'a' }, { mode: 'a' }],
    ['a null leaves what is there', { mode: 'a', Mode: null }, { mode: 'a' }],
    ['but takes a list away', { ipam: { provide: [{}], Provide: null } }, { ipam: { provide: null } }],
    ['a null before it does nothing', { Mode: null, mode: 'a' }, { mode: 'a' }],
    [
      'objects are merged',
      { ipam: { type: 'dhcp' }, IPAM: { Priority: 5 } },
      { ipam: { type: 'dhcp', priority: 5 } },
    ],
    [
      'to the bottom',
      { dns: { a: { Deep: 1, deeper: 2 } }, Dns: { A: { deep: 3 } } },
      { dns: { a: { deep: 3, deeper: 2 } } },
    ],
    ['lists are not', { ipam: { provide: [{ option: 'a' }], Provide: [] } }, { ipam: { provide: [] } }],
    [
      'inside of objects and of lists',
      { Ipam: { Type: 'dhcp', PROVIDE: [{ Option: 'a', FROMARG: 'b' }, 'x'] } },
      { ipam: { type: 'dhcp', provide: [{ option: 'a', fromArg: 'b' }, 'x'] } },
    ],
  ];
  for (const [what, written, expected] of cases) {
    test(what, () => assert.deepEqual(read(written), expected));
  }

  test('of all characters that have a case two are letters of ASCII in another case', () => {
    const characters: Record<string, number> = {};
    for (let point = 0x80; point <= 0x10ffff; point++) {
      const character = String.fromCodePoint(point);
      if (/[\p{Changes_When_Casefolded}\p{Changes_When_Casemapped}]/u.test(character))
        characters[character] = point;
    }
    assert.ok(Object.keys(characters).length > 2000);
    const { respelled } = foldKeys(characters, leaves('abcdefghijklmnopqrstuvwxyz'.split('')));
    const found = respelled.map(({ written, key }) => `${key} ${written.codePointAt(0)?.toString(16) ?? ''}`);
    assert.deepEqual(found, ['s 17f', 'k 212a']);
  });
});

test('what was respelled is told by its path', () => {
  const { respelled } = foldKeys({ mode: 1, Ipam: { provide: [{}, { Option: 1 }] } }, TREE);
  assert.deepEqual(respelled, [
    { written: 'Ipam', key: 'ipam' },
    { written: 'ipam.provide[1].Option', key: 'ipam.provide[1].option' },
  ]);
});

test('keys with a meaning of their own in JavaScript are keys like others', () => {
  const hostile = JSON.parse('{"__proto__":{"mode":1},"constructor":2,"hasOwnProperty":3}') as JsonObject;
  assert.equal(JSON.stringify(read(hostile)), JSON.stringify(hostile));
});
