import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { concat, utf8 } from '../../../src/base/bytes.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { addToSum, internetChecksum } from '../../../src/wire/ip/checksum.ts';
import { emitUdp4Frame, parseUdp4Frame, type Udp4Frame, type Udp4Reject } from '../../../src/wire/ip/udp4.ts';
import { anyIpv4, anyMac } from '../dhcp4/arbitrary.ts';
import { DHCLIENT_DISCOVER_FRAME, DNSMASQ_OFFER_FRAME, KEA_ACK_FRAME, payloadOf } from '../dhcp4/fixtures.ts';
import { hex } from '../dhcp4/results.ts';

const READY = { checksumReady: true };
const NOT_READY = { checksumReady: false };
const IP = 14;
const UDP = 34;

const DATAGRAM: Udp4Frame = {
  srcMac: mac('02:00:5e:10:00:01'),
  dstMac: mac('ff:ff:ff:ff:ff:ff'),
  vlan: undefined,
  src: ipv4('0.0.0.0'),
  dst: ipv4('255.255.255.255'),
  srcPort: 68,
  dstPort: 67,
  payload: utf8('hello'),
};
const FRAME = emitUdp4Frame(DATAGRAM);

function assertReject(frame: Uint8Array, reason: Udp4Reject, options = READY): void {
  assert.deepEqual(parseUdp4Frame(frame, options), { ok: false, error: reason });
}

/** The frame with a right IP checksum after a change of its header. */
function mended(frame: Uint8Array): Uint8Array {
  const copy = new Uint8Array(frame);
  const headerEnd = IP + ((copy[IP] ?? 0) & 0x0f) * 4;
  copy.set([0, 0], IP + 10);
  const checksum = internetChecksum(addToSum(copy, IP, headerEnd));
  copy.set([checksum >>> 8, checksum & 0xff], IP + 10);
  return copy;
}

function tagged(frame: Uint8Array, tag: string): Uint8Array {
  return concat([frame.subarray(0, 12), hex(tag), frame.subarray(12)]);
}

describe('internetChecksum', () => {
  test('the example of RFC 1071 section 3', () => {
    const bytes = hex('0001 f203 f4f5 f6f7');
    assert.equal(internetChecksum(addToSum(bytes, 0, 8)), ~0xddf2 & 0xffff);
  });

  test('an odd last byte counts as if a zero followed; the sum may go on', () => {
    assert.equal(addToSum(hex('0102 03'), 0, 3), addToSum(hex('0102 0300'), 0, 4));
    const bytes = hex('0102030405');
    assert.equal(addToSum(bytes, 2, 5, addToSum(bytes, 0, 2)), addToSum(bytes, 0, 5));
    assert.equal(internetChecksum(0), 0xffff);
    assert.equal(internetChecksum(0xffff * 40_000), 0);
  });
});

describe('emitUdp4Frame', () => {
  test('lays the headers out', () => {
    assert.equal(FRAME.subarray(0, IP).toHex(), 'ffffffffffff02005e1000010800');
    assert.equal(FRAME.subarray(IP, UDP).toHex(), '450000210000400040113acd00000000ffffffff');
    assert.equal(FRAME.subarray(UDP, UDP + 6).toHex(), '00440043000d');
  });

  test('a checksum of zero is sent as all ones', () => {
    // Whatever the checksum c of a payload is, appending c to a zeroed one makes the sum all ones.
    const blank = emitUdp4Frame({ ...DATAGRAM, payload: hex('0000') });
    const checksum = blank.subarray(UDP + 6, UDP + 8);
    const frame = emitUdp4Frame({ ...DATAGRAM, payload: new Uint8Array(checksum) });
    assert.equal(frame.subarray(UDP + 6, UDP + 8).toHex(), 'ffff');
    assert.ok(parseUdp4Frame(frame, READY).ok);
  });

  test('parse(emit(x)) = x', () => {
    const anyPort = fc.nat(0xffff);
    const datagrams = fc.record(
      {
        srcMac: anyMac,
        dstMac: anyMac,
        vlan: fc.constant(undefined),
        src: anyIpv4,
        dst: anyIpv4,
        srcPort: anyPort,
        dstPort: anyPort,
        payload: fc.uint8Array({ maxLength: 1472 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(datagrams, (datagram) => {
        assert.deepEqual(parseUdp4Frame(emitUdp4Frame(datagram), READY), { ok: true, value: datagram });
      }),
    );
  });

  test('refuses a payload that no IP packet holds', () => {
    assert.throws(() => emitUdp4Frame({ ...DATAGRAM, payload: new Uint8Array(65_508) }), /invariant broken/);
  });
});

describe('parseUdp4Frame', () => {
  test('reads captured frames whose checksum is left to hardware, if told so', () => {
    const offer = parseUdp4Frame(DNSMASQ_OFFER_FRAME, NOT_READY);
    assert.ok(offer.ok);
    assert.equal(offer.value.src, '192.168.77.1');
    assert.equal(offer.value.dstMac, '02:00:5e:10:00:01');
    assert.deepEqual([offer.value.srcPort, offer.value.dstPort], [67, 68]);
    assert.deepEqual(offer.value.payload, payloadOf(DNSMASQ_OFFER_FRAME));
    assertReject(DNSMASQ_OFFER_FRAME, 'bad-udp-checksum');
  });

  test('verifies the checksum of captured frames that have one', () => {
    assert.ok(parseUdp4Frame(KEA_ACK_FRAME, READY).ok);
    assert.ok(parseUdp4Frame(DHCLIENT_DISCOVER_FRAME, READY).ok);
    assertReject(KEA_ACK_FRAME.with(100, 1), 'bad-udp-checksum');
  });

  test('takes a frame whose checksum is "none"', () => {
    assert.ok(parseUdp4Frame(FRAME.with(UDP + 6, 0).with(UDP + 7, 0), READY).ok);
  });

  test('takes IP options and the padding of small frames', () => {
    const header = concat([FRAME.subarray(IP, UDP), hex('01010100')])
      .with(0, 0x46)
      .with(3, 0x25);
    const frame = mended(concat([FRAME.subarray(0, IP), header, FRAME.subarray(UDP), new Uint8Array(20)]));
    assert.deepEqual(parseUdp4Frame(frame, READY), { ok: true, value: DATAGRAM });
  });

  test('takes one VLAN tag and says which', () => {
    const inVlan = parseUdp4Frame(tagged(FRAME, '8100 a02a'), READY);
    assert.deepEqual(inVlan, { ok: true, value: { ...DATAGRAM, vlan: 42 } });
    assertReject(tagged(tagged(FRAME, '8100 0001'), '8100 0002'), 'not-ipv4');
    assertReject(tagged(FRAME, '8100 0001').subarray(0, 16), 'frame-too-short');
  });

  test('has a reason for everything else', () => {
    assertReject(new Uint8Array(0), 'frame-too-short');
    assertReject(FRAME.subarray(0, IP + 19), 'frame-too-short');
    assertReject(FRAME.with(12, 0x86).with(13, 0xdd), 'not-ipv4');
    assertReject(FRAME.with(IP, 0x65), 'bad-ip-header');
    assertReject(FRAME.with(IP, 0x44), 'bad-ip-header');
    assertReject(FRAME.with(IP + 3, 19), 'bad-ip-header');
    assertReject(FRAME.subarray(0, FRAME.length - 1), 'ip-truncated');
    assertReject(FRAME.with(IP + 8, 63), 'bad-ip-checksum');
    assertReject(FRAME.with(IP + 8, 63), 'bad-ip-checksum', NOT_READY);
    assertReject(mended(FRAME.with(IP + 6, 0x20)), 'fragment');
    assertReject(mended(FRAME.with(IP + 7, 1)), 'fragment');
    assertReject(mended(FRAME.with(IP + 9, 6)), 'not-udp');
    assertReject(mended(FRAME.with(IP + 3, 27)), 'bad-udp-length');
    assertReject(FRAME.with(UDP + 5, 7), 'bad-udp-length');
    assertReject(FRAME.with(UDP + 5, 14), 'bad-udp-length');
    assertReject(FRAME.with(UDP + 8, 0), 'bad-udp-checksum');
  });

  test('reads a frame that is a part of a larger buffer', () => {
    const buffer = concat([new Uint8Array(7), FRAME, new Uint8Array(9)]);
    assert.ok(parseUdp4Frame(buffer.subarray(7, 7 + FRAME.length), READY).ok);
  });

  test('never throws on random bytes, nor on a frame with one byte changed or cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, checksumReady) => {
        parseUdp4Frame(bytes, { checksumReady });
      }),
    );
    for (let at = 0; at < FRAME.length; at++) {
      parseUdp4Frame(FRAME.subarray(0, at), READY);
      for (let byte = 0; byte < 256; byte++) parseUdp4Frame(FRAME.with(at, byte), READY);
    }
  });
});
