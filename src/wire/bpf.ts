import { ipv4ToNumber, type Ipv4 } from '../base/ipv4.ts';
import {
  ARP_ADDRESS_LENGTHS,
  ARP_ETHERNET_IPV4,
  ARP_FIELD,
  ARP_REPLY,
  ARP_REQUEST,
  ETHERTYPE_ARP,
} from './arp.ts';
import { ifInX } from './bpf-address-set.ts';
import {
  assemble,
  BPF,
  BPF_VLAN_TAG,
  type BpfInstruction,
  encodeBpf,
  ifAny,
  ifEqual,
  type Line,
  load,
  type Target,
} from './bpf-assembler.ts';
import { DHCP_CLIENT_PORT } from './dhcp4/udp-ports.ts';

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

/**
 * Of all senders: replies, probes (no sender address) and announcements (sender and target are the same). An ordinary
 * question says as much of its sender's address as they do (RFC 5227 1.2, 2.4): `question` is what becomes of it, with that
 * address in X.
 */
function arpThatMatters(question: Target): readonly Line[] {
  return [
    ...ARP_ETHERNET,
    load(BPF.H | BPF.ABS, ARP_AT + ARP_FIELD.operation),
    ifEqual(ARP_REPLY, 'accept', 'next'),
    ifEqual(ARP_REQUEST, 'next', 'refuse'),
    load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.senderIp),
    ifEqual(0, 'accept', 'next'),
    { code: BPF.MISC | BPF.TAX, k: 0 },
    load(BPF.W | BPF.ABS, ARP_AT + ARP_FIELD.targetIp),
    { code: BPF.JMP | BPF.JEQ | BPF.X, k: 0, yes: 'accept', no: question },
  ];
}

const ETHERTYPE: Line = load(BPF.H | BPF.ABS, ETHERTYPE_AT);

/**
 * What an uplink's tap hears: Ethernet frames with UDP to port 68, the ARP that tells of who has an address, and of the
 * ordinary questions of a LAN, which are most of its broadcasts, those whose sender says that one of `claimed` is his: the
 * others wake nobody. A load beyond the end of a packet ends the program with "nothing" (kernel,
 * Documentation/networking/filter.rst), so short frames fall out.
 */
export function dhcpClientProgram(claimed: readonly Ipv4[] = []): readonly BpfInstruction[] {
  const lines = assemble([
    ...UNTAGGED,
    ETHERTYPE,
    ifEqual(ETHERTYPE_IPV4, 'next', UDP_TO_CLIENT.length),
    ...UDP_TO_CLIENT,
    ...arpThatMatters(claimed.length === 0 ? 'refuse' : 'beyond'),
  ]);
  return claimed.length === 0 ? lines : [...lines, ...ifInX(claimed)];
}

/** dhcpClientProgram as the bytes for SO_ATTACH_FILTER; their number is a multiple of BPF_INSTRUCTION_BYTES. */
export function dhcpClientFilter(claimed: readonly Ipv4[] = []): Uint8Array {
  return encodeBpf(dhcpClientProgram(claimed));
}

/** The ARP part of dhcpClientProgram alone. */
export function arpProgram(): readonly BpfInstruction[] {
  return assemble([...UNTAGGED, ETHERTYPE, ...arpThatMatters('refuse')]);
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
