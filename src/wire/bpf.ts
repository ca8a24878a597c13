/** The parts of an instruction's code, under their names in linux/bpf_common.h. */
export const BPF = {
  // classes
  LD: 0x00,
  LDX: 0x01,
  JMP: 0x05,
  RET: 0x06,
  // sizes
  W: 0x00,
  H: 0x08,
  B: 0x10,
  // modes
  ABS: 0x20,
  IND: 0x40,
  MSH: 0xa0,
  // jumps and operands
  JEQ: 0x10,
  JSET: 0x40,
  K: 0x00,
} as const;

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

const ETHERTYPE_AT = 12;
const IP_AT = 14;
const IP_FRAGMENT_AT = IP_AT + 6;
const IP_PROTOCOL_AT = IP_AT + 9;
const UDP_DST_PORT = 2;
const ETHERTYPE_IPV4 = 0x0800;
const IP_PROTO_UDP = 17;
/** More Fragments and the offset (RFC 791 3.1): a first fragment is refused too. */
const IP_FRAGMENT_MASK = 0x3fff;
export const DHCP_CLIENT_PORT = 68;

/** A load into the accumulator. */
function load(code: number, k: number): BpfInstruction {
  return { code: BPF.LD | code, jt: 0, jf: 0, k };
}

/**
 * Ethernet frames with an unfragmented UDP datagram over IPv4 to port 68, IP options or not. A load beyond the end of
 * a packet ends the program with "nothing" (kernel, Documentation/networking/filter.rst), so short frames fall out.
 */
export function dhcpClientProgram(): readonly BpfInstruction[] {
  return [
    load(BPF.H | BPF.ABS, ETHERTYPE_AT),
    { code: BPF.JMP | BPF.JEQ | BPF.K, jt: 0, jf: 8, k: ETHERTYPE_IPV4 },
    load(BPF.B | BPF.ABS, IP_PROTOCOL_AT),
    { code: BPF.JMP | BPF.JEQ | BPF.K, jt: 0, jf: 6, k: IP_PROTO_UDP },
    load(BPF.H | BPF.ABS, IP_FRAGMENT_AT),
    { code: BPF.JMP | BPF.JSET | BPF.K, jt: 4, jf: 0, k: IP_FRAGMENT_MASK },
    // X becomes the length of the IP header: four times the low half of its first byte.
    { code: BPF.LDX | BPF.B | BPF.MSH, jt: 0, jf: 0, k: IP_AT },
    load(BPF.H | BPF.IND, IP_AT + UDP_DST_PORT),
    { code: BPF.JMP | BPF.JEQ | BPF.K, jt: 0, jf: 1, k: DHCP_CLIENT_PORT },
    { code: BPF.RET | BPF.K, jt: 0, jf: 0, k: WHOLE_PACKET },
    { code: BPF.RET | BPF.K, jt: 0, jf: 0, k: NOTHING },
  ];
}

/** dhcpClientProgram as the bytes for SO_ATTACH_FILTER; their number is a multiple of BPF_INSTRUCTION_BYTES. */
export function dhcpClientFilter(): Uint8Array {
  return encodeBpf(dhcpClientProgram());
}
