import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { concat } from '../../src/base/bytes.ts';
import { ipv4, ipv4FromNumber } from '../../src/base/ipv4.ts';
import { mac, type Mac, macFromBytes } from '../../src/base/mac.ts';
import { type ArpPacket, emitArpFrame, parseArpFrame } from '../../src/wire/arp.ts';
import { hex } from './dhcp4/results.ts';

const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const OWN = mac('02:00:5e:10:00:01');

/** A reply as a capture shows it: RFC 826 by hand, padded to the 60 bytes of the smallest frame. */
const REPLY = hex(
  `02005e100001 02005e1000fe 0806 0001 0800 06 04 0002 02005e1000fe c0a80101 02005e100001 c0a80132${'00'.repeat(18)}`.replaceAll(
    ' ',
    '',
  ),
);
const READ: ArpPacket = {
  op: 'reply',
  senderMac: mac('02:00:5e:10:00:fe'),
  senderIp: ipv4('192.168.1.1'),
  targetMac: OWN,
  targetIp: ipv4('192.168.1.50'),
};

const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes): Mac => macFromBytes(bytes));
const anyIp = fc.nat(0xffffffff).map(ipv4FromNumber);
const anyPacket: fc.Arbitrary<ArpPacket> = fc.record(
  {
    op: fc.constantFrom('request' as const, 'reply' as const),
    senderMac: anyMac,
    senderIp: anyIp,
    targetMac: anyMac,
    targetIp: anyIp,
  },
  { noNullPrototype: true },
);

function tagged(frame: Uint8Array, tag = '81000014'): Uint8Array {
  return concat([frame.subarray(0, 12), hex(tag), frame.subarray(12)]);
}

function rejected(frame: Uint8Array): string {
  const read = parseArpFrame(frame);
  return read.ok ? 'taken' : read.error;
}

describe('parseArpFrame', () => {
  test('reads a padded reply, with a VLAN tag too', () => {
    assert.deepEqual(parseArpFrame(REPLY), { ok: true, value: READ });
    assert.deepEqual(parseArpFrame(tagged(REPLY)), { ok: true, value: READ });
  });

  test('reads a frame that lies inside a larger buffer', () => {
    const buffer = concat([hex('ffffff'), REPLY, hex('ffff')]);
    assert.deepEqual(parseArpFrame(buffer.subarray(3, 3 + REPLY.length)), { ok: true, value: READ });
  });

  test('names why it does not take a frame', () => {
    assert.equal(rejected(REPLY.with(13, 0)), 'not-arp');
    assert.equal(rejected(tagged(tagged(REPLY))), 'not-arp');
    for (const [at, byte] of [
      [15, 6],
      [16, 0x86],
      [18, 8],
      [19, 16],
    ] as const) {
      assert.equal(rejected(REPLY.with(at, byte)), 'not-ethernet-ipv4', `byte ${at}`);
    }
    for (const operation of [0, 3, 8, 255]) {
      assert.equal(rejected(REPLY.with(21, operation)), 'bad-arp-operation');
    }
  });

  test('says that it is too short at every length', () => {
    for (let length = 0; length < 42; length++) {
      assert.equal(rejected(REPLY.subarray(0, length)), 'frame-too-short');
    }
    assert.equal(rejected(REPLY.subarray(0, 42)), 'taken');
    for (let length = 14; length < 46; length++) {
      assert.equal(rejected(tagged(REPLY).subarray(0, length)), 'frame-too-short');
    }
  });

  test('never throws, and what it takes it can write again', () => {
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(fc.nat(REPLY.length - 1), fc.nat(255)).map(([at, byte]) => REPLY.with(at, byte)),
    );
    fc.assert(
      fc.property(frames, (frame) => {
        const read = parseArpFrame(frame);
        if (!read.ok) return;
        assert.deepEqual(parseArpFrame(emitArpFrame(OWN, BROADCAST, read.value)), read);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('emitArpFrame', () => {
  test('writes what a capture shows', () => {
    assert.equal(emitArpFrame(READ.senderMac, OWN, READ).toHex(), REPLY.subarray(0, 42).toHex());
  });

  test('is read back as it was', () => {
    fc.assert(
      fc.property(anyPacket, anyMac, anyMac, fc.boolean(), (packet, src, dst, withTag) => {
        const frame = emitArpFrame(src, dst, packet);
        assert.deepEqual(parseArpFrame(withTag ? tagged(frame) : frame), { ok: true, value: packet });
      }),
    );
  });
});
