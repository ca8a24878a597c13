import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dhcpConf, refused } from './support.ts';

const USUAL = { metric: undefined, routes: 'all', table: undefined, mtu: true } as const;

describe('`routes` in the section ipam', () => {
  test('a word, or an object with what is stated', () => {
    assert.deepEqual(dhcpConf({}).apply, USUAL);
    assert.deepEqual(dhcpConf({ routes: 'none' }).apply, { ...USUAL, routes: 'none' });
    assert.deepEqual(dhcpConf({ routes: { table: 100, metric: 5 } }).apply, {
      ...USUAL,
      table: 100,
      metric: 5,
    });
    assert.deepEqual(dhcpConf({ routes: 'subnet', priority: 7 }).apply, {
      ...USUAL,
      routes: 'subnet',
      metric: 7,
    });
    assert.deepEqual(dhcpConf({ routes: { metric: 5 }, priority: 0 }).apply, { ...USUAL, metric: 5 });
  });

  test('the list of another plugin is none of ours', () => {
    assert.deepEqual(dhcpConf({ routes: [{ dst: '0.0.0.0/0' }] }).apply, USUAL);
    assert.deepEqual(dhcpConf({ routes: null }).apply, USUAL);
  });

  test('what cannot be is refused with its key', () => {
    refused(() => dhcpConf({ routes: 'some' }), /^ipam\.routes: expected/);
    refused(() => dhcpConf({ routes: true }), /^ipam\.routes: must be one of all, subnet, none/);
    refused(() => dhcpConf({ routes: { table: 255 } }), /^ipam\.routes\.table: .*kernel's own/);
    refused(() => dhcpConf({ routes: { use: 'none', metric: 1 } }), /^ipam\.routes: .*no route/);
    refused(() => dhcpConf({ routes: { metric: 1 }, priority: 2 }), /^ipam\.priority: .*remove one/);
    refused(() => dhcpConf({ route: 'none' }), /did you mean "routes"/);
  });
});
