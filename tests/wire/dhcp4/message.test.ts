import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { IPV4_ANY, ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import {
  dhcp4Size,
  emitDhcp4,
  MALFORMED,
  MAX_DHCP4_BYTES,
  parseDhcp4,
  type Dhcp4Message,
  type Malformed,
} from '../../../src/wire/dhcp4/message.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { makeOptions, readOption } from '../../../src/wire/dhcp4/options.ts';
import { anyMessage } from './arbitrary.ts';
import {
  DHCLIENT_DISCOVER_FRAME,
  DNSMASQ_ACK_FRAME,
  DNSMASQ_OFFER_FRAME,
  KEA_ACK_FRAME,
  KEA_OFFER_FRAME,
  payloadOf,
} from './fixtures.ts';

const DISCOVER: Dhcp4Message = {
  op: 'request',
  xid: 0x12345678,
  secs: 7,
  broadcast: true,
  ciaddr: IPV4_ANY,
  yiaddr: IPV4_ANY,
  siaddr: IPV4_ANY,
  giaddr: IPV4_ANY,
  chaddr: mac('02:00:5e:10:00:01'),
  sname: '',
  file: '',
  options: makeOptions({ 'dhcp-message-type': DHCP_MESSAGE_TYPE.DHCPDISCOVER, 'host-name': 'pod-1' }),
};

function parsed(bytes: Uint8Array): Dhcp4Message {
  const message = parseDhcp4(bytes);
  assert.ok(message.ok, message.ok ? '' : message.error);
  return message.value;
}

function assertMalformed(bytes: Uint8Array, reason: Malformed): void {
  assert.deepEqual(parseDhcp4(bytes), { ok: false, error: reason });
  assert.ok(MALFORMED.includes(reason));
}

const FIXED = emitDhcp4(DISCOVER).subarray(0, 240);
const SNAME_AT = 44;
const FILE_AT = 108;

/** A message with these bytes in its three option fields. */
function withAreas(areas: {
  options: readonly number[];
  file?: readonly number[];
  sname?: readonly number[];
}) {
  const bytes = concat([FIXED, Uint8Array.from(areas.options)]);
  bytes.set(areas.file ?? [], FILE_AT);
  bytes.set(areas.sname ?? [], SNAME_AT);
  return bytes;
}

/** One option as it stands in a packet. */
function option(code: number, ...value: readonly number[]): readonly number[] {
  return [code, value.length, ...value];
}

/** So many bytes, full of options. */
function withoutEnd(size: number): Uint8Array {
  const long = Array.from({ length: 4 }, () => option(43, ...new Uint8Array(255))).flat();
  const left = size - FIXED.length - long.length - 2;
  return withAreas({ options: [...long, ...option(60, ...new Uint8Array(left))] });
}

const END = 255;
const TEXT_A = [...utf8('abc')];
const TEXT_B = [...utf8('def')];

describe('emitDhcp4', () => {
  test('lays the fields out as in RFC 2131 figure 1', () => {
    const bytes = emitDhcp4(DISCOVER);
    assert.equal(bytes.length, 300);
    assert.equal(bytes.subarray(0, 12).toHex(), '010106001234567800078000');
    assert.equal(bytes.subarray(28, 44).toHex(), '02005e10000100000000000000000000');
    assert.equal(
      bytes
        .subarray(236)
        .toHex()
        .replace(/(00)+$/, ''),
      '638253633501010c05706f642d31ff',
    );
  });

  test('splits long values and pads nothing that is long enough', () => {
    const message = { ...DISCOVER, options: new Map([[43, new Uint8Array(600).fill(7)]]) };
    const bytes = emitDhcp4(message);
    assert.equal(bytes.length, 240 + 600 + 3 * 2 + 1);
    assert.equal(bytes.length, dhcp4Size(message));
    assert.deepEqual([bytes[241], bytes[240 + 257 + 1], bytes[240 + 2 * 257 + 1]], [255, 255, 90]);
    assert.deepEqual(parsed(bytes), message);
  });
});

describe('parseDhcp4', () => {
  test('reads what dnsmasq offers', () => {
    const offer = parsed(payloadOf(DNSMASQ_OFFER_FRAME));
    assert.equal(offer.op, 'reply');
    assert.equal(offer.yiaddr, '192.168.77.176');
    assert.equal(offer.chaddr, '02:00:5e:10:00:01');
    assert.deepEqual(readOption(offer.options, 'dhcp-message-type'), { kind: 'value', value: 2 });
    assert.deepEqual(readOption(offer.options, 'dhcp-lease-time'), { kind: 'value', value: 3600 });
    assert.deepEqual(readOption(offer.options, 'domain-search'), {
      kind: 'value',
      value: ['eng.example.com', 'marketing.example.com'],
    });
    assert.deepEqual(readOption(offer.options, 'rfc3442-classless-static-routes'), {
      kind: 'value',
      value: [
        { destination: { address: '10.0.0.0', prefix: 8 }, router: '192.168.77.2' },
        { destination: { address: '0.0.0.0', prefix: 0 }, router: '192.168.77.1' },
      ],
    });
    assert.deepEqual(readOption(offer.options, 'static-routes'), {
      kind: 'value',
      value: [{ destination: '10.1.2.3', router: '192.168.77.3' }],
    });
  });

  test('reads what Kea acknowledges', () => {
    const ack = parsed(payloadOf(KEA_ACK_FRAME));
    assert.equal(ack.yiaddr, '192.168.77.100');
    assert.deepEqual(readOption(ack.options, 'dhcp-message-type'), { kind: 'value', value: 5 });
    assert.deepEqual(readOption(ack.options, 'interface-mtu'), { kind: 'value', value: 1400 });
    assert.deepEqual(readOption(ack.options, 'dhcp-renewal-time'), { kind: 'value', value: 900 });
    assert.deepEqual(readOption(ack.options, 'domain-name'), { kind: 'value', value: 'home.example' });
  });

  for (const [name, frame] of Object.entries({
    DHCLIENT_DISCOVER_FRAME,
    DNSMASQ_OFFER_FRAME,
    DNSMASQ_ACK_FRAME,
    KEA_OFFER_FRAME,
    KEA_ACK_FRAME,
  })) {
    test(`${name} is emitted again byte by byte`, () => {
      const payload = payloadOf(frame);
      const bytes = emitDhcp4(parsed(payload));
      // The hops, and the other fields that are not kept, are zero in all of them.
      assert.equal(bytes.toHex(), payload.toHex().slice(0, bytes.length * 2));
    });
  }

  test('takes the fixed fields alone, without End, and nothing less', () => {
    assert.equal(parsed(FIXED).options.size, 0);
    assertMalformed(FIXED.subarray(0, 239), 'too-short');
    assertMalformed(new Uint8Array(0), 'too-short');
  });

  test('bounds the size', () => {
    const full = concat([FIXED, new Uint8Array(MAX_DHCP4_BYTES - 240)]);
    assert.equal(parsed(full).options.size, 0);
    assertMalformed(concat([full, Uint8Array.of(0)]), 'too-long');
    // Overloaded fields could hold more than one options field can.
    const pieces = Array.from({ length: 6 }, () =>
      option(43, ...Array.from({ length: 200 }, () => 1)),
    ).flat();
    const packed = withAreas({ options: [...option(52, 1), ...pieces, END] });
    assert.ok(parseDhcp4(packed).ok);
    const file = option(44, ...Array.from({ length: 120 }, () => 1));
    assertMalformed(withAreas({ options: [...option(52, 1), ...pieces, END], file }), 'too-long');
  });

  test('says what is wrong with the fixed fields', () => {
    assertMalformed(FIXED.with(0, 3), 'bad-op');
    assertMalformed(FIXED.with(1, 32), 'bad-hardware');
    assertMalformed(FIXED.with(2, 16), 'bad-hardware');
    assertMalformed(FIXED.with(239, 0), 'bad-cookie');
  });

  test('takes an Ethernet address under type or length 0 and under IEEE 802, and writes Ethernet', () => {
    for (const htype of [0, 1, 6]) {
      for (const hlen of [0, 6]) {
        const read = parsed(FIXED.with(1, htype).with(2, hlen));
        assert.equal(read.chaddr, DISCOVER.chaddr);
        assert.deepEqual([...emitDhcp4(read).subarray(1, 3)], [1, 6]);
      }
    }
  });

  test('skips Pad, stops at End, and refuses options that run out of their field', () => {
    const padded = withAreas({ options: [0, 0, ...option(12, ...TEXT_A), 0, END, ...option(15, ...TEXT_B)] });
    assert.deepEqual([...parsed(padded).options.keys()], [12]);
    assertMalformed(withAreas({ options: [12, 4, ...TEXT_A] }), 'option-overrun');
    assertMalformed(withAreas({ options: [12] }), 'option-overrun');
  });

  test('keeps unknown options, empty ones too', () => {
    const { options } = parsed(withAreas({ options: [...option(224, 1, 2), ...option(80), END] }));
    assert.deepEqual(
      [...options],
      [
        [224, Uint8Array.of(1, 2)],
        [80, new Uint8Array(0)],
      ],
    );
  });

  test('joins the pieces of an option across all fields: options, file, sname (RFC 3396)', () => {
    const message = parsed(
      withAreas({
        options: [...option(15, 97), ...option(52, 3), ...option(15, 98), END],
        sname: [...option(15, 100), END],
        file: [...option(15, 99), END, 1, 2, 3],
      }),
    );
    assert.deepEqual(readOption(message.options, 'domain-name'), { kind: 'value', value: 'abcd' });
    assert.equal(message.sname + message.file, '');
    assert.equal(message.options.has(52), false);
  });

  test('reads only the fields that option 52 opens', () => {
    const areas = { sname: [...option(12, ...TEXT_A), END], file: [...option(15, ...TEXT_B), END] };
    assert.deepEqual([...parsed(withAreas({ options: option(52, 1), ...areas })).options.keys()], [15]);
    assert.deepEqual([...parsed(withAreas({ options: option(52, 2), ...areas })).options.keys()], [12]);
    assertMalformed(withAreas({ options: option(52, 2), sname: [12, 63, 1] }), 'option-overrun');
  });

  test('refuses an overload that makes no sense', () => {
    for (const value of [[0], [4], [1, 1], []]) {
      assertMalformed(withAreas({ options: option(52, ...value) }), 'bad-overload');
    }
    assertMalformed(withAreas({ options: option(52, 1), file: [...option(52, 2), END] }), 'bad-overload');
  });

  test('what is full to the last byte has no End, and none to write again: too long', () => {
    const [full, almost] = [MAX_DHCP4_BYTES, MAX_DHCP4_BYTES - 1].map(withoutEnd);
    assert.ok(full && almost);
    assert.deepEqual([full.length, almost.length], [MAX_DHCP4_BYTES, MAX_DHCP4_BYTES - 1]);
    assertMalformed(full, 'too-long');
    assert.equal(emitDhcp4(parsed(almost)).length, MAX_DHCP4_BYTES);
  });

  test('reads sname and file up to the first NUL', () => {
    const bytes = withAreas({ options: [END], sname: TEXT_A, file: Array.from({ length: 128 }, () => 0xe9) });
    assert.equal(parsed(bytes).sname, 'abc');
    assert.equal(parsed(bytes).file, 'é'.repeat(128));
  });

  test('keeps no reference to the packet', () => {
    const bytes = emitDhcp4(DISCOVER);
    const message = parsed(bytes);
    bytes.fill(0);
    assert.deepEqual(message, DISCOVER);
  });
});

describe('properties', () => {
  test('parse(emit(x)) = x', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const bytes = emitDhcp4(message);
        assert.equal(bytes.length, dhcp4Size(message));
        assert.deepEqual(parsed(bytes), message);
        assert.deepEqual(emitDhcp4(parsed(bytes)), bytes);
      }),
    );
  });

  test('parse never throws on random bytes', () => {
    const anyPacket = fc
      .tuple(fc.boolean(), fc.uint8Array({ maxLength: MAX_DHCP4_BYTES + 10 }))
      .map(([framed, bytes]) => (framed ? concat([FIXED, bytes]) : bytes));
    fc.assert(
      fc.property(anyPacket, (bytes) => {
        const message = parseDhcp4(bytes);
        if (!message.ok) return MALFORMED.includes(message.error);
        assert.deepEqual(parsed(emitDhcp4(message.value)), message.value);
        return true;
      }),
      { numRuns: 1000 },
    );
  });
});

test('an address is text, and what is not one cannot be emitted by mistake', () => {
  const bytes = emitDhcp4({ ...DISCOVER, ciaddr: ipv4('192.168.1.7') });
  assert.equal(bytes.subarray(12, 16).toHex(), 'c0a80107');
  assert.throws(() => emitDhcp4({ ...DISCOVER, sname: 'x'.repeat(65) }), /invariant broken: sname or file/);
});
