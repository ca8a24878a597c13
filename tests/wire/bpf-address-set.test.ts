import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { IPV4_ANY, type Ipv4, ipv4FromNumber } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { type ArpPacket, emitArpFrame } from '../../src/wire/arp.ts';
import { MOST_BLOCKS } from '../../src/wire/bpf-address-set.ts';
import type { BpfInstruction } from '../../src/wire/bpf-assembler.ts';
import { dhcpClientFilter, dhcpClientProgram } from '../../src/wire/bpf.ts';
import { decodeBpf, runBpf } from './bpf-machine.ts';

const HOST = mac('02:00:5e:10:00:02');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const NO_MAC = mac('00:00:00:00:00:00');
const SOMEBODY = ipv4FromNumber(0xc0a8_01fe);
const BLOCK = 32;
/** BPF_MAXINSNS (linux/bpf_common.h). */
const MOST_INSTRUCTIONS = 4096;

function question(senderIp: Ipv4, op: ArpPacket['op'] = 'request'): Uint8Array {
  const packet = { op, senderMac: HOST, senderIp, targetMac: NO_MAC, targetIp: SOMEBODY };
  return emitArpFrame(HOST, BROADCAST, packet);
}

function hears(program: readonly BpfInstruction[], sender: number): boolean {
  const frame = question(ipv4FromNumber(sender >>> 0));
  const kept = runBpf(program, frame);
  if (kept > 0) assert.ok(kept >= frame.length, 'an accepted packet is kept whole');
  return kept > 0;
}

const programOf = (numbers: readonly number[]): readonly BpfInstruction[] =>
  dhcpClientProgram(numbers.map((number) => ipv4FromNumber(number)));

/** Every jump leads to an instruction, forward, as the kernel wants it. */
function assertSound(program: readonly BpfInstruction[]): void {
  assert.ok(program.length <= MOST_INSTRUCTIONS);
  program.forEach(({ code, jt, jf, k }, at) => {
    assert.ok(jt <= 255 && jf <= 255);
    const far = code === 0x05 ? k : Math.max(jt, jf);
    assert.ok(at + 1 + far < program.length || (code & 0x07) !== 0x05, `the jump at ${at}`);
  });
}

describe('a tap that is told of addresses', () => {
  const address = fc.oneof(
    fc.integer({ min: 0xc0a8_0100, max: 0xc0a8_02ff }),
    fc.integer({ min: 1, max: 0xffff_ffff }),
  );

  test('hears the ordinary questions of who has one of them, and of nobody else', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(address, { minLength: 1, maxLength: MOST_BLOCKS }),
        fc.array(address, { maxLength: 30 }),
        (members, others) => {
          const program = programOf(members);
          assertSound(program);
          for (const member of members) assert.ok(hears(program, member), String(member));
          const set = new Set([...members, 0xc0a8_01fe]);
          for (const member of members.slice(0, 5))
            for (const near of [member - 1, member + 1, member ^ 0x1000, (member ^ 0x8000_0000) >>> 0])
              if (!set.has(near >>> 0) && near > 0 && near <= 0xffff_ffff)
                assert.ok(!hears(program, near), `${near} beside ${member}`);
          for (const other of others) if (!set.has(other)) assert.ok(!hears(program, other), String(other));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('is exact for all of a network of 4,096 addresses, every second one of them leased', () => {
    const network = 0x0a20_1000;
    const program = programOf(Array.from({ length: 2048 }, (_, i) => network + 2 * i));
    assertSound(program);
    for (let i = 0; i < 4096; i++) assert.equal(hears(program, network + i), i % 2 === 0);
    assert.ok(!hears(program, network + 4096) && !hears(program, network - 2));
  });

  test('with addresses of more blocks hears all of them, too, and does not grow', () => {
    const members = Array.from({ length: 4000 }, (_, i) => 0x0a00_0000 + 977 * i);
    const program = programOf(members);
    assertSound(program);
    for (const member of members) assert.ok(hears(program, member));
    const full = Array.from({ length: MOST_BLOCKS }, (_, i) => 0x0a00_0000 + BLOCK * i);
    assert.ok(program.length <= programOf(full).length + 1);
    // Equal in the last twelve bits to one of few.
    const sparse = programOf(Array.from({ length: MOST_BLOCKS + 1 }, (_, i) => 0x0a00_0000 + 0x1_0000 * i));
    assert.ok(hears(sparse, 0x0a00_0000) && !hears(sparse, 0x0a00_0001));
  });

  test('hears what it heard without them, and as bytes it is the same program', () => {
    const members = [0xc0a8_0107, 0xc0a8_0108];
    const program = programOf(members);
    assert.ok(runBpf(program, question(SOMEBODY)) > 0, 'an announcement');
    assert.ok(runBpf(program, question(IPV4_ANY)) > 0, 'a probe');
    assert.ok(runBpf(program, question(ipv4FromNumber(0xc0a8_0109), 'reply')) > 0, 'a reply');
    assert.equal(runBpf(program, question(ipv4FromNumber(0xc0a8_0107)), 7), 0, 'another VLAN');
    const filter = dhcpClientFilter(members.map((number) => ipv4FromNumber(number)));
    assert.deepEqual(decodeBpf(filter), program);
    assert.deepEqual(dhcpClientProgram([]), dhcpClientProgram());
  });
});
