import { concat } from '../../base/bytes.ts';
import { ipFromBytes, ipToBytes, isIpv4, type Ip } from '../../base/ip.ts';
import { macFromBytes, macToBytes, type Mac } from '../../base/mac.ts';
import type { Result } from '../../base/result.ts';
import {
  attr,
  Attributes,
  decoding,
  NetlinkFormatError,
  optional,
  StructReader,
  u16Bytes,
  u32Attr,
  u32Bytes,
  type NetlinkProblem,
} from './attributes.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, type NetlinkRequest } from './message.ts';
import { AF_INET, AF_INET6 } from './rtnetlink.ts';

// linux/rtnetlink.h
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

// linux/neighbour.h
/** struct ndmsg: family, three of padding, index, state, flags, type. */
const NDMSG_LENGTH = 12;
const NDM_IFINDEX_AT = 4;
const NDM_STATE_AT = 8;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;
export const NUD_PERMANENT = 0x80;
const NUD_NONE = 0;

const MAC_LENGTH = 6;

/** A neighbour to be set. */
export type NewNeighbour = {
  readonly index: number;
  readonly address: Ip;
  readonly mac: Mac;
  /** NUD_* */
  readonly state: number;
};

/** A neighbour as the kernel has it. */
export type Neighbour = {
  readonly index: number;
  readonly address: Ip;
  /** Absent while it is not known, and on links without Ethernet addresses. */
  readonly mac?: Mac;
  /** NUD_* */
  readonly state: number;
};

function payload(neighbour: Omit<Neighbour, 'state'>, state: number): Uint8Array {
  const { index, address, mac } = neighbour;
  return concat([
    Uint8Array.of(isIpv4(address) ? AF_INET : AF_INET6, 0, 0, 0),
    u32Bytes(index),
    u16Bytes(state),
    Uint8Array.of(0, 0),
    attr(NDA_DST, ipToBytes(address)),
    ...optional(mac, (known) => attr(NDA_LLADDR, macToBytes(known))),
  ]);
}

/** Takes the place of what is known of this address, or is added. */
export function replaceNeighbourRequest(neighbour: NewNeighbour): NetlinkRequest {
  return {
    op: `RTM_NEWNEIGH ${neighbour.address} #${neighbour.index}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    payload: payload(neighbour, neighbour.state),
  };
}

/** ENOENT when it is not there. */
export function deleteNeighbourRequest(neighbour: Pick<Neighbour, 'index' | 'address'>): NetlinkRequest {
  return {
    op: `RTM_DELNEIGH ${neighbour.address} #${neighbour.index}`,
    type: RTM_DELNEIGH,
    flags: NLM_F_ACK,
    payload: payload({ index: neighbour.index, address: neighbour.address }, NUD_NONE),
  };
}

/** Those of one family on one link. With NETLINK_GET_STRICT_CHK the header is empty and the attribute filters. */
export function listNeighboursRequest(family: 4 | 6, index: number): NetlinkRequest {
  const header = new Uint8Array(NDMSG_LENGTH);
  header[0] = family === 4 ? AF_INET : AF_INET6;
  return {
    op: `RTM_GETNEIGH #${index}`,
    type: RTM_GETNEIGH,
    flags: NLM_F_DUMP,
    payload: concat([header, u32Attr(NDA_IFINDEX, index)]),
  };
}

/** One. ENOENT when it is not there, EOPNOTSUPP before Linux 5.0 (neigh_get in net/core/neighbour.c). */
export function getNeighbourRequest(neighbour: Pick<Neighbour, 'index' | 'address'>): NetlinkRequest {
  return {
    op: `RTM_GETNEIGH ${neighbour.address} #${neighbour.index}`,
    type: RTM_GETNEIGH,
    flags: 0,
    payload: payload({ index: neighbour.index, address: neighbour.address }, NUD_NONE),
  };
}

/**
 * What a notice about a neighbour is about, read from its header alone: there are many of them on a busy LAN. A family
 * may be AF_BRIDGE: then it is an entry of a forwarding table.
 */
export function neighbourHeader(
  bytes: Uint8Array,
): Result<{ readonly family: number; readonly index: number }, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(bytes, 'ndmsg', NDMSG_LENGTH);
    return { family: header.u8(0), index: header.i32(NDM_IFINDEX_AT) };
  });
}

/** The payload of RTM_NEWNEIGH and RTM_DELNEIGH of an IP family: struct ndmsg and NDA_* attributes. */
export function decodeNeighbour(bytes: Uint8Array): Result<Neighbour, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(bytes, 'ndmsg', NDMSG_LENGTH);
    const attributes = new Attributes(header.after(NDMSG_LENGTH), 'ndmsg');
    const destination = attributes.bytes(NDA_DST);
    const address = destination === undefined ? undefined : ipFromBytes(destination);
    if (address === undefined) throw new NetlinkFormatError('missing', 'NDA_DST');
    const mac = attributes.bytes(NDA_LLADDR);
    return {
      index: header.i32(NDM_IFINDEX_AT),
      address,
      ...(mac?.length === MAC_LENGTH ? { mac: macFromBytes(mac) } : {}),
      state: header.u16(NDM_STATE_AT),
    };
  });
}
