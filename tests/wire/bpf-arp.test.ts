import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { IPV4_ANY, type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { type ArpPacket, emitArpFrame, parseArpFrame } from '../../src/wire/arp.ts';
import { type BpfInstruction } from '../../src/wire/bpf-assembler.ts';
import { arpAboutProgram, arpProgram, dhcpClientProgram } from '../../src/wire/bpf.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { runBpf } from './bpf-machine.ts';

const HOST = mac('02:00:5e:10:00:02');
const NO_MAC = mac('00:00:00:00:00:00');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const A = ipv4('192.168.1.7');
const B = ipv4('192.168.1.8');

function arp(op: ArpPacket['op'], senderIp: Ipv4, targetIp: Ipv4): Uint8Array {
  return emitArpFrame(HOST, BROADCAST, { op, senderMac: HOST, senderIp, targetMac: NO_MAC, targetIp });
}

const QUESTION = arp('request', A, B);
const ANNOUNCEMENT = arp('request', A, A);
const PROBE = arp('request', IPV4_ANY, A);
const REPLY = arp('reply', A, B);
const MATTERING = [ANNOUNCEMENT, PROBE, REPLY, arp('reply', A, A), arp('reply', IPV4_ANY, A)];

function takes(program: readonly BpfInstruction[], frame: Uint8Array, vlanTag = 0): boolean {
  const kept = runBpf(program, frame, vlanTag);
  if (kept > 0) assert.ok(kept >= frame.length, 'an accepted packet is kept whole');
  return kept > 0;
}

for (const [name, program] of [
  ['dhcpClientProgram', dhcpClientProgram()],
  ['arpProgram', arpProgram()],
] as const) {
  describe(`${name} and ARP`, () => {
    test('takes replies, probes and announcements', () => {
      for (const frame of MATTERING) assert.ok(takes(program, frame));
    });

    test('leaves the ordinary questions of a LAN', () => {
      assert.ok(!takes(program, QUESTION));
      // Each of the four bytes counts.
      for (let at = 38; at < 42; at++) {
        assert.ok(!takes(program, ANNOUNCEMENT.with(at, (ANNOUNCEMENT[at] ?? 0) ^ 1)));
      }
    });

    test('leaves other hardware, other protocols, other operations', () => {
      for (const at of [14, 15, 16, 17, 18, 19, 20, 21]) {
        assert.ok(!takes(program, PROBE.with(at, 0x77)), `byte ${at}`);
      }
      assert.ok(!takes(program, PROBE.with(21, 3)), 'RARP');
      assert.ok(!takes(program, PROBE.with(12, 0x86).with(13, 0xdd)), 'IPv6');
    });

    test('leaves short frames', () => {
      for (let length = 0; length < 32; length++) assert.ok(!takes(program, PROBE.subarray(0, length)));
      for (let length = 0; length < 42; length++) {
        assert.ok(!takes(program, ANNOUNCEMENT.subarray(0, length)));
      }
    });

    test('leaves other VLANs; a tag that is a priority only is none', () => {
      assert.ok(!takes(program, PROBE, 20));
      assert.ok(!takes(program, PROBE, 0xe014));
      assert.ok(takes(program, PROBE, 0xe000));
    });

    test('takes what the parser calls a reply, a probe or an announcement, and no other ARP', () => {
      const change = fc.tuple(fc.nat(41), fc.nat(255));
      const frames = fc.tuple(fc.constantFrom(QUESTION, ...MATTERING), fc.array(change, { maxLength: 2 }));
      fc.assert(
        fc.property(frames, ([original, changes]) => {
          let frame = original;
          for (const [at, byte] of changes) frame = frame.with(at, byte);
          const read = parseArpFrame(frame);
          if (!read.ok) return;
          const { op, senderIp, targetIp } = read.value;
          const matters = op === 'reply' || senderIp === IPV4_ANY || senderIp === targetIp;
          assert.equal(takes(program, frame), matters);
        }),
        { numRuns: 1000 },
      );
    });
  });
}

describe('dhcpClientProgram and VLANs', () => {
  test('a DHCP message on another VLAN is for nobody here', () => {
    const frame = emitUdp4Frame({
      srcMac: HOST,
      dstMac: BROADCAST,
      src: A,
      dst: B,
      srcPort: 67,
      dstPort: 68,
      payload: new Uint8Array(240),
    });
    assert.ok(takes(dhcpClientProgram(), frame));
    assert.ok(takes(dhcpClientProgram(), frame, 0x6000));
    assert.ok(!takes(dhcpClientProgram(), frame, 7));
    assert.ok(!takes(arpProgram(), frame));
  });
});

describe('arpAboutProgram', () => {
  const aboutA = arpAboutProgram(A);
  const aboutB = arpAboutProgram(B);

  test('takes every packet in which somebody has the address, questions too', () => {
    for (const frame of [QUESTION, ANNOUNCEMENT, REPLY]) {
      assert.ok(takes(aboutA, frame));
      assert.ok(!takes(aboutB, frame));
    }
  });

  test('takes probes for the address and for no other', () => {
    assert.ok(takes(aboutA, PROBE));
    assert.ok(!takes(aboutB, PROBE));
  });

  test('leaves questions about the address: the kernel answers those', () => {
    assert.ok(!takes(aboutB, QUESTION));
  });

  test('leaves other VLANs and what is no ARP', () => {
    assert.ok(!takes(aboutA, ANNOUNCEMENT, 20));
    assert.ok(!takes(aboutA, ANNOUNCEMENT.with(13, 0)));
    assert.ok(!takes(aboutA, ANNOUNCEMENT.subarray(0, 30)));
  });
});
