/** The parts of an instruction's code, under their names in linux/bpf_common.h. */
export const BPF = {
  // classes
  LD: 0x00,
  LDX: 0x01,
  ST: 0x02,
  ALU: 0x04,
  JMP: 0x05,
  RET: 0x06,
  MISC: 0x07,
  // sizes
  W: 0x00,
  H: 0x08,
  B: 0x10,
  // modes
  IMM: 0x00,
  ABS: 0x20,
  IND: 0x40,
  MEM: 0x60,
  MSH: 0xa0,
  // arithmetic
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  // jumps and operands
  JA: 0x00,
  JEQ: 0x10,
  JGE: 0x30,
  JSET: 0x40,
  K: 0x00,
  X: 0x08,
  TAX: 0x00,
  TXA: 0x80,
} as const;

/** A load from here gives the tag that the device or the kernel took off the frame, 0 without one (linux/filter.h). */
export const BPF_VLAN_TAG = 0xffff_f02c;

/** One struct sock_filter (linux/filter.h): code, jumps when true and when false, operand. */
export type BpfInstruction = {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
};

/** sizeof(struct sock_filter): u16, u8, u8, u32 in the order of the machine. */
export const BPF_INSTRUCTION_BYTES = 8;

/** The array of struct sock_filter that SO_ATTACH_FILTER points to; typed arrays have the machine's byte order. */
export function encodeBpf(program: readonly BpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * BPF_INSTRUCTION_BYTES);
  const halves = new Uint16Array(bytes.buffer);
  const words = new Uint32Array(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, i) => {
    halves[i * 4] = code;
    bytes[i * BPF_INSTRUCTION_BYTES + 2] = jt;
    bytes[i * BPF_INSTRUCTION_BYTES + 3] = jf;
    words[i * 2 + 1] = k;
  });
  return bytes;
}

/** The operand of RET for "the whole packet": more than any packet has. */
const WHOLE_PACKET = 0x40000;
const NOTHING = 0;

/** Where a jump leads: to the next instruction, to one of the two ends, behind them, or over a number of instructions. */
export type Target = 'next' | 'accept' | 'refuse' | 'beyond' | number;
export type Line = {
  readonly code: number;
  readonly k: number;
  readonly yes?: Target;
  readonly no?: Target;
};

/** A load into the accumulator. */
export function load(code: number, k: number): Line {
  return { code: BPF.LD | code, k };
}

export function ifEqual(k: number, yes: Target, no: Target): Line {
  return { code: BPF.JMP | BPF.JEQ | BPF.K, k, yes, no };
}

export function ifAny(k: number, yes: Target, no: Target): Line {
  return { code: BPF.JMP | BPF.JSET | BPF.K, k, yes, no };
}

/** Puts the two ends behind the lines and makes targets distances. A distance has eight bits: as many lines at most. */
export function assemble(lines: readonly Line[]): readonly BpfInstruction[] {
  const distance = (target: Target, at: number): number => {
    const toAccept = lines.length - at - 1;
    if (target === 'accept') return toAccept;
    if (target === 'refuse') return toAccept + 1;
    if (target === 'beyond') return toAccept + 2;
    return target === 'next' ? 0 : target;
  };
  return [
    ...lines.map(({ code, k, yes = 'next', no = 'next' }, at) => ({
      code,
      jt: distance(yes, at),
      jf: distance(no, at),
      k,
    })),
    { code: BPF.RET | BPF.K, jt: 0, jf: 0, k: WHOLE_PACKET },
    { code: BPF.RET | BPF.K, jt: 0, jf: 0, k: NOTHING },
  ];
}
