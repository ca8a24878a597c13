import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { ipv4 } from '../../../src/base/ipv4.ts';
import {
  allOptions,
  makeOptions,
  optionByCode,
  optionByName,
  optionName,
  readOption,
} from '../../../src/wire/dhcp4/options.ts';
import { anyValue } from './arbitrary.ts';
import { DHCLIENT_NAMES, DNSMASQ_NAMES, KEA_NAMES } from './known-names.ts';

describe('the option table', () => {
  test('has each code once, in order, and no code that is a mark', () => {
    const codes = allOptions().map((row) => row.code);
    assert.deepEqual(
      codes,
      [...new Set(codes)].sort((a, b) => a - b),
    );
    assert.ok(codes.every((code) => code > 0 && code < 255));
  });

  test('has each name and alias once, in the form in which they are looked up', () => {
    const names = [
      ...allOptions().map((row) => row.name),
      ...allOptions().flatMap((row) => row.aliases ?? []),
    ];
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^(?!\d+$)[a-z0-9+-]+$/);
  });

  test('has every option of RFC 2132', () => {
    for (let code = 1; code <= 76; code++) assert.ok(optionByCode(code), `code ${code} is missing`);
  });

  for (const [server, names] of [
    ['dnsmasq', DNSMASQ_NAMES],
    ['Kea', KEA_NAMES],
    ['dhclient', DHCLIENT_NAMES],
  ] as const) {
    test(`knows every name of ${server}`, () => {
      for (const [code, name] of names) {
        assert.equal(codeOf(name), code, name);
      }
    });
  }

  for (const row of allOptions()) {
    test(`${row.code} ${row.name}: decode(encode(x)) = x, and decode never throws`, () => {
      const values = anyValue(row);
      assert.ok(values, `no arbitrary for the codec "${row.codec.kind}": add one to arbitrary.ts`);
      fc.assert(
        fc.property(values, (value) => {
          assert.deepEqual(row.codec.decode(row.codec.encode(value)), { ok: true, value });
          assert.equal(typeof row.codec.format(value), 'string');
        }),
        { numRuns: 60 },
      );
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
          const read = row.codec.decode(bytes);
          if (!read.ok) return read.error !== '';
          assert.deepEqual(row.codec.decode(row.codec.encode(read.value)), read);
          return true;
        }),
        { numRuns: 60 },
      );
    });
  }
});

/** The code that a name stands for, or the error. */
function codeOf(text: string): number | string {
  const row = optionByName(text);
  return row.ok ? row.value.code : row.error;
}

describe('optionByName', () => {
  test('takes names, aliases, codes; case does not matter', () => {
    assert.equal(codeOf('routers'), 3);
    assert.equal(codeOf('router'), 3);
    assert.equal(codeOf(' Routers '), 3);
    assert.equal(codeOf('T1'), 58);
    assert.equal(codeOf('3'), 3);
    assert.equal(codeOf('224'), 224);
    assert.equal(codeOf('option-224'), 224);
    assert.equal(optionName(224), 'option-224');
    assert.equal(optionName(3), 'routers');
  });

  test('refuses codes that are no options', () => {
    for (const text of ['0', '255', '256', '300', '99999999999999999999']) {
      assert.match(String(codeOf(text)), /does not exist: use a name or a code from 1 to 254/, text);
    }
  });

  test('names the nearest option', () => {
    assert.match(String(codeOf('ruters')), /did you mean "routers"\?/);
    assert.match(String(codeOf('hostnam')), /did you mean "hostname"\?/);
    assert.match(String(codeOf('interface_mtu')), /did you mean "interface-mtu"\?/);
    assert.match(String(codeOf('zzzzzzzzzzzzzzzzzz')), /docs\/dhcp-options\.md/);
    for (const text of ['', '-1', '0x3', '3.5', '__proto__', 'constructor', 'x'.repeat(100_000)]) {
      assert.match(String(codeOf(text)), /unknown DHCP option/);
    }
  });
});

describe('readOption', () => {
  const options = makeOptions({
    'dhcp-message-type': 5,
    routers: [ipv4('192.168.1.1'), ipv4('192.168.1.2')],
    'interface-mtu': 1400,
    'rapid-commit': true,
  });

  test('gives values of the type of the name', () => {
    const routers = readOption(options, 'routers');
    assert.deepEqual(routers, { kind: 'value', value: ['192.168.1.1', '192.168.1.2'] });
    // A check by the compiler: the value is a list of addresses and a number, not unknown.
    if (routers.kind === 'value') assert.equal(routers.value[0]?.split('.').length, 4);
    const mtu = readOption(options, 'interface-mtu');
    if (mtu.kind === 'value') assert.equal(mtu.value.toFixed(0), '1400');
    assert.deepEqual(readOption(options, 'rapid-commit'), { kind: 'value', value: true });
  });

  test('tells absent from malformed', () => {
    assert.deepEqual(readOption(options, 'host-name'), { kind: 'absent' });
    assert.deepEqual(readOption(new Map([[3, Uint8Array.of(1, 2, 3)]]), 'routers'), {
      kind: 'malformed',
      reason: '3 bytes are not a list of IPv4 addresses',
    });
    assert.equal(readOption(new Map([[12, new Uint8Array(0)]]), 'host-name').kind, 'malformed');
  });
});
