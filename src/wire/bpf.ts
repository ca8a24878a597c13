import { ipv4ToNumber, type Ipv4 } from '../base/ipv4.ts';
import {
  ARP_ADDRESS_LENGTHS,
  ARP_ETHERNET_IPV4,
  ARP_FIELD,
  ARP_REPLY,
  ARP_REQUEST,
  ETHERTYPE_ARP,
} from './arp.ts';
import { DHCP_CLIENT_PORT } from './dhcp4/udp-ports.ts';

/** The parts of an instruction's code, under their names in linux/bpf_common.h. */
export const BPF = {
  // classes
  LD: 0x00,
  LDX: 0x01,
  JMP: 0x05,
  RET: 0x06,
  MISC: 0x07,
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
  X: 0x08,
  TAX: 0x00,
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

const ETHERTYPE_AT = 12;
const IP_AT = 14;
const IP_FRAGMENT_AT = IP_AT + 6;
const IP_PROTOCOL_AT = IP_AT + 9;
const UDP_DST_PORT = 2;
const ETHERTYPE_IPV4 = 0x0800;
const IP_PROTO_ICMP = 1;
const IP_PROTO_UDP = 17;
/** Destination unreachable (RFC 792). */
const ICMP_UNREACHABLE = 3;
/** More Fragments and the offset (RFC 791 3.1): a first fragment is refused too. */
const IP_FRAGMENT_MASK = 0x3fff;
const ARP_AT = 14;
/** 01:80:c2:00:00:00, to which bridges send BPDUs (IEEE 802.1D 7.12.3), as a word and a half word. */
const BRIDGE_GROUP = 0x0180_c200;
const BRIDGE_GROUP_END = 0;
const GROUP_BIT = 1;
/** VLAN 0 is none: such a tag has a priority only (IEEE 802.1Q 9.6). */
const VLAN_ID_MASK = 0x0fff;

/** Where a jump leads: to the next instruction, to one of the two ends, or over a number of instructions. */
type Target = 'next' | 'accept' | 'refuse' | number;
type Line = {
  readonly code: number;
  readonly k: number;
  readonly yes?: Target;
  readonly no?: Target;
};

/** A load into the accumulator. */
function load(code: number, k: number): Line {
  return { code: BPF.LD | code, k };
}

function ifEqual(k: number, yes: Target, no: Target): Line {
  return { code: BPF.JMP | BPF.JEQ | BPF.K, k, yes, no };
}

function ifAny(k: number, yes: Target, no: Target): Line {
  return { code: BPF.JMP | BPF.JSET | BPF.K, k, yes, no };
}

/** Puts the two ends behind the lines and makes targets distances. A distance has eight bits: programs are short. */
function assemble(lines: readonly Line[]): readonly BpfInstruction[] {
  const distance = (target: Target, at: number): number => {
    const toAccept = lines.length - at - 1;
    if (target === 'accept') return toAccept;
    if (target === 'refuse') return toAccept + 1;
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

/**
 * The frames of other VLANs on the wire are not those of this LAN, and a packet socket sees them without their tag. An
 * address of another VLAN is no conflict.
 */
const UNTAGGED: readonly Line[] = [
  load(BPF.W | BPF.ABS, BPF_VLAN_TAG),
  ifAny(VLAN_ID_MASK, 'refuse', 'next'),
];

/** An unfragmented UDP datagram to port 68, IP options or not. */
const UDP_TO_CLIENT: readonly Line[] = [
  load(BPF.B | BPF.ABS, IP_PROTOCOL_AT),
  ifEqual(IP_PROTO_UDP, 'next', 'refuse'),
  load(BPF.H | BPF.ABS, IP_FRAGMENT_AT),
  ifAny(IP_FRAGMENT_MASK, 'refuse', 'next'),
  // X becomes the length of the IP header: four times the low half of its first byte.
  { code: BPF.LDX | BPF.B | BPF.MSH, k: IP_AT },
  load(BPF.H | BPF.IND, IP_AT + UDP_DST_PORT),
  ifEqual(DHCP_CLIENT_PORT, 'accept', 'refuse'),
];

/** Begins with the EtherType in the accumulator. */
const ARP_ETHERNET: readonly Line[] = [
  ifEqual(ETHERTYPE_ARP, 'next', 'refuse'),
  load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.types),
  ifEqual(ARP_ETHERNET_IPV4, 'next', 'refuse'),
  load(BPF.H | BPF.ABS, ARP_AT + ARP_FIELD.lengths),
  ifEqual(ARP_ADDRESS_LENGTHS, 'next', 'refuse'),
];

/** Replies, probes (no sender address) and announcements (sender and target are the same): RFC 5227. */
const ARP_THAT_MATTERS: readonly Line[] = [
  ...ARP_ETHERNET,
  load(BPF.H | BPF.ABS, ARP_AT + ARP_FIELD.operation),
  ifEqual(ARP_REPLY, 'accept', 'next'),
  ifEqual(ARP_REQUEST, 'next', 'refuse'),
  load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.senderIp),
  ifEqual(0, 'accept', 'next'),
  { code: BPF.MISC | BPF.TAX, k: 0 },
  load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.targetIp),
  { code: BPF.JMP | BPF.JEQ | BPF.X, k: 0, yes: 'accept', no: 'refuse' },
];

const ETHERTYPE: Line = load(BPF.H | BPF.ABS, ETHERTYPE_AT);

/**
 * What an uplink's tap hears: Ethernet frames with UDP to port 68, and the ARP that tells of who has an address. The
 * ordinary questions of a LAN, which are most of its broadcasts, wake nobody. A load beyond the end of a packet ends
 * the program with "nothing" (kernel, Documentation/networking/filter.rst), so short frames fall out.
 */
export function dhcpClientProgram(): readonly BpfInstruction[] {
  return assemble([
    ...UNTAGGED,
    ETHERTYPE,
    ifEqual(ETHERTYPE_IPV4, 'next', UDP_TO_CLIENT.length),
    ...UDP_TO_CLIENT,
    ...ARP_THAT_MATTERS,
  ]);
}

/** dhcpClientProgram as the bytes for SO_ATTACH_FILTER; their number is a multiple of BPF_INSTRUCTION_BYTES. */
export function dhcpClientFilter(): Uint8Array {
  return encodeBpf(dhcpClientProgram());
}

/** The ARP part of dhcpClientProgram alone. */
export function arpProgram(): readonly BpfInstruction[] {
  return assemble([...UNTAGGED, ETHERTYPE, ...ARP_THAT_MATTERS]);
}

/** ARP packets in which somebody has this address or probes for it: what concerns who probes for it himself. */
export function arpAboutProgram(address: Ipv4): readonly BpfInstruction[] {
  const number = ipv4ToNumber(address);
  return assemble([
    ...UNTAGGED,
    ETHERTYPE,
    ...ARP_ETHERNET,
    load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.senderIp),
    ifEqual(number, 'accept', 'next'),
    ifEqual(0, 'next', 'refuse'),
    load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.targetIp),
    ifEqual(number, 'accept', 'refuse'),
  ]);
}

const ICMP_ERRORS: readonly Line[] = [
  { code: BPF.LDX | BPF.B | BPF.MSH, k: IP_AT },
  load(BPF.B | BPF.IND, IP_AT),
  ifEqual(ICMP_UNREACHABLE, 'accept', 'refuse'),
];

const IPV4_FOR_PROBE: readonly Line[] = [
  load(BPF.B | BPF.ABS, IP_PROTOCOL_AT),
  ifEqual(IP_PROTO_ICMP, 'next', ICMP_ERRORS.length),
  ...ICMP_ERRORS,
  ...UDP_TO_CLIENT,
];

const GROUP_FRAMES: readonly Line[] = [load(BPF.B | BPF.ABS, 0), ifAny(GROUP_BIT, 'accept', 'refuse')];

/**
 * What a probe of the LAN hears: UDP to port 68, ICMP "unreachable", all ARP, BPDUs, and of other VLANs the frames to
 * groups. The traffic of the node and its pods, which is most of it, wakes nobody.
 */
export function probeProgram(): readonly BpfInstruction[] {
  return assemble([
    load(BPF.W | BPF.ABS, BPF_VLAN_TAG),
    ifAny(VLAN_ID_MASK, 'next', GROUP_FRAMES.length),
    ...GROUP_FRAMES,
    ETHERTYPE,
    ifEqual(ETHERTYPE_IPV4, 'next', IPV4_FOR_PROBE.length),
    ...IPV4_FOR_PROBE,
    ifEqual(ETHERTYPE_ARP, 'accept', 'next'),
    load(BPF.W | BPF.ABS, 0),
    ifEqual(BRIDGE_GROUP, 'next', 'refuse'),
    load(BPF.H | BPF.ABS, 4),
    ifEqual(BRIDGE_GROUP_END, 'accept', 'refuse'),
  ]);
}
