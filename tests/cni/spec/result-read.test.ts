import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cidr } from '../../../src/base/cidr.ts';
import { isPlain } from '../../../src/base/outside-text.ts';
import { ipv4FromNumber } from '../../../src/base/ipv4.ts';
import { ipv6FromBytes } from '../../../src/base/ipv6.ts';
import type { Json } from '../../../src/base/json.ts';
import { macFromBytes } from '../../../src/base/mac.ts';
import { CniError } from '../../../src/cni/spec/errors.ts';
import { parseResult } from '../../../src/cni/spec/result-read.ts';
import { resultToVersion } from '../../../src/cni/spec/result-write.ts';
import { NO_DNS, withoutUndefined, type CniResult } from '../../../src/cni/spec/result.ts';
import { CNI_VERSIONS, type CniVersion } from '../../../src/cni/spec/versions.ts';

function read(json: Json, version: CniVersion): CniResult {
  const result = parseResult(json, version);
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

function refusal(json: Json, version: CniVersion, at?: string): string {
  const result = parseResult(json, version, at);
  assert.ok(!result.ok, 'must be refused');
  return `${result.error.code} ${result.error.message}`;
}

test('what an IPAM plugin of 0.2.0 prints', () => {
  const printed = {
    ip4: { ip: '10.1.2.3/24', gateway: '10.1.2.1', routes: [{ dst: '0.0.0.0/0' }] },
    dns: { nameservers: ['10.1.2.1'] },
  };
  assert.deepEqual(read(printed, '0.2.0'), {
    interfaces: [],
    ips: [{ address: cidr('10.1.2.3/24'), gateway: '10.1.2.1' }],
    routes: [{ dst: cidr('0.0.0.0/0') }],
    dns: { ...NO_DNS, nameservers: ['10.1.2.1'] },
  });
});

test('the version in the result is believed before that of the configuration', () => {
  const printed = { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.2.3/24', interface: 0 }] };
  assert.deepEqual(read(printed, '0.2.0').ips, [{ address: cidr('10.1.2.3/24'), interface: 0 }]);
  assert.match(
    refusal({ cniVersion: '3.0.0' }, '1.0.0'),
    /^1 prevResult\.cniVersion: "3\.0\.0" is not supported/,
  );
  assert.match(refusal({ cniVersion: 1 }, '1.0.0'), /^7 prevResult\.cniVersion: must be a string/);
});

test('null, "" and 0 are how Go writes absent', () => {
  const link = { name: 'eth0', mac: '', mtu: 0, sandbox: '', pciID: '' };
  const printed = {
    interfaces: [link],
    ips: [{ address: '10.1.2.3/24', gateway: '', interface: null }],
    routes: [{ dst: '10.0.0.0/8', gw: null, mtu: 0, priority: 0, table: null, scope: 0 }],
    dns: null,
  };
  assert.deepEqual(read(printed, '1.1.0'), {
    interfaces: [{ name: 'eth0' }],
    ips: [{ address: cidr('10.1.2.3/24') }],
    routes: [{ dst: cidr('10.0.0.0/8'), scope: 0 }],
    dns: NO_DNS,
  });
});

test('a result of another version is refused, instead of read as empty', () => {
  assert.match(
    refusal({ ip4: { ip: '10.1.2.3/24' } }, '1.0.0'),
    /^7 prevResult\.ip4: not a key of .* version 1\.0\.0/,
  );
  assert.match(refusal({ ips: [] }, '0.2.0'), /^7 prevResult\.ips: not a key of .* version 0\.2\.0/);
});

test('names of a domain that are none are left out, also of what another plugin was told by a server', () => {
  const dns = {
    nameservers: ['192.168.2.1'],
    domain: 'a options ndots:15',
    search: ['lan', '$(id)', 'home.arpa.', 'a\u00a0b'],
    options: ['ndots:1'],
  };
  const kept = { nameservers: ['192.168.2.1'], search: ['lan', 'home.arpa.'], options: ['ndots:1'] };
  assert.deepEqual(read({ dns }, '1.0.0').dns, kept);
  assert.deepEqual(read({ dns }, '0.2.0').dns, kept);
});

test('text that cannot be seen is refused wherever a result has text, and the error shows it', () => {
  const bad = 'eth\u202E0';
  const link = { name: 'eth0' };
  for (const json of [
    { interfaces: [{ name: bad }] },
    { interfaces: [{ ...link, sandbox: bad }] },
    { interfaces: [{ ...link, pciID: 'a\nb' }] },
    { dns: { nameservers: [bad] } },
    { dns: { options: ['ndots:1\nnameserver 6.6.6.6'] } },
  ]) {
    const text = refusal(json, '1.0.0');
    assert.match(text, /^7 prevResult\..*: has control or format characters/);
    assert.ok(isPlain(text));
  }
});

test('errors name the key', () => {
  const cases: [Json, RegExp][] = [
    ['text', /^7 ipam answer: must be an object/],
    [
      { ips: [{ address: '10.1.2.3' }] },
      /^7 ipam answer\.ips\[0\]\.address: "10\.1\.2\.3" is not an address with prefix length/,
    ],
    [{ ips: [{}] }, /^7 ipam answer\.ips\[0\]\.address: is missing/],
    [
      { ips: [{ address: '10.1.2.3/24', gateway: 'fd00::1' }] },
      /^7 ipam answer\.ips\[0\]: .* not of one family/,
    ],
    [
      { interfaces: [{ name: 'e', mac: '02:00' }] },
      /^7 ipam answer\.interfaces\[0\]\.mac: "02:00" is not an Ethernet/,
    ],
    [
      { interfaces: [{ name: 'e' }], ips: [{ address: '10.1.2.3/24', interface: 3 }] },
      /^7 .*interface: 3, but there are 1 interfaces/,
    ],
    [
      { routes: [{ dst: '10.0.0.0/8', priority: -1 }] },
      /^7 ipam answer\.routes\[0\]\.priority: must be a whole number/,
    ],
    [
      { routes: Array.from({ length: 1025 }, () => ({ dst: '10.0.0.0/8' })) },
      /^7 ipam answer\.routes: has more than 1024/,
    ],
  ];
  for (const [json, text] of cases) assert.match(refusal(json, '1.1.0', 'ipam answer'), text);
  assert.match(refusal({ ip4: { ip: 'fd00::1/64' } }, '0.2.0'), /^7 prevResult\.ip4: is not of family IPv4/);
});

const anyIp4 = fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4FromNumber);
const anyIp6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipv6FromBytes);
const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macFromBytes(bytes));
const small = fc.integer({ min: 1, max: 9000 });
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(some, { nil: undefined });
const word = fc.string({ minLength: 1 }).filter(isPlain);
const domainName = fc.domain();

const anyRoute = fc.oneof(
  fc.record({ address: anyIp4, prefix: fc.nat(32), gw: maybe(anyIp4) }),
  fc.record({ address: anyIp6, prefix: fc.nat(128), gw: maybe(anyIp6) }),
);
const anyResult: fc.Arbitrary<CniResult> = fc.record(
  {
    interfaces: fc.array(
      fc
        .record({
          name: word,
          mac: maybe(anyMac),
          mtu: maybe(small),
          sandbox: maybe(word),
          pciID: maybe(word),
        })
        .map(withoutUndefined),
      { minLength: 1, maxLength: 3 },
    ),
    ips: fc.array(
      anyRoute.map(({ address, prefix, gw }) =>
        withoutUndefined({ address: { address, prefix }, gateway: gw, interface: 0 }),
      ),
      { maxLength: 4 },
    ),
    routes: fc.array(
      fc
        .tuple(
          anyRoute,
          fc.record({
            mtu: maybe(small),
            priority: maybe(small),
            table: maybe(fc.nat()),
            scope: maybe(fc.nat(255)),
          }),
        )
        .map(([{ address, prefix, gw }, extras]) =>
          withoutUndefined({ dst: { address, prefix }, gw, ...extras }),
        ),
      { maxLength: 4 },
    ),
    dns: fc
      .record({
        nameservers: fc.array(word),
        domain: maybe(domainName),
        search: fc.array(domainName),
        options: fc.array(word),
      })
      .map(withoutUndefined),
  },
  { noNullPrototype: true },
);

test('1.1.0 loses nothing: what was written is read', () => {
  fc.assert(
    fc.property(anyResult, (result) => {
      assert.deepEqual(read(resultToVersion(result, '1.1.0'), '0.1.0'), result);
    }),
  );
});

test('in every version writing what was read gives the same text, and survives JSON', () => {
  fc.assert(
    fc.property(anyResult, fc.constantFrom(...CNI_VERSIONS), (result, version) => {
      const written = resultToVersion(result, version);
      assert.deepEqual(JSON.parse(JSON.stringify(written)), written);
      assert.deepEqual(resultToVersion(read(written, '1.1.0'), version), written);
    }),
  );
});

test('any JSON is read or refused with code 1 or 7, and never throws', () => {
  const keys = [
    'cniVersion',
    'interfaces',
    'ips',
    'routes',
    'dns',
    'ip4',
    'ip6',
    'address',
    'ip',
    'dst',
    'gw',
    'name',
    '__proto__',
  ];
  const leaf = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('10.0.0.1/8', '10.0.0.1', 'fd00::1/64', '1.1.0', '0.2.0', ''),
  );
  const inner = fc.dictionary(fc.constantFrom(...keys), leaf);
  const json = fc.dictionary(fc.constantFrom(...keys), fc.oneof(leaf, inner, fc.array(inner)));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), json), fc.constantFrom(...CNI_VERSIONS), (input, version) => {
      const plain: Json = JSON.parse(JSON.stringify(input));
      const result = parseResult(plain, version);
      if (!result.ok) assert.ok(result.error instanceof CniError && [1, 7].includes(result.error.code));
      else resultToVersion(result.value, version);
    }),
    { numRuns: 1000 },
  );
});
