import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/base/json.ts';
import type { Mac } from '../../../src/base/mac.ts';
import { readMacvlanConf } from '../../../src/cni/plugins/macvlan-conf.ts';
import { attachedAs } from '../identity/support.ts';
import { MAC, netConf, refused } from './support.ts';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const C = '02:00:00:00:00:0c';
const D = '02:00:00:00:00:0d';

function macOf(
  keys: JsonObject,
  options: { arg?: string; byDefault?: 'random' | 'pod'; without?: boolean } = {},
): Mac | undefined {
  const { args } = attachedAs(options.arg === undefined ? {} : { MAC: options.arg });
  const source = { byDefault: options.byDefault ?? 'random', make: () => MAC };
  return readMacvlanConf(netConf(keys), args, options.without === true ? undefined : source).mac;
}

test('runtimeConfig, args.cni, CNI_ARGS, configuration: the first that states one', () => {
  const runtimeConfig = { mac: A };
  const args = { cni: { mac: B } };
  for (const [keys, arg, mac] of [
    [{ runtimeConfig, args, mac: D }, C, A],
    [{ args, mac: D }, C, B],
    [{ mac: D }, C, C],
    [{ mac: D }, undefined, D],
    [{ runtimeConfig: { mac: '' }, args: { cni: { mac: null } }, mac: D }, '', D],
    [{ mac: 'pod' }, C, C],
    [{ runtimeConfig, mac: 'pod' }, undefined, A],
  ] as const) {
    assert.equal(macOf(keys as JsonObject, arg === undefined ? {} : { arg }), mac, JSON.stringify(keys));
  }
});

test("policies: random is the kernel's, pod is made; the configuration over the daemon", () => {
  assert.equal(macOf({}), undefined);
  assert.equal(macOf({ mac: '' }), undefined);
  assert.equal(macOf({ mac: 'random' }), undefined);
  assert.equal(macOf({ mac: 'pod' }), MAC);
  assert.equal(macOf({}, { byDefault: 'pod' }), MAC);
  assert.equal(macOf({ mac: 'random' }, { byDefault: 'pod' }), undefined);
  assert.equal(macOf({ mac: D }, { byDefault: 'pod' }), D);
  assert.equal(macOf({ mac: 'pod' }, { without: true }), undefined);
});

test('what is no MAC is refused with its place', () => {
  refused(() => macOf({ mac: 'pods' }), /^mac: "pods" is not an Ethernet address .*, nor one of random, pod/);
  refused(() => macOf({}, { arg: 'pod' }), /^CNI_ARGS MAC: "pod" is not an Ethernet address/);
  refused(() => macOf({ runtimeConfig: { mac: 5 } }), /^runtimeConfig\.mac: must be text/);
  refused(() => macOf({ args: { cni: { mac: 5 } } }), /^args\.cni\.mac: must be text/);
  refused(() => macOf({ args: { cni: { mac: '01:00:00:00:00:00' } } }), /^args\.cni\.mac: .*multicast/);
  refused(() => macOf({ mac: '00:00:00:00:00:00' }), /^mac: .*no interface's address/);
});
