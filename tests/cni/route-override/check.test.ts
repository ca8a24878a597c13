import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOverride, mismatchError } from '../../../src/cni/route-override/check.ts';
import { configOf, planned, resultOf, routes } from './support.ts';

const PREV = resultOf({
  routes: [
    { dst: '0.0.0.0/0', gw: '192.168.2.1' },
    { dst: '10.43.0.0/16', gw: '192.168.2.125' },
  ],
});
const KERNEL = ['0.0.0.0/0 via 192.168.2.1', '192.168.2.0/24 link', '10.43.0.0/16 via 192.168.2.125'];
const ADDED = { addroutes: [{ dst: '10.43.0.0/16', gw: '192.168.2.125' }] };

function mismatches(keys: object, prev: typeof PREV | undefined, ...kernel: readonly string[]): string[] {
  const found = checkOverride(configOf(keys), prev, routes(...kernel));
  assert.ok(found.ok, found.ok ? '' : found.error.message);
  return found.value.map(({ kind, text }) => `${kind}: ${text}`);
}

test('all is well after an ADD', () => {
  assert.deepEqual(mismatches(ADDED, PREV, ...KERNEL), []);
});

test('a route that is gone, or goes elsewhere, is named', () => {
  assert.deepEqual(mismatches(ADDED, PREV, ...KERNEL.slice(0, 2)), [
    'missing: 10.43.0.0/16 via 192.168.2.125 is missing',
  ]);
  assert.deepEqual(mismatches(ADDED, PREV, ...KERNEL.slice(0, 2), '10.43.0.0/16 via 192.168.2.9'), [
    'other-gateway: 10.43.0.0/16 via 192.168.2.125 is instead 10.43.0.0/16 via 192.168.2.9',
  ]);
});

test('a route without gw may be on the interface or by the gateway of an address', () => {
  const prev = resultOf({ routes: [{ dst: '10.0.0.0/8' }, { dst: '::/0' }] });
  assert.deepEqual(mismatches({}, prev, '10.0.0.0/8 link', '::/0 via fd00::1'), []);
  assert.deepEqual(mismatches({}, prev, '10.0.0.0/8 via 192.168.2.9', '::/0 via fd00::1').length, 1);
});

test('one of several routes to a destination is enough', () => {
  assert.deepEqual(mismatches(ADDED, PREV, ...KERNEL, '10.43.0.0/16 via 192.168.2.9 metric 50'), []);
});

test('a deleted route that is there again is named; a default route does not stand for it', () => {
  const keys = { ...ADDED, delroutes: [{ dst: '10.0.0.0/8' }] };
  assert.deepEqual(mismatches(keys, PREV, ...KERNEL), []);
  assert.deepEqual(mismatches(keys, PREV, ...KERNEL, '10.0.0.0/8 via 192.168.2.9'), [
    'not-removed: 10.0.0.0/8 via 192.168.2.9 is not removed',
  ]);
});

test('a route that is deleted and added again, and a connected network in delroutes, are no mismatch', () => {
  const keys = { ...ADDED, delroutes: [{ dst: '10.43.0.0/16' }, { dst: '192.168.2.0/24' }] };
  assert.deepEqual(mismatches(keys, PREV, ...KERNEL), []);
});

test('skipcheck', () => {
  assert.deepEqual(mismatches({ ...ADDED, skipcheck: true }, PREV), []);
  assert.deepEqual(mismatches({ skipcheck: true }, undefined), []);
});

test('without prevResult it is an error', () => {
  const found = checkOverride(configOf({}), undefined, []);
  assert.ok(!found.ok && found.error.code === 7);
});

test('the error lists what differs, bounded', () => {
  const many = Array.from(
    { length: 20 },
    (_, i) => ({ kind: 'missing', text: `10.${i}.0.0/16 is missing` }) as const,
  );
  const error = mismatchError('net1', many);
  assert.equal(error.code, 150);
  assert.match(error.message, /routes of net1 .*10\.0\.0\.0\/16 is missing; .*; and 12 more$/);
});

test('a plan that was carried out checks clean', () => {
  const keys = {
    flushgateway: true,
    delroutes: [{ dst: '10.43.0.0/16' }],
    addroutes: [{ dst: '10.43.0.0/16' }, { dst: '10.96.0.0/12', gw: '192.168.2.5' }],
  };
  const before = routes(...KERNEL);
  const plan = planned(keys, PREV, before);
  const after = [...before.filter((route) => !plan.delete.includes(route)), ...plan.add];
  assert.deepEqual(checkOverride(configOf(keys), plan.result, after), { ok: true, value: [] });
});
