import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as v from 'valibot';
import { CniError } from '../../../src/cni/spec/errors.ts';
import { answerVersion, decodeConf, readPrevResult, type NetConf } from '../../../src/cni/spec/conf.ts';
import { readShape } from '../../../src/cni/spec/schema.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function decoded(conf: object): NetConf {
  const result = decodeConf(encode(JSON.stringify(conf)));
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

function refusal(input: Uint8Array | string | object): CniError {
  const text = typeof input === 'string' ? input : JSON.stringify(input);
  const result = decodeConf(input instanceof Uint8Array ? input : encode(text));
  assert.ok(!result.ok, 'must be refused');
  return result.error;
}

const MINIMAL = { cniVersion: '1.0.0', name: 'lan', type: 'macvlan' };

test('the common keys are read and every other key is kept', () => {
  const conf = decoded({
    ...MINIMAL,
    master: 'eth0',
    ipam: { type: 'dhcp', request: [{ option: '121' }] },
    dns: { nameservers: ['192.168.2.1'], domain: 'lan' },
    capabilities: { mac: true },
    runtimeConfig: { mac: '02:00:00:00:00:01' },
    args: { cni: { flushroutes: true } },
  });
  assert.equal(conf.cniVersion, '1.0.0');
  assert.equal(conf.ipamType, 'dhcp');
  assert.deepEqual(conf.dns, { nameservers: ['192.168.2.1'], domain: 'lan', search: [], options: [] });
  assert.deepEqual(conf.capabilities, { mac: true });
  assert.deepEqual(conf.runtimeConfig, { mac: '02:00:00:00:00:01' });
  assert.equal(conf.raw['master'], 'eth0');
});

test('absent, null and "" are the same, as Go writes them', () => {
  const nulls = {
    ipam: null,
    dns: null,
    args: null,
    runtimeConfig: null,
    capabilities: null,
    prevResult: null,
  };
  const conf = decoded({ ...MINIMAL, ...nulls, 'cni.dev/valid-attachments': null });
  assert.deepEqual({ ...conf, raw: MINIMAL }, decoded(MINIMAL));
  assert.equal(decoded({ ...MINIMAL, ipam: { type: '' } }).ipamType, undefined);
  assert.equal(decoded({ ...MINIMAL, ipam: {} }).ipamType, undefined);
});

test('without cniVersion a configuration is of 0.1.0; an unknown one is code 1 and names those supported', () => {
  assert.equal(decoded({ name: 'lan', type: 'macvlan' }).cniVersion, '0.1.0');
  const error = refusal({ ...MINIMAL, cniVersion: '2.0.0', name: 7 });
  assert.equal(error.code, 1);
  assert.match(`${error.message} ${error.details}`, /"2\.0\.0" is not supported.*0\.1\.0, .*1\.1\.0/);
  assert.equal(refusal({ ...MINIMAL, cniVersion: 1 }).code, 7);
});

test('what is not JSON within the limits is code 6', () => {
  const cases: [Uint8Array | string, RegExp][] = [
    ['', /no configuration on stdin/],
    [' \n', /no configuration on stdin/],
    ['{', /not JSON/],
    ['{"name": lan}', /not JSON/],
    [Uint8Array.of(0x7b, 0xff, 0x7d), /not UTF-8/],
    [new Uint8Array(2 << 20).fill(0x20), /2097152 bytes; the most is 1048576/],
    ['['.repeat(10_000) + ']'.repeat(10_000), /deeper than 64 levels/],
    [`{"name":"lan","x":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, /deeper than 64 levels/],
  ];
  for (const [input, text] of cases) {
    const error = refusal(input);
    assert.equal(error.code, 6);
    assert.match(error.message, text);
  }
});

test('a wrong shape is code 7 and names the key', () => {
  const cases: [string | object, RegExp][] = [
    ['[]', /must be a JSON object/],
    ['null', /must be a JSON object/],
    [{ cniVersion: '1.0.0', type: 'macvlan' }, /^name: is missing/],
    [{ ...MINIMAL, name: '' }, /^name: "" is empty/],
    [{ ...MINIMAL, name: '../etc' }, /^name: "..\/etc" must begin with/],
    [{ ...MINIMAL, ipam: 'dhcp' }, /^ipam: must be an object/],
    [{ ...MINIMAL, ipam: [] }, /^ipam: must be an object/],
    [{ ...MINIMAL, ipam: { type: '../../bin/sh' } }, /^ipam\.type: .* must be a file name/],
    [{ ...MINIMAL, ipam: { type: 7 } }, /^ipam\.type: expected string, not 7/],
    [{ ...MINIMAL, dns: { nameservers: ['1.1.1.1', 5] } }, /^dns\.nameservers\[1\]: expected string, not 5/],
    [{ ...MINIMAL, capabilities: { mac: 'yes' } }, /^capabilities\.mac: expected boolean, not "yes"/],
    [{ ...MINIMAL, prevResult: [] }, /^prevResult: must be an object/],
    [
      { ...MINIMAL, 'cni.dev/valid-attachments': [{ ifname: 'eth0' }] },
      /^cni\.dev\/valid-attachments\[0\]\.containerID: is missing/,
    ],
  ];
  for (const [input, text] of cases) {
    const error = refusal(input);
    assert.equal(error.code, 7);
    assert.match(error.message, text);
  }
});

test('a message is bounded, whatever is in the configuration', () => {
  const long = 'x'.repeat(300_000);
  const error = refusal({
    ...MINIMAL,
    name: long,
    ipam: { type: long },
    dns: { domain: [long], search: [1, 2, 3, 4, 5, 6] },
  });
  assert.ok(error.message.length < 1500);
  assert.match(error.message, /and \d+ more$/);
});

test('a plugin reads its own keys with the same words', () => {
  const shape = v.object({ request: v.array(v.object({ option: v.string() })) });
  const result = readShape(shape, { request: [{ option: '1' }, { option: '3' }, { option: 121 }] }, 'ipam');
  assert.ok(!result.ok);
  assert.equal(result.error.message, 'ipam.request[2].option: expected string, not 121');
});

test('GC: what is to be kept, under the key of the spec or its first misprint; absent is not "none"', () => {
  const list = [{ containerID: 'a', ifname: 'eth0' }];
  const kept = [{ containerId: 'a', ifname: 'eth0' }];
  assert.deepEqual(decoded({ ...MINIMAL, 'cni.dev/valid-attachments': list }).validAttachments, kept);
  assert.deepEqual(decoded({ ...MINIMAL, 'cni.dev/attachments': list }).validAttachments, kept);
  assert.deepEqual(decoded({ ...MINIMAL, 'cni.dev/valid-attachments': [] }).validAttachments, []);
  assert.equal(decoded(MINIMAL).validAttachments, undefined);
});

test('prevResult is read on demand, so that a broken one fails no DEL', () => {
  const conf = decoded({ ...MINIMAL, prevResult: { ips: [{ address: 'here' }] } });
  const prev = readPrevResult(conf);
  assert.ok(!prev.ok);
  assert.match(prev.error.message, /^prevResult\.ips\[0\]\.address: "here" is not an address/);
  assert.deepEqual(readPrevResult(decoded(MINIMAL)), { ok: true, value: undefined });
});

test('a version to answer in is found in what cannot be read as a whole', () => {
  assert.equal(answerVersion(encode('{"cniVersion":"0.3.1","name":7}')), '0.3.1');
  for (const text of ['', '{', '[]', '{"cniVersion":"9"}'])
    assert.equal(answerVersion(encode(text)), '1.1.0');
});

test('any JSON and any bytes are decoded or refused, and never throw', () => {
  const key = fc.constantFrom(
    'cniVersion',
    'name',
    'type',
    'ipam',
    'dns',
    'args',
    'prevResult',
    '__proto__',
    'capabilities',
  );
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('1.0.0', 'lan'));
  const conf = fc.dictionary(key, value).map((object) => encode(JSON.stringify(object)));
  const input = fc.oneof(conf, fc.json().map(encode), fc.uint8Array());
  fc.assert(
    fc.property(input, (bytes) => {
      const result = decodeConf(bytes);
      if (!result.ok) assert.ok(result.error instanceof CniError && [1, 6, 7].includes(result.error.code));
      else readPrevResult(result.value);
    }),
    { numRuns: 1000 },
  );
});
