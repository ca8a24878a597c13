import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeConf } from '../../src/cni/spec/conf.ts';
import { readLeaseholdConf } from '../../src/cni/leasehold/conf.ts';

test('one plugin alone with cniVersions, which a runtime hands on as it is', () => {
  const text = '{"cniVersion":"1.1.0","cniVersions":["1.0.0","1.1.0"],"name":"lan","type":"leasehold"}';
  const conf = decodeConf(new TextEncoder().encode(text));
  assert.ok(conf.ok);
  assert.equal(readLeaseholdConf(conf.value).mode, 'macvlan');
});
