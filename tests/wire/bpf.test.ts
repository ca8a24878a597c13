import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { concat } from '../../src/base/bytes.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { encodeBpf } from '../../src/wire/bpf-assembler.ts';
import { dhcpClientFilter, dhcpClientProgram } from '../../src/wire/bpf.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { decodeBpf, runBpf } from './bpf-machine.ts';
import { DHCLIENT_DISCOVER_FRAME, DNSMASQ_OFFER_FRAME, KEA_ACK_FRAME } from './dhcp4/fixtures.ts';
import { hex } from './dhcp4/results.ts';

const PROGRAM = decodeBpf(dhcpClientFilter());
const IP = 14;
const UDP = 34;

function frameTo(dstPort: number, payload: Uint8Array = new Uint8Array(240)): Uint8Array {
  return emitUdp4Frame({
    srcMac: mac('02:00:5e:10:00:02'),
    dstMac: mac('02:00:5e:10:00:01'),
    src: ipv4('192.168.1.1'),
    dst: ipv4('192.168.1.7'),
    srcPort: 67,
    dstPort,
    payload,
  });
}

function accepts(frame: Uint8Array): boolean {
  const kept = runBpf(PROGRAM, frame);
  if (kept > 0) assert.ok(kept >= frame.length, 'an accepted packet is kept whole');
  return kept > 0;
}

describe('encodeBpf', () => {
  test('is the array of struct sock_filter', () => {
    assert.deepEqual(decodeBpf(encodeBpf(dhcpClientProgram())), dhcpClientProgram());
    const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
    const bytes = encodeBpf([{ code: 0x15, jt: 1, jf: 2, k: 0x800 }]);
    assert.equal(bytes.toHex(), little ? '1500010200080000' : '0015010200000800');
  });

  test('jumps only forward and inside the program', () => {
    PROGRAM.forEach(({ jt, jf }, i) => assert.ok(i + 1 + Math.max(jt, jf) < PROGRAM.length + 1));
  });
});

describe('dhcpClientFilter', () => {
  test('takes what servers send', () => {
    assert.ok(accepts(DNSMASQ_OFFER_FRAME));
    assert.ok(accepts(KEA_ACK_FRAME));
    assert.ok(accepts(frameTo(68)));
  });

  test('leaves what clients send, and all other ports', () => {
    assert.ok(!accepts(DHCLIENT_DISCOVER_FRAME));
    for (const port of [0, 53, 67, 69, 0x4400, 65535]) assert.ok(!accepts(frameTo(port)), String(port));
  });

  test('finds the port behind IP options', () => {
    const plain = frameTo(68);
    for (let words = 1; words <= 10; words++) {
      const options = new Uint8Array(words * 4).fill(1);
      const head = plain.subarray(0, UDP).with(IP, 0x45 + words);
      assert.ok(accepts(concat([head, options, plain.subarray(UDP)])));
    }
    // A 68 where the port would be without options is none.
    const decoy = frameTo(67).with(IP, 0x46);
    assert.ok(!accepts(decoy.with(UDP + 2, 0).with(UDP + 3, 68)));
  });

  test('leaves fragments, the first one too', () => {
    assert.ok(accepts(frameTo(68).with(IP + 6, 0x40)), "Don't Fragment is no fragment");
    assert.ok(!accepts(frameTo(68).with(IP + 6, 0x20)));
    assert.ok(!accepts(frameTo(68).with(IP + 7, 1)));
    assert.ok(
      !accepts(
        frameTo(68)
          .with(IP + 6, 0x1f)
          .with(IP + 7, 0xff),
      ),
    );
  });

  test('leaves other protocols', () => {
    assert.ok(!accepts(frameTo(68).with(IP + 9, 6)));
    assert.ok(!accepts(frameTo(68).with(12, 0x86).with(13, 0xdd)));
    assert.ok(!accepts(frameTo(68).with(12, 0x08).with(13, 0x06)));
    const tagged = concat([frameTo(68).subarray(0, 12), hex('81000001'), frameTo(68).subarray(12)]);
    assert.ok(!accepts(tagged));
  });

  test('leaves short frames at every length', () => {
    const frame = frameTo(68);
    for (let length = 0; length < UDP + 4; length++) assert.ok(!accepts(frame.subarray(0, length)));
    assert.ok(accepts(frame.subarray(0, UDP + 4)));
  });

  test('takes every frame to port 68 that the parser takes', () => {
    const change = fc.tuple(fc.nat(UDP + 8), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 2 }), (changes) => {
        let frame = frameTo(68);
        for (const [at, byte] of changes) frame = frame.with(at, byte);
        const read = parseUdp4Frame(frame, { checksumReady: false });
        if (read.ok && read.value.dstPort === 68) assert.ok(accepts(frame));
      }),
      { numRuns: 2000 },
    );
  });
});
