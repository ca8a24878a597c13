import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import type { Json, JsonObject } from '../../../src/base/json.ts';
import { sendableRow } from '../../../src/cni/dhcp/option-row.ts';
import { withoutExtras } from '../../../src/protocol/dhcp4/extras.ts';
import { allOptions, optionByCode } from '../../../src/wire/dhcp4/options.ts';
import { client, dhcpConf, refused, settingsWith } from './support.ts';

const RAPID_COMMIT = 80;
const V6_ONLY = 108;

/** Each way in which an option can be named: its names, its code as number and as text, "option-CODE". */
function namesOf(code: number): readonly string[] {
  const row = optionByCode(code);
  assert.ok(row, String(code));
  return [row.name, ...(row.aliases ?? []), row.name.toUpperCase(), String(code), `option-${code}`];
}

describe('the list of option 55, whatever is asked for', () => {
  const code = fc.integer({ min: 1, max: 254 }).filter((one) => one !== RAPID_COMMIT && one !== V6_ONLY);
  // What the rule is about is often there.
  const often = fc.oneof(code, fc.constantFrom(3, 33, 121, 249, 1, 6));
  const entry: fc.Arbitrary<Json> = fc.oneof(
    often,
    often.map(String),
    often.map((one) => `option-${one}`),
    fc.record({ option: often.map(String), skipDefault: fc.boolean() }, { requiredKeys: ['option'] }),
    fc.record({ skipDefault: fc.boolean() }),
  );
  const lists = fc.record({
    request: fc.array(entry, { maxLength: 12 }),
    byDaemon: fc.boolean(),
    ipv6Only: fc.boolean(),
    leftOut: fc.subarray([55, 57, 80, 81]),
  });

  test('has 121 before 3 and 33 (RFC 3442), and 249 where it stands for 121; each code once, none of 80', () => {
    fc.assert(
      fc.property(lists, ({ request, byDaemon, ipv6Only, leftOut }) => {
        const keys: JsonObject = { request, ipv6Only };
        const config = byDaemon ? client({}, { settings: settingsWith(keys) }) : client(keys);
        const list = withoutExtras(config, leftOut).parameterRequest;
        const classless = [121, 249].find((one) => list.includes(one));
        const old = list.findIndex((one) => one === 3 || one === 33);
        if (classless !== undefined && old >= 0) assert.ok(list.indexOf(classless) < old, list.join());
        assert.equal(new Set(list).size, list.length);
        assert.ok(!list.includes(RAPID_COMMIT));
        assert.equal(list.includes(V6_ONLY), ipv6Only);
        assert.ok(list.length > 0 && list.length < 255);
      }),
      { numRuns: 3000 },
    );
  });

  test('has both 121 and 3 with the defaults (RFC 3442), and keeps the order of the rest', () => {
    assert.deepEqual(client({ request: [{ skipDefault: true }, 249, 3, 6] }).parameterRequest, [249, 3, 6]);
    assert.deepEqual(client({ request: [{ skipDefault: true }, 6, 33, 249] }).parameterRequest, [6, 249, 33]);
    assert.deepEqual(
      client({ request: [{ skipDefault: true }, 3, 249, 121] }).parameterRequest,
      [121, 3, 249],
    );
    fc.assert(
      fc.property(fc.array(often), (request) => {
        const list = client({ request }).parameterRequest;
        assert.ok(list.includes(121) && list.includes(3));
        const others = (codes: readonly number[]): readonly number[] =>
          [...new Set(codes)].filter((one) => one !== 121 && request.includes(one));
        assert.deepEqual(others(list), others(request));
      }),
    );
  });
});

test('80 MUST NOT be asked for (RFC 4039 3), by whatever name', () => {
  for (const name of namesOf(RAPID_COMMIT)) {
    for (const entry of [name, { option: name }, { option: name, skipDefault: true }]) {
      refused(
        () => client({ request: [1, entry] }),
        /^ipam\.request\[1\](\.option)?: rapid-commit is never asked for \(RFC 4039 3\): remove.*"rapidCommit"/,
        entry,
      );
    }
  }
  refused(() => client({ request: [RAPID_COMMIT] }), /rapid-commit is never asked for/);
  refused(
    () => settingsWith({ request: [RAPID_COMMIT] }),
    /^dhcp\.request\[0\]: rapid-commit is never asked/,
  );
});

describe('what a client does not send (RFC 2131 table 5, and the RFC of the option)', () => {
  const reasons: readonly (readonly [number, RegExp])[] = [
    [50, /set by the exchange itself: .*"ips" or CNI_ARGS IP/],
    [52, /set by the exchange itself: remove the entry$/],
    [53, /set by the exchange itself: remove the entry$/],
    [54, /set by the exchange itself: remove the entry$/],
    [55, /set by the exchange itself: .*"request"/],
    [56, /does not belong in DISCOVER and REQUEST \(RFC 2131 table 5\): remove the entry/],
    [57, /set by the exchange itself: remove the entry$/],
    [80, /set by the exchange itself: .*"rapidCommit"/],
    [82, /for relay agents/],
    [108, /never sent by a client \(RFC 8925 3\.1\): remove the entry; "ipv6Only": true/],
    [145, /set by the exchange itself: .*"forceRenew"/],
  ];
  for (const [code, message] of reasons) {
    test(`${code} is refused in send and provide, by each of its names, as text and as hex`, () => {
      for (const name of namesOf(code)) {
        for (const value of ['x', '0x00', { hex: '00' }, { u8: 1 }, 7, true, null])
          refused(() => client({ send: { [name]: value } }), message, name);
        for (const value of ['x', '0x00000000', ''])
          refused(() => client({ provide: [{ option: name, value }] }), message, name);
        refused(() => settingsWith({ send: { [name]: '0x00' } }), message, name);
      }
    });
  }

  test('these are the rows that the page marks "exchange"; all others may be sent', () => {
    const marked = allOptions().filter(({ reserved }) => reserved === true);
    assert.deepEqual(
      marked.map(({ code }) => code),
      reasons.map(([code]) => code),
    );
    for (let code = 1; code < 255; code++) {
      if (marked.some((row) => row.code === code)) continue;
      assert.equal(sendableRow(String(code), 'x').code, code);
    }
  });
});

describe('12 does not go beside 81 (RFC 4702 3.1), wherever the two come from', () => {
  const FQDN = { hex: '050000057765622d30036c616e00' };
  const hostName = { option: 'host-name', value: 'x' };
  const fqdn = { option: '81', value: `0x${FQDN.hex}` };
  const cases: readonly (readonly [JsonObject, JsonObject, readonly string[]])[] = [
    [{ send: { '12': 'x', '81': FQDN } }, {}, ['host-name-beside-fqdn']],
    [{ send: { 'client-fqdn': FQDN, hostname: 'x' } }, {}, ['host-name-beside-fqdn']],
    [{ provide: [hostName, fqdn] }, {}, ['host-name-beside-fqdn']],
    [{ provide: [fqdn, { option: 'option-12', value: 'y' }] }, {}, ['host-name-beside-fqdn']],
    [{ send: { '81': FQDN }, provide: [hostName] }, {}, ['host-name-beside-fqdn']],
    [{ send: { '12': 'x' }, fqdn: '{pod}.lan' }, {}, ['host-name-beside-fqdn']],
    [{ provide: [hostName], fqdn: '{pod}.lan' }, {}, ['host-name-beside-fqdn']],
    [{}, { send: { '12': 'x' }, fqdn: '{pod}.lan' }, ['host-name-beside-fqdn']],
    [{ fqdn: '{pod}.lan' }, { send: { '12': 'x' } }, ['host-name-beside-fqdn']],
    [{ hostname: '' }, { fqdn: '{pod}.lan' }, []],
    [{ hostname: '' }, { send: { '81': FQDN } }, []],
    [{ fqdn: '{pod}.lan' }, { hostname: '{pod}' }, []],
    [{ hostname: '{pod}', provide: [fqdn] }, {}, []],
    [{ provide: [hostName, fqdn] }, { fqdn: '{pod}' }, ['host-name-beside-fqdn']],
    [{ hostname: '{pod}', fqdn: '{pod}.lan' }, {}, []],
  ];
  for (const [ipam, dhcp, events] of cases) {
    test(JSON.stringify([ipam, dhcp]), () => {
      const settings = settingsWith(dhcp);
      assert.deepEqual(client(ipam, { settings }).send, { 81: FQDN.hex });
      const { notes } = dhcpConf(ipam, { settings });
      assert.deepEqual(
        notes.map(({ event }) => event),
        events,
      );
      for (const { text } of notes) assert.match(text, /^host-name: .*fqdn.*RFC 4702 3\.1.*remove/);
    });
  }

  for (const dhcp of [{ fqdn: '{pod}.lan' }, { send: { '81': FQDN } }, { send: { '81': FQDN, '12': 'd' } }]) {
    test(`a host name of the network takes the place of the daemon's ${Object.keys(dhcp).join()}`, () => {
      const settings = settingsWith(dhcp);
      for (const ipam of [{ hostname: 'x' }, { provide: [hostName] }, { send: { '12': 'x' } }]) {
        assert.deepEqual(client(ipam, { settings }).send, { 12: toHex(utf8('x')) }, JSON.stringify(ipam));
        assert.deepEqual(dhcpConf(ipam, { settings }).notes, []);
      }
    });
  }

  test('alone each of them is sent', () => {
    assert.deepEqual(client({ provide: [hostName] }).send, { 12: toHex(utf8('x')) });
    assert.deepEqual(client({ provide: [fqdn] }).send, { 81: FQDN.hex });
    assert.deepEqual(client({ fqdn: '', send: { '12': 'x' } }).send, { 12: toHex(utf8('x')) });
  });
});
