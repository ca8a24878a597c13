import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseOverride } from '../../../src/cni/route-override/config.ts';
import { decodeConf } from '../../../src/cni/spec/conf.ts';
import { configError, configOf } from './support.ts';

test('all keys, and their defaults', () => {
  assert.deepEqual(configOf({}), {
    flushRoutes: false,
    flushGateway: false,
    delRoutes: [],
    addRoutes: [],
    skipCheck: false,
  });
  const keys = {
    flushroutes: true,
    flushgateway: true,
    delroutes: [{ dst: '10.0.0.0/8' }],
    addroutes: [
      { dst: '10.43.0.0/16', gw: '192.168.2.125' },
      { dst: 'fd00:43::/32', gw: 'fe80::1' },
    ],
    skipcheck: true,
  };
  assert.deepEqual(configOf(keys), {
    flushRoutes: true,
    flushGateway: true,
    delRoutes: [{ dst: { address: '10.0.0.0', prefix: 8 } }],
    addRoutes: [
      { dst: { address: '10.43.0.0', prefix: 16 }, gateway: '192.168.2.125' },
      { dst: { address: 'fd00:43::', prefix: 32 }, gateway: 'fe80::1' },
    ],
    skipCheck: true,
  });
});

test('args.cni overrides each key; an empty list there is a value', () => {
  const own = {
    flushroutes: true,
    flushgateway: true,
    addroutes: [{ dst: '10.0.0.0/8' }],
    delroutes: [{ dst: '10.1.0.0/16' }],
  };
  const cni = { flushroutes: false, addroutes: [], delroutes: null, other: 1 };
  const config = configOf({ ...own, args: { labels: {}, cni } });
  assert.equal(config.flushRoutes, false);
  assert.equal(config.flushGateway, true);
  assert.deepEqual(config.addRoutes, []);
  assert.equal(config.delRoutes.length, 1);
});

test("args without cni are somebody else's", () => {
  assert.equal(configOf({ flushroutes: true, args: { labels: { a: 'b' } } }).flushRoutes, true);
});

test('an all-zero gateway is none', () => {
  const config = configOf({
    addroutes: [
      { dst: '10.0.0.0/8', gw: '0.0.0.0' },
      { dst: 'fd00::/8', gw: '::' },
      { dst: '11.0.0.0/8', gw: '' },
    ],
  });
  assert.deepEqual(
    config.addRoutes.map((route) => 'gateway' in route),
    [false, false, false],
  );
});

test('what cannot work is an error that names the key', () => {
  const cases: [object, number, RegExp][] = [
    [{ flushroutes: 'yes' }, 7, /^flushroutes: expected boolean, not "yes"/],
    [{ addroutes: { dst: '10.0.0.0/8' } }, 7, /^addroutes: expected Array/],
    [{ addroutes: [{ gw: '10.0.0.1' }] }, 7, /^addroutes\[0\]\.dst: is missing/],
    [
      { addroutes: [{ dst: '10.0.0.1' }] },
      7,
      /^addroutes\[0\]\.dst: "10\.0\.0\.1" is not an address with prefix/,
    ],
    [{ addroutes: [{ dst: '10.43.0.1/16' }] }, 7, /bits behind its prefix; write 10\.43\.0\.0\/16/],
    [{ delroutes: [{ dst: 'fd00::1/64' }] }, 7, /^delroutes\[0\]\.dst: fd00::1\/64 .*write fd00::\/64/],
    [
      { addroutes: [{ dst: '10.43.0.0/16', gw: 'fd00::1' }] },
      7,
      /^addroutes\[0\]: dst and gw are not of one family/,
    ],
    [
      { addroutes: [{ dst: '10.43.0.0/16', gw: 'router' }] },
      7,
      /^addroutes\[0\]\.gw: "router" is not an IP address/,
    ],
    [
      { addroutes: [{ dst: '10.0.0.0/8', gw: '10.0.0.1' }, { dst: '10.0.0.0/8' }] },
      7,
      /^addroutes\[1\]: 10\.0\.0\.0\/8 has another gw/,
    ],
    [{ args: { cni: { skipcheck: 1 } } }, 7, /^args\.cni\.skipcheck: expected boolean, not 1/],
    [{ addecmproutes: [{ dst: '10.0.0.0/8', gws: [] }] }, 2, /^addecmproutes: .*not supported/],
    [{ args: { cni: { delecmproutes: [{}] } } }, 2, /^delecmproutes: /],
  ];
  for (const [keys, code, text] of cases) {
    const error = configError(keys);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, text);
  }
});

test('any configuration is read or refused, and never throws', () => {
  const key = fc.constantFrom(
    'flushroutes',
    'delroutes',
    'addroutes',
    'addecmproutes',
    'args',
    'cni',
    'dst',
    'gw',
  );
  const leaf = fc.oneof(fc.jsonValue(), fc.constantFrom('10.0.0.0/8', '10.0.0.1', 'fd00::/8'));
  const inner = fc.dictionary(key, leaf);
  fc.assert(
    fc.property(fc.dictionary(key, fc.oneof(leaf, inner, fc.array(inner))), (keys) => {
      const text = JSON.stringify({ name: 'lan', ...keys });
      const conf = decodeConf(new TextEncoder().encode(text));
      if (!conf.ok) return;
      const config = parseOverride(conf.value);
      if (!config.ok) assert.ok([2, 7].includes(config.error.code));
    }),
    { numRuns: 500 },
  );
});
