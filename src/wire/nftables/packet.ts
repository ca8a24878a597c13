import {
  and,
  cmp,
  load,
  meta,
  NFT_CMP_EQ,
  NFT_CMP_NEQ,
  NFT_META_L4PROTO,
  NFT_META_NFPROTO,
  NFT_META_PKTTYPE,
  NFT_META_PROTOCOL,
  NFT_PAYLOAD_LL_HEADER,
  NFT_PAYLOAD_NETWORK_HEADER,
  NFT_PAYLOAD_TRANSPORT_HEADER,
  type Expression,
  type Field,
} from './expression.ts';
import { beU16Bytes } from './attributes.ts';
import { NFPROTO_IPV4 } from './message.ts';
import type { DataType } from './table.ts';

/** Fields of packets, and the conditions that rules begin with. */

function network(offset: number, length: number): Field {
  return { base: NFT_PAYLOAD_NETWORK_HEADER, offset, length };
}

function transport(offset: number, length: number): Field {
  return { base: NFT_PAYLOAD_TRANSPORT_HEADER, offset, length };
}

// IEEE 802.3
export const ETHER_DADDR: Field = { base: NFT_PAYLOAD_LL_HEADER, offset: 0, length: 6 };
export const ETHER_SADDR: Field = { base: NFT_PAYLOAD_LL_HEADER, offset: 6, length: 6 };
// RFC 791 3.1
export const IP_ID = network(4, 2);
export const IP_FLAGS_AND_OFFSET = network(6, 2);
export const IP_SADDR = network(12, 4);
export const IP_DADDR = network(16, 4);
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;
// RFC 9293 3.1, RFC 768: ports come first in both.
export const SPORT = transport(0, 2);
export const DPORT = transport(2, 2);
const TCP_FLAGS = transport(13, 1);
export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_ACK = 0x10;
// RFC 792: an error carries the header that it is about, and eight bytes more.
const ICMP_TYPE = transport(0, 1);
const ICMP_QUOTED = 8;
export const QUOTED_VERSION_AND_LENGTH = transport(ICMP_QUOTED, 1);
export const QUOTED_PROTOCOL = transport(ICMP_QUOTED + 9, 1);
export const QUOTED_SADDR = transport(ICMP_QUOTED + 12, 4);
export const QUOTED_DADDR = transport(ICMP_QUOTED + 16, 4);
export const QUOTED_SPORT = transport(ICMP_QUOTED + 20, 2);
export const QUOTED_DPORT = transport(ICMP_QUOTED + 22, 2);
/** Version 4, header of five words: without options, else the ports are elsewhere. */
export const PLAIN_IPV4_HEADER = 0x45;

// IANA protocol numbers
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
const ETH_P_IP = 0x0800;
/** linux/if_packet.h: sent to this interface's own address. */
const PACKET_HOST = 0;

// nft(8) prints sets by these (libnftables, datatype.h); the kernel keeps them and does not look.
const TYPE_BITS = 6;
export const IPV4_ADDR: DataType = { type: 7, length: 4 };
export const ETHER_ADDR: DataType = { type: 9, length: 6 };
/** A port; also stands for other numbers of two bytes, because nft(8) cannot print those within a key. */
export const INET_SERVICE: DataType = { type: 13, length: 2 };
/** Names are padded to IFNAMSIZ. */
export const IFNAME: DataType = { type: 41, length: 16, hostOrder: true };

/** A key of several parts, each of which fills whole registers of four bytes. */
export function concatenation(parts: readonly DataType[]): DataType {
  return {
    type: parts.reduce((all, { type }) => (all << TYPE_BITS) | type, 0),
    length: parts.reduce((all, { length }) => all + Math.ceil(length / 4) * 4, 0),
  };
}

/** In chains of family netdev: what the Ethernet type says. */
export function isIpv4Frame(): readonly Expression[] {
  return [meta(NFT_META_PROTOCOL), cmp(NFT_CMP_EQ, beU16Bytes(ETH_P_IP))];
}

export function isNoIpv4Frame(): readonly Expression[] {
  return [meta(NFT_META_PROTOCOL), cmp(NFT_CMP_NEQ, beU16Bytes(ETH_P_IP))];
}

/** In chains of family inet. */
export function isIpv4(): readonly Expression[] {
  return [meta(NFT_META_NFPROTO), cmp(NFT_CMP_EQ, Uint8Array.of(NFPROTO_IPV4))];
}

export function isProtocol(protocol: number): readonly Expression[] {
  return [meta(NFT_META_L4PROTO), cmp(NFT_CMP_EQ, Uint8Array.of(protocol))];
}

export function isNotForUs(): readonly Expression[] {
  return [meta(NFT_META_PKTTYPE), cmp(NFT_CMP_NEQ, Uint8Array.of(PACKET_HOST))];
}

export function isForUs(): readonly Expression[] {
  return [meta(NFT_META_PKTTYPE), cmp(NFT_CMP_EQ, Uint8Array.of(PACKET_HOST))];
}

export function hasByte(field: Field, value: number): readonly Expression[] {
  return [load(field), cmp(NFT_CMP_EQ, Uint8Array.of(value))];
}

export function hasIcmpType(type: number): readonly Expression[] {
  return hasByte(ICMP_TYPE, type);
}

/** Of the flags in `mask` exactly `flags` are set. */
export function hasTcpFlags(mask: number, flags: number): readonly Expression[] {
  return [load(TCP_FLAGS), and(Uint8Array.of(mask)), cmp(NFT_CMP_EQ, Uint8Array.of(flags))];
}

/** The first segment of a connection. */
export function isTcpSyn(): readonly Expression[] {
  return [...isProtocol(IPPROTO_TCP), ...hasTcpFlags(TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK, TCP_SYN)];
}

export function hasAnyTcpFlag(mask: number): readonly Expression[] {
  return [load(TCP_FLAGS), and(Uint8Array.of(mask)), cmp(NFT_CMP_NEQ, Uint8Array.of(0))];
}

export function isFragment(): readonly Expression[] {
  const mask = beU16Bytes(MORE_FRAGMENTS | FRAGMENT_OFFSET);
  return [load(IP_FLAGS_AND_OFFSET), and(mask), cmp(NFT_CMP_NEQ, beU16Bytes(0))];
}

/** A fragment without the ports. */
export function isLaterFragment(): readonly Expression[] {
  const mask = beU16Bytes(FRAGMENT_OFFSET);
  return [load(IP_FLAGS_AND_OFFSET), and(mask), cmp(NFT_CMP_NEQ, beU16Bytes(0))];
}
