import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { invariant, InvariantError } from '../../src/base/invariant.ts';
import { isJsonObject, parseJson } from '../../src/base/json.ts';
import { isMulticastMac, isZeroMac, mac, macFromBytes, macToBytes, parseMac } from '../../src/base/mac.ts';
import { err, ok } from '../../src/base/result.ts';
import { isSysError, SysError } from '../../src/base/sys-error.ts';
import { between, earliest, formatDuration, instant, later, millis, seconds } from '../../src/base/time.ts';

describe('Mac', () => {
  test('is lower case with colons; dashes are taken', () => {
    assert.equal(parseMac('02-00-5E-10-00-0A'), '02:00:5e:10:00:0a');
    for (const text of [
      '',
      '02:00:5e:10:00',
      '02:00:5e:10:00:01:02',
      '02005e100001',
      '02:00-5e:10:00:01',
      'g2:00:5e:10:00:01',
      '2:0:5e:10:0:1',
    ]) {
      assert.equal(parseMac(text), undefined, text);
    }
    assert.throws(() => mac('x'), /not a MAC address/);
  });

  test('bytes come back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const address = macFromBytes(bytes);
        assert.equal(parseMac(address), address);
        assert.deepEqual(macToBytes(address), bytes);
      }),
    );
    assert.equal(macFromBytes(Uint8Array.of(9, 2, 0, 0x5e, 0x10, 0, 1), 1), '02:00:5e:10:00:01');
    assert.throws(() => macFromBytes(new Uint8Array(5)), /six bytes/);
  });

  test('group addresses and zero', () => {
    assert.ok(isMulticastMac(mac('01:00:5e:00:00:01')) && isMulticastMac(mac('ff:ff:ff:ff:ff:ff')));
    assert.ok(!isMulticastMac(mac('02:00:00:00:00:01')));
    assert.ok(isZeroMac(mac('00:00:00:00:00:00')) && !isZeroMac(mac('00:00:00:00:00:01')));
  });
});

describe('parseJson', () => {
  test('gives the value', () => {
    assert.deepEqual(parseJson('{"a":[1,null,"x"]}'), ok({ a: [1, null, 'x'] }));
    assert.deepEqual(parseJson('7'), ok(7));
  });

  test('bounds the nesting before it parses', () => {
    assert.deepEqual(
      parseJson('['.repeat(10_000) + ']'.repeat(10_000)),
      err({ kind: 'too-deep', limit: 64 }),
    );
    assert.ok(parseJson('['.repeat(64) + ']'.repeat(64)).ok);
    assert.ok(!parseJson('['.repeat(65) + ']'.repeat(65)).ok);
    assert.ok(!parseJson('{"a":{"b":1}}', 1).ok);
    assert.ok(parseJson('[[],[],[]]', 2).ok, 'siblings are not nesting');
  });

  test('brackets in strings are text', () => {
    assert.ok(parseJson(`"${'['.repeat(1000)}"`).ok);
    assert.deepEqual(parseJson(String.raw`"\"[[[["`, 1), ok('"[[[['));
    assert.ok(parseJson(String.raw`["\\",[]]`, 2).ok);
  });

  test('never throws', () => {
    for (const text of ['', '{', 'nul', '{"a":1,}', '"\\', '[1}']) {
      const read = parseJson(text);
      assert.ok(!read.ok && read.error.kind === 'syntax', text);
    }
    fc.assert(fc.property(fc.string(), (text) => void parseJson(text)));
    fc.assert(fc.property(fc.json(), (text) => parseJson(text).ok));
  });

  test('objects are told from arrays and null', () => {
    assert.ok(isJsonObject({}));
    for (const value of [null, [], 'x', 1, undefined]) assert.ok(!isJsonObject(value));
  });
});

describe('time', () => {
  test('instants and durations', () => {
    const start = instant(1000);
    assert.equal(later(start, seconds(2)), 3000);
    assert.equal(between(start, instant(400)), -600);
    assert.equal(earliest(instant(5), instant(3), instant(9)), 3);
  });

  test('durations for people', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0 ms'],
      [250, '250 ms'],
      [999.4, '999 ms'],
      [1000, '1 s'],
      [61_000, '1 min 1 s'],
      [7_500_000, '2 h 5 min'],
      [90_061_000, '1 d 1 h'],
      [3_600_000, '1 h'],
      [86_400_000, '1 d'],
    ];
    for (const [ms, text] of cases) assert.equal(formatDuration(millis(ms)), text);
    // Rounding must not end in a unit of its own kind, nor in nothing.
    assert.equal(formatDuration(millis(999.6)), '1 s');
  });
});

describe('errors', () => {
  test('SysError names operation, code and detail', () => {
    const error = new SysError('RTM_NEWLINK eth0', 'EEXIST', 'File exists');
    assert.equal(error.message, 'RTM_NEWLINK eth0: EEXIST (File exists)');
    assert.equal(new SysError('socket', 'EPERM').message, 'socket: EPERM');
    assert.ok(isSysError(error) && isSysError(error, 'ENODEV', 'EEXIST'));
    assert.ok(!isSysError(error, 'ENODEV') && !isSysError(new Error('EEXIST')));
  });

  test('invariant throws its own kind', () => {
    assert.throws(() => invariant(false, 'one is two'), InvariantError);
    invariant(1, 'truthy is enough');
  });
});
