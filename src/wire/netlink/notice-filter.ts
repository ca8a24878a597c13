import { BPF, type BpfInstruction } from '../bpf-assembler.ts';
import { u16Bytes, u32Bytes } from './attributes.ts';
import { RTM_DELLINK } from './link.ts';
import { NLMSG_HEADER_LENGTH } from './message.ts';
import { RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbour.ts';
import { RTM_DELROUTE, RTM_NEWROUTE } from './route.ts';
import { AF_INET, AF_UNSPEC } from './rtnetlink.ts';

/** struct nlmsghdr: the type follows the length. */
const NLMSG_TYPE_AT = 4;
/** Whose request it was: the port id of that socket. */
const NLMSG_PID_AT = 12;
/** struct ifinfomsg: family, padding, type of device, index. */
const IFI_FAMILY_AT = NLMSG_HEADER_LENGTH;
const IFI_INDEX_AT = NLMSG_HEADER_LENGTH + 4;
const WHOLE_DATAGRAM = 0xffff_ffff;
const NOTHING = 0;

/** Netlink has the host's byte order, and BPF loads in that of the network. */
function asLoaded(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function line(code: number, k: number, jt = 0, jf = 0): BpfInstruction {
  return { code, jt, jf, k };
}

const IF_EQUAL = BPF.JMP | BPF.JEQ | BPF.K;

/**
 * Refuses notices of neighbours that are none of IPv4: a bridge tells every MAC that it learns in the same group, and a
 * LAN has as many IPv6 neighbours. They would fill the receive buffer in which the other notices lie. And those of routes
 * and neighbours that are changed by the socket with the port id `own`: each pod has one of either, which wakes nobody.
 */
export function networkProgram(own: number): readonly BpfInstruction[] {
  return [
    line(BPF.LD | BPF.H | BPF.ABS, NLMSG_TYPE_AT),
    line(IF_EQUAL, asLoaded(u16Bytes(RTM_NEWROUTE)), 5, 0),
    line(IF_EQUAL, asLoaded(u16Bytes(RTM_DELROUTE)), 4, 0),
    line(IF_EQUAL, asLoaded(u16Bytes(RTM_NEWNEIGH)), 1, 0),
    line(IF_EQUAL, asLoaded(u16Bytes(RTM_DELNEIGH)), 0, 4),
    // ndm_family is the first byte behind the header.
    line(BPF.LD | BPF.B | BPF.ABS, NLMSG_HEADER_LENGTH),
    line(IF_EQUAL, AF_INET, 0, 3),
    line(BPF.LD | BPF.W | BPF.ABS, NLMSG_PID_AT),
    line(IF_EQUAL, asLoaded(u32Bytes(own)), 1, 0),
    line(BPF.RET | BPF.K, WHOLE_DATAGRAM),
    line(BPF.RET | BPF.K, NOTHING),
  ];
}

/** Lets in nothing but that this link has left its namespace: not that it has left a bridge (AF_BRIDGE). */
export function linkRemovedProgram(index: number): readonly BpfInstruction[] {
  return [
    line(BPF.LD | BPF.H | BPF.ABS, NLMSG_TYPE_AT),
    line(IF_EQUAL, asLoaded(u16Bytes(RTM_DELLINK)), 0, 5),
    line(BPF.LD | BPF.B | BPF.ABS, IFI_FAMILY_AT),
    line(IF_EQUAL, AF_UNSPEC, 0, 3),
    line(BPF.LD | BPF.W | BPF.ABS, IFI_INDEX_AT),
    line(IF_EQUAL, asLoaded(u32Bytes(index)), 0, 1),
    line(BPF.RET | BPF.K, WHOLE_DATAGRAM),
    line(BPF.RET | BPF.K, NOTHING),
  ];
}
