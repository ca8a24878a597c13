import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import type { Json } from '../../../src/base/json.ts';
import { encodeValue, typesOf, VALUE_TYPES } from '../../../src/cni/dhcp/typed-value.ts';
import { allOptions, optionByName, type OptionRow } from '../../../src/wire/dhcp4/options.ts';

function row(name: string): OptionRow {
  const found = optionByName(name);
  assert.ok(found.ok, name);
  return found.value;
}

test('typed and plain values, as bytes', () => {
  const cases: readonly (readonly [string, Json, string])[] = [
    ['swap-server', { ip: '192.168.1.1' }, 'c0a80101'],
    ['ntp-servers', { ips: ['192.168.1.1', '10.0.0.1'] }, 'c0a801010a000001'],
    ['ntp-servers', { ip: '192.168.1.1' }, 'c0a80101'],
    ['static-routes', { ips: ['10.0.0.0', '192.168.1.1'] }, '0a000000c0a80101'],
    ['default-ip-ttl', { u8: 64 }, '40'],
    ['interface-mtu', { u16: 1500 }, '05dc'],
    ['dhcp-lease-time', { u32: 3600 }, '00000e10'],
    ['time-offset', { u32: 4_294_967_295 }, 'ffffffff'],
    ['ip-forwarding', { bool: true }, '01'],
    ['vendor-class-identifier', { text: '0x41' }, '30783431'],
    ['user-class', { text: 'abc' }, '616263'],
    ['routers', { hex: '0xff' }, 'ff'],
    ['routers', { hex: 'FF00' }, 'ff00'],
    ['224', { u16: 258 }, '0102'],
    ['224', { ips: ['1.2.3.4'] }, '01020304'],
    ['224', { text: 'é' }, 'c3a9'],
    ['vendor-encapsulated-options', { hex: '0104c0a80201' }, '0104c0a80201'],
    ['ntp-servers', '192.168.1.1, 10.0.0.1', 'c0a801010a000001'],
    ['interface-mtu', 1500, '05dc'],
    ['dhcp-lease-time', 3600, '00000e10'],
    ['time-offset', -1, 'ffffffff'],
    ['ip-forwarding', false, '00'],
    ['vendor-class-identifier', 'lab', toHex(utf8('lab'))],
    ['vendor-class-identifier', '0x41', '41'],
    ['domain-search', 'a.b', '0161016200'],
  ];
  for (const [name, value, hex] of cases) {
    const bytes = encodeValue(row(name), value);
    assert.ok(bytes.ok, `${name} ${JSON.stringify(value)}: ${bytes.ok ? '' : bytes.error}`);
    assert.equal(toHex(bytes.value), hex, name);
  }
});

test('what does not fit is refused with what the option takes', () => {
  const cases: readonly (readonly [string, Json, RegExp])[] = [
    [
      'ntp-servers',
      { u8: 5 },
      /"u8" does not fit: ntp-servers takes IPv4 addresses, plain or as "ip", "ips", "hex"/,
    ],
    ['ntp-servers', { text: 'abcd' }, /"text" does not fit/],
    ['ntp-servers', { ipz: ['1.2.3.4'] }, /"ipz" is no type: did you mean "ip"\? ntp-servers takes/],
    ['ntp-servers', { something: 1 }, /"something" is no type: ntp-servers takes/],
    ['ntp-servers', {}, /has one type: ntp-servers takes/],
    ['ntp-servers', { ip: '1.2.3.4', u8: 1 }, /has one type/],
    ['ntp-servers', { ip: '1.2.3' }, /ip: "1\.2\.3" is not an IPv4 address/],
    ['ntp-servers', { ips: [] }, /ips: must be 1 to 63 IPv4 addresses/],
    ['ntp-servers', { ips: Array.from({ length: 64 }, () => '1.2.3.4') }, /1 to 63/],
    ['ntp-servers', { ips: '1.2.3.4' }, /ips: must be a list/],
    ['ntp-servers', 5, /takes IPv4 addresses.*, not 5/],
    ['ntp-servers', ['1.2.3.4'], /, not \["1\.2\.3\.4"\]/],
    ['ntp-servers', 'router', /is not an IPv4 address/],
    ['static-routes', { ips: ['10.0.0.0'] }, /ips: .*takes pairs of IPv4 addresses/],
    ['interface-mtu', { u8: 5 }, /u8: 1 bytes instead of 2: interface-mtu takes number 68\.\.65535/],
    ['interface-mtu', { u16: 5 }, /5 is less than 68/],
    ['interface-mtu', { u16: 65_536 }, /u16: 65536 is not a whole number from 0 to 65535/],
    ['interface-mtu', { u16: 1.5 }, /1\.5 is not a whole number/],
    ['interface-mtu', { u16: '1500' }, /"1500" is not a whole number/],
    ['interface-mtu', 1500.5, /not a whole number/],
    ['interface-mtu', true, /, not true/],
    ['ip-forwarding', { bool: 1 }, /bool: must be true or false/],
    ['ip-forwarding', 1, /, not 1/],
    ['vendor-class-identifier', { text: '' }, /text: must be text that is not empty/],
    ['vendor-class-identifier', { text: '\ud800' }, /text: must be text/],
    ['vendor-class-identifier', 5, /takes text, plain or as "text", "hex", not 5/],
    ['user-class', 5, /user-class takes text/],
    ['224', 5, /option-224 takes bytes, plain or as .*, not 5/],
    ['224', { hex: 'xyz' }, /hex: .*even number of hex digits/],
    ['224', { hex: 5 }, /hex: must be text of hex digits/],
    ['224', { hex: 'ff'.repeat(256) }, /256 bytes, at most 255/],
    ['domain-search', { text: 'a.b' }, /domain-search takes domain names, plain or as "hex"/],
    ['relay-agent-information', { hex: '00' }, /set by the exchange itself/],
  ];
  for (const [name, value, message] of cases) {
    const bytes = encodeValue(row(name), value);
    assert.ok(!bytes.ok, `${name} ${JSON.stringify(value)}`);
    assert.match(bytes.error, message);
  }
});

test('every row of the table says what it takes; all of the types are taken by some', () => {
  const taken = new Set(allOptions().flatMap((option) => typesOf(option)));
  assert.deepEqual([...taken].toSorted(), [...VALUE_TYPES].toSorted());
  for (const option of allOptions()) assert.ok(typesOf(option).includes('hex'), option.name);
});

test('any JSON for any option: bytes that the option can hold, or a reason', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc
      .record({})
      .chain(() => fc.dictionary(fc.constantFrom(...VALUE_TYPES, 'x'), fc.jsonValue(), { maxKeys: 1 })),
  );
  fc.assert(
    fc.property(fc.constantFrom(...allOptions(), row('224')), value, (option, json) => {
      const bytes = encodeValue(option, JSON.parse(JSON.stringify(json)) as Json);
      if (bytes.ok) assert.ok(bytes.value.length <= 1024);
      else assert.ok(bytes.error.length > 0);
    }),
  );
});
