import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseArgs, unknownArgs, type CniArgs } from '../../../src/cni/spec/args.ts';

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

test('IgnoreUnknown decides whether unknown keys are an error', () => {
  const known = new Set(['MAC']);
  assert.deepEqual(unknownArgs(parsed('MAC=x;K8S_POD_NAME=y'), known), ['K8S_POD_NAME']);
  for (const yes of ['1', 'true', 'TRUE']) {
    assert.deepEqual(unknownArgs(parsed(`IgnoreUnknown=${yes};K8S_POD_NAME=y`), known), []);
  }
  assert.deepEqual(unknownArgs(parsed('IgnoreUnknown=0;X=y'), known), ['X']);
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
