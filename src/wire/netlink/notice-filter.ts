import { BPF, type BpfInstruction } from '../bpf.ts';
import { u16Bytes } from './attributes.ts';
import { NLMSG_HEADER_LENGTH } from './message.ts';
import { RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbour.ts';
import { AF_INET } from './rtnetlink.ts';

/** struct nlmsghdr: the type follows the length. */
const NLMSG_TYPE_AT = 4;
const WHOLE_DATAGRAM = 0xffff_ffff;
const NOTHING = 0;

/** Netlink has the host's byte order, and BPF loads in that of the network. */
function asLoaded(value: number): number {
  const [first = 0, second = 0] = u16Bytes(value);
  return first * 256 + second;
}

function line(code: number, k: number, jt = 0, jf = 0): BpfInstruction {
  return { code, jt, jf, k };
}

const IF_EQUAL = BPF.JMP | BPF.JEQ | BPF.K;

/**
 * Refuses notices of neighbours that are none of IPv4: a bridge tells every MAC that it learns in the same group, and a
 * LAN has as many IPv6 neighbours. They would fill the receive buffer in which the other notices lie.
 */
export function ipv4NeighboursProgram(): readonly BpfInstruction[] {
  return [
    line(BPF.LD | BPF.H | BPF.ABS, NLMSG_TYPE_AT),
    line(IF_EQUAL, asLoaded(RTM_NEWNEIGH), 1, 0),
    line(IF_EQUAL, asLoaded(RTM_DELNEIGH), 0, 2),
    // ndm_family is the first byte behind the header.
    line(BPF.LD | BPF.B | BPF.ABS, NLMSG_HEADER_LENGTH),
    line(IF_EQUAL, AF_INET, 0, 1),
    line(BPF.RET | BPF.K, WHOLE_DATAGRAM),
    line(BPF.RET | BPF.K, NOTHING),
  ];
}
