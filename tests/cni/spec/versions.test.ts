import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CNI_VERSIONS,
  isAtLeast,
  isSupported,
  knowsCheck,
  knowsGc,
  knowsStatus,
  versionReply,
} from '../../../src/cni/spec/versions.ts';

test('the seven released versions are supported, and no others', () => {
  assert.deepEqual(CNI_VERSIONS, ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']);
  for (const version of CNI_VERSIONS) assert.ok(isSupported(version));
  for (const other of ['', '0.1', '0.5.0', '1.2.0', 'v1.0.0', '1.0.0 ', '__proto__'])
    assert.ok(!isSupported(other));
});

test('versions are ordered', () => {
  assert.ok(isAtLeast('1.0.0', '0.4.0'));
  assert.ok(isAtLeast('0.3.1', '0.3.1'));
  assert.ok(!isAtLeast('0.3.0', '0.3.1'));
});

test('CHECK is known from 0.4.0 on, GC and STATUS from 1.1.0', () => {
  assert.deepEqual(CNI_VERSIONS.filter(knowsCheck), ['0.4.0', '1.0.0', '1.1.0']);
  assert.deepEqual(CNI_VERSIONS.filter(knowsGc), ['1.1.0']);
  assert.deepEqual(CNI_VERSIONS.filter(knowsStatus), ['1.1.0']);
});

test('VERSION answers in the version in which it is asked', () => {
  assert.deepEqual(versionReply('0.4.0'), { cniVersion: '0.4.0', supportedVersions: CNI_VERSIONS });
  assert.equal(versionReply().cniVersion, '1.1.0');
});
