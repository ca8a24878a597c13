import assert from 'node:assert/strict';
import {
  BPF,
  BPF_INSTRUCTION_BYTES,
  BPF_VLAN_TAG,
  type BpfInstruction,
} from '../../src/wire/bpf-assembler.ts';

/** The inverse of encodeBpf, for this machine's byte order. */
export function decodeBpf(bytes: Uint8Array): readonly BpfInstruction[] {
  assert.equal(bytes.length % BPF_INSTRUCTION_BYTES, 0);
  const copy = new Uint8Array(bytes);
  const halves = new Uint16Array(copy.buffer);
  const words = new Uint32Array(copy.buffer);
  return Array.from({ length: bytes.length / BPF_INSTRUCTION_BYTES }, (_, i) => ({
    code: halves[i * 4] ?? 0,
    jt: copy[i * BPF_INSTRUCTION_BYTES + 2] ?? 0,
    jf: copy[i * BPF_INSTRUCTION_BYTES + 3] ?? 0,
    k: words[i * 2 + 1] ?? 0,
  }));
}

const WIDTHS: ReadonlyMap<number, number> = new Map([
  [BPF.B, 1],
  [BPF.H, 2],
  [BPF.W, 4],
]);
const SIZE_BITS = 0x18;
const CLASS_BITS = 0x07;

/**
 * Runs a program over a packet as the kernel does: the number of bytes to keep, 0 when a load goes beyond the packet.
 * Knows only the instructions that our filters use and fails on any other, and on a jump out of the program. `vlanTag`
 * is what the device took off the frame.
 */
export function runBpf(program: readonly BpfInstruction[], packet: Uint8Array, vlanTag = 0): number {
  let a = 0;
  let x = 0;
  const memory = new Map<number, number>();
  for (let pc = 0; ; pc++) {
    const instruction = program[pc];
    assert.ok(instruction, `the program ran out at ${pc}`);
    const { code, jt, jf, k } = instruction;
    if ((code & CLASS_BITS) === BPF.ALU) {
      a = computed(code, a, (code & BPF.X) === 0 ? k : x);
      continue;
    }
    if (code === (BPF.JMP | BPF.JA)) {
      pc += k;
      continue;
    }
    const width = WIDTHS.get(code & SIZE_BITS) ?? 0;
    switch (code & ~SIZE_BITS) {
      case BPF.LD | BPF.ABS:
      case BPF.LD | BPF.IND: {
        if (k === BPF_VLAN_TAG && (code & BPF.IND) === 0) {
          a = vlanTag;
          break;
        }
        const at = (code & BPF.IND) === 0 ? k : k + x;
        if (at + width > packet.length) return 0;
        a = packet.subarray(at, at + width).reduce((value, byte) => value * 256 + byte, 0);
        break;
      }
      case BPF.LDX | BPF.MSH:
        if (k >= packet.length) return 0;
        x = ((packet[k] ?? 0) & 0x0f) * 4;
        break;
      case BPF.MISC | BPF.TAX:
        x = a;
        break;
      case BPF.MISC | BPF.TXA:
        a = x;
        break;
      case BPF.LD | BPF.IMM:
        a = k;
        break;
      case BPF.ST:
        memory.set(k, a);
        break;
      case BPF.LD | BPF.MEM:
        a = memory.get(k) ?? assert.fail(`nothing is in M[${k}]`);
        break;
      case BPF.RET | BPF.K:
        return k;
      default:
        // The jumps use the bits of the size for their operation.
        pc += isTaken(code, k, a, x) ? jt : jf;
    }
  }
}

function computed(code: number, a: number, operand: number): number {
  switch (code & ~(CLASS_BITS | BPF.X)) {
    case BPF.AND:
      return (a & operand) >>> 0;
    case BPF.LSH:
      return (a << operand) >>> 0;
    case BPF.RSH:
      return a >>> operand;
    default:
      return assert.fail(`instruction ${code}`);
  }
}

function isTaken(code: number, k: number, a: number, x: number): boolean {
  switch (code) {
    case BPF.JMP | BPF.JEQ | BPF.K:
      return a === k;
    case BPF.JMP | BPF.JEQ | BPF.X:
      return a === x;
    case BPF.JMP | BPF.JGE | BPF.K:
      return a >= k;
    case BPF.JMP | BPF.JSET | BPF.K:
      return (a & k) !== 0;
    default:
      return assert.fail(`instruction ${code}`);
  }
}
