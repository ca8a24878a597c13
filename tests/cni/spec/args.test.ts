import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseArgs, podOf, type CniArgs } from '../../../src/cni/spec/args.ts';

function parsed(text: string): CniArgs {
  const args = parseArgs(text);
  assert.ok(args.ok);
  return args.value;
}

test('pairs are taken apart at the first "="; the last value of a key counts', () => {
  assert.deepEqual(
    [...parsed('A=1;B=x=y;A=2;C=').values],
    [
      ['A', '2'],
      ['B', 'x=y'],
      ['C', ''],
    ],
  );
  assert.equal(parsed('').values.size, 0);
  assert.equal(parsed('A=1;').values.size, 1);
});

test('what is no pair is refused', () => {
  for (const bad of ['A', '=1', 'A=1;B', ' ', 'IgnoreUnknown=maybe', `A=${'x'.repeat(200_000)}`]) {
    assert.ok(!parseArgs(bad).ok, bad.slice(0, 20));
  }
});

test('IgnoreUnknown is read and is no key; keys that nobody knows are taken without it too', () => {
  for (const [value, meaning] of [
    ['1', true],
    ['true', true],
    ['TRUE', true],
    ['0', false],
    ['false', false],
  ] as const) {
    const args = parsed(`IgnoreUnknown=${value};K8S_POD_NAME=y`);
    assert.deepEqual(args, { values: new Map([['K8S_POD_NAME', 'y']]), ignoreUnknown: meaning });
  }
  assert.deepEqual(parsed('X=y'), { values: new Map([['X', 'y']]), ignoreUnknown: false });
});

test('the pod: its name, and its namespace where the runtime says it', () => {
  for (const [text, pod] of [
    ['K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop', { namespace: 'shop', name: 'web-0' }],
    ['K8S_POD_NAME=db', { namespace: undefined, name: 'db' }],
    ['K8S_POD_NAME=db;K8S_POD_NAMESPACE=', { namespace: undefined, name: 'db' }],
    ['K8S_POD_NAMESPACE=shop', undefined],
    ['K8S_POD_NAME=we\u202eb', undefined],
    ['K8S_POD_NAME=', undefined],
    [`K8S_POD_NAME=${'x'.repeat(1025)}`, undefined],
    ['', undefined],
  ] as const) {
    assert.deepEqual(podOf(parsed(text)), pod, text.slice(0, 60));
  }
});

test('what was written is read, for any keys and values without ";"', () => {
  const text = fc.string().map((s) => s.replaceAll(';', ''));
  const key = text.map((s) => `k${s.replaceAll('=', '')}`);
  fc.assert(
    fc.property(fc.dictionary(key, text), (pairs) => {
      const written = Object.entries(pairs);
      assert.deepEqual([...parsed(written.map(([k, value]) => `${k}=${value}`).join(';')).values], written);
    }),
  );
});
