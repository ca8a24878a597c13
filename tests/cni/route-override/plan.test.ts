import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatCidr } from '../../../src/base/cidr.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { planOverride } from '../../../src/cni/route-override/plan.ts';
import { routeError, targetInterface } from '../../../src/cni/route-override/routes.ts';
import { EMPTY_RESULT, type CniRoute } from '../../../src/cni/spec/result.ts';
import { resultToVersion } from '../../../src/cni/spec/result-write.ts';
import { configOf, planned, resultOf, route, routes } from './support.ts';

const KERNEL = routes(
  '0.0.0.0/0 via 192.168.2.1',
  '192.168.2.0/24 link',
  '10.0.0.0/8 via 192.168.2.9',
  '172.16.0.0/12 link',
  '169.254.7.0/24 via 192.168.2.9',
  '::/0 via fd00::1 metric 1024',
  'fd00::/64 metric 256',
  'fe80::/64 metric 256',
  'fd99::/16 via fd00::9 metric 1024',
);
const PREV = resultOf({
  routes: [
    { dst: '0.0.0.0/0', gw: '192.168.2.1' },
    { dst: '10.0.0.0/8', gw: '192.168.2.9' },
    { dst: '172.16.0.0/12' },
    { dst: '::/0' },
  ],
});

const list = (some: readonly { readonly dst: CniRoute['dst'] }[]): string[] =>
  some.map(({ dst }) => formatCidr(dst));

test('home-lab-2: the service network goes to the node, everything else stays', () => {
  const conflist = JSON.parse(readFileSync(new URL('home-lab-2.conflist', import.meta.url), 'utf8'));
  const prev = resultOf({ routes: [{ dst: '0.0.0.0/0', gw: '192.168.2.1' }] });
  const keys = { ...conflist.plugins[1], cniVersion: conflist.cniVersion, name: conflist.name };
  const plan = planned(keys, prev, routes('0.0.0.0/0 via 192.168.2.1', '192.168.2.0/24 link'));
  assert.deepEqual(plan.delete, []);
  assert.deepEqual(plan.add, [
    { dst: { address: '10.43.0.0', prefix: 16 }, gateway: '192.168.2.125', scope: 'global' },
  ]);
  assert.deepEqual(resultToVersion(plan.result, '0.3.1')['routes'], [
    { dst: '0.0.0.0/0', gw: '192.168.2.1' },
    { dst: '10.43.0.0/16', gw: '192.168.2.125' },
  ]);
  assert.deepEqual(plan.result.ips, prev.ips);
});

test('nothing asked: nothing done, the previous result is passed on', () => {
  assert.deepEqual(planned({}, PREV, KERNEL), { delete: [], add: [], result: PREV });
});

test('flushroutes spares what is of scope link, connected or link-local; the result has no routes', () => {
  const plan = planned({ flushroutes: true }, PREV, KERNEL);
  assert.deepEqual(list(plan.delete), ['0.0.0.0/0', '10.0.0.0/8', '::/0', 'fd99::/16']);
  assert.deepEqual(plan.result, { ...PREV, routes: [] });
});

test('flushgateway takes the default routes of both families, and the gateways of the addresses', () => {
  const current = [...KERNEL, route('0.0.0.0/0 link metric 7')];
  const plan = planned({ flushgateway: true }, PREV, current);
  assert.deepEqual(list(plan.delete), ['0.0.0.0/0', '::/0', '0.0.0.0/0']);
  assert.deepEqual(list(plan.result.routes), ['10.0.0.0/8', '172.16.0.0/12']);
  assert.deepEqual(
    plan.result.ips,
    PREV.ips.map(({ address, interface: index }) => ({ address, interface: index })),
  );
});

test('delroutes takes those that are in the result, by destination', () => {
  const delroutes = [{ dst: '10.0.0.0/8', gw: '1.2.3.4' }, { dst: '0.0.0.0/0' }, { dst: '192.168.2.0/24' }];
  const current = [...KERNEL, route('10.0.0.0/8 via 192.168.2.8 metric 5')];
  const plan = planned({ delroutes }, PREV, current);
  assert.deepEqual(list(plan.delete), ['0.0.0.0/0', '10.0.0.0/8', '10.0.0.0/8']);
  assert.deepEqual(list(plan.result.routes), ['172.16.0.0/12', '::/0']);
});

test('delroutes counts beside flushroutes', () => {
  const plan = planned({ flushroutes: true, delroutes: [{ dst: '172.16.0.0/12' }] }, PREV, KERNEL);
  assert.ok(list(plan.delete).includes('172.16.0.0/12'));
});

test('a route is deleted and added again with another gateway', () => {
  const keys = { delroutes: [{ dst: '10.0.0.0/8' }], addroutes: [{ dst: '10.0.0.0/8', gw: '192.168.2.3' }] };
  const plan = planned(keys, PREV, KERNEL);
  assert.deepEqual(plan.delete, [KERNEL[2]]);
  assert.deepEqual(
    plan.add.map((added) => added.gateway),
    ['192.168.2.3'],
  );
  assert.deepEqual(plan.result.routes.at(-1), { dst: { address: '10.0.0.0', prefix: 8 }, gw: '192.168.2.3' });
});

test('addroutes without gw is on the interface; twice is once', () => {
  const plan = planned(
    { addroutes: [{ dst: '10.43.0.0/16' }, { dst: '10.43.0.0/16' }, { dst: 'fd43::/32' }] },
    PREV,
    KERNEL,
  );
  assert.deepEqual(plan.add, [
    { dst: { address: '10.43.0.0', prefix: 16 }, scope: 'link' },
    { dst: { address: 'fd43::', prefix: 32 }, scope: 'link' },
  ]);
  assert.deepEqual(list(plan.result.routes).slice(-2), ['10.43.0.0/16', 'fd43::/32']);
});

test('a route that is there already is neither added nor told twice', () => {
  const plan = planned({ addroutes: [{ dst: '10.0.0.0/8', gw: '192.168.2.9' }] }, PREV, KERNEL);
  assert.deepEqual(plan.add, []);
  assert.deepEqual(plan.result, PREV);
});

test('a route that the kernel would refuse is an error before anything is touched', () => {
  for (const [dst, gw] of [
    ['0.0.0.0/0', '192.168.2.3'],
    ['::/0', 'fd00::3'],
  ]) {
    const plan = planOverride(configOf({ flushroutes: false, addroutes: [{ dst, gw }] }), PREV, KERNEL);
    assert.ok(!plan.ok);
    assert.equal(plan.error.code, 109);
    assert.match(
      plan.error.message,
      /cannot add default .* via .*3: the interface keeps default .* via .*1$/,
    );
  }
  const beside = [route('0.0.0.0/0 via 192.168.2.1 metric 100')];
  assert.equal(planned({ addroutes: [{ dst: '0.0.0.0/0', gw: '192.168.2.3' }] }, PREV, beside).add.length, 1);
});

test('without prevResult it is in the wrong place', () => {
  const plan = planOverride(configOf({}), undefined, KERNEL);
  assert.ok(!plan.ok && plan.error.code === 7);
  assert.match(plan.error.message, /prevResult is missing: .*must be chained after/);
});

test('the interface is the first one in a sandbox, else eth0', () => {
  assert.equal(targetInterface(PREV), 'net1');
  assert.equal(targetInterface(EMPTY_RESULT), 'eth0');
  assert.equal(targetInterface({ ...PREV, interfaces: [{ name: 'br0' }] }), 'eth0');
  for (const name of ['eth%d', '', 'a'.repeat(16), 'a\u0000']) {
    assert.throws(
      () => targetInterface({ ...PREV, interfaces: [{ name: 'br0' }, { name, sandbox: '/run/netns/x' }] }),
      { code: 7, message: /^prevResult\.interfaces\[1\]\.name: / },
    );
  }
});

test("the kernel's refusal names the route, the interface and the reason", () => {
  const cause = new SysError('RTM_NEWROUTE', 'ENETUNREACH', 'Nexthop has invalid gateway');
  const error = routeError('add', route('10.43.0.0/16 via 192.168.9.1'), 'net1', cause);
  assert.equal(error.code, 109);
  assert.match(
    error.message,
    /cannot add 10\.43\.0\.0\/16 via 192\.168\.9\.1 of net1: its gateway is not on a network/,
  );
  assert.match(
    routeError('delete', route('0.0.0.0/0 via 10.0.0.1'), 'net1', 'why').message,
    /delete default .*: why$/,
  );
});

test('properties: deletes are of the routes that are there, and what is added is in the result', () => {
  const dst = fc.constantFrom(
    '0.0.0.0/0',
    '10.0.0.0/8',
    '10.43.0.0/16',
    '172.16.0.0/12',
    '::/0',
    'fd99::/16',
  );
  const wanted = fc.array(
    dst.map((text) => ({ dst: text })),
    { maxLength: 6 },
  );
  const keys = fc.record({
    flushroutes: fc.boolean(),
    flushgateway: fc.boolean(),
    delroutes: wanted,
    addroutes: wanted,
  });
  fc.assert(
    fc.property(keys, fc.subarray(KERNEL), (asked, current) => {
      const plan = planOverride(configOf(asked), PREV, current);
      if (!plan.ok) return assert.equal(plan.error.code, 109);
      assert.ok(plan.value.delete.every((gone) => current.includes(gone)));
      const told = list(plan.value.result.routes);
      for (const text of list(plan.value.add)) assert.ok(told.includes(text));
      for (const { dst: text } of asked.addroutes) assert.ok(told.includes(text));
    }),
  );
});
