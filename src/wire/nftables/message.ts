import { concat } from '../../base/bytes.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import { NLM_F_DUMP } from '../netlink/message.ts';
import { beU16Bytes } from './attributes.ts';

// linux/netfilter/nfnetlink.h
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNLGRP_NFTABLES = 7;
const NFNETLINK_V0 = 0;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
/** struct nfgenmsg: family, version, resource id (big-endian). */
export const NFGENMSG_LENGTH = 4;

/** linux/netfilter.h: NFPROTO_INET, NFPROTO_IPV4, NFPROTO_NETDEV. */
export const FAMILIES = { inet: 1, ip: 2, netdev: 5 } as const;
export type Family = keyof typeof FAMILIES;
/** linux/netfilter.h: a packet's own family. */
export const NFPROTO_IPV4 = 2;

/** enum nf_tables_msg_types */
export const NFT_MSG = {
  NEWTABLE: 0,
  GETTABLE: 1,
  DELTABLE: 2,
  NEWCHAIN: 3,
  GETCHAIN: 4,
  DELCHAIN: 5,
  NEWRULE: 6,
  GETRULE: 7,
  DELRULE: 8,
  NEWSET: 9,
  GETSET: 10,
  DELSET: 11,
  NEWSETELEM: 12,
  GETSETELEM: 13,
  DELSETELEM: 14,
  NEWGEN: 15,
  GETGEN: 16,
} as const;
export type NftMessage = keyof typeof NFT_MSG;

/** The first attribute of every message about a table, a chain, a rule, a set or its elements is the table's name. */
export const NFTA_TABLE = 1;

export function nftType(message: NftMessage): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG[message];
}

function nfgenmsg(family: number, resource: number): Uint8Array {
  return concat([Uint8Array.of(family, NFNETLINK_V0), beU16Bytes(resource)]);
}

/** `what` is what errors call it: "NFT_MSG_NEWCHAIN inet leasehold forward". */
export function nftRequest(
  message: NftMessage,
  family: Family,
  what: string,
  options: { readonly flags?: number; readonly attributes?: readonly Uint8Array[] } = {},
): NetlinkRequest {
  return {
    op: `NFT_MSG_${message} ${family} ${what}`,
    type: nftType(message),
    flags: options.flags ?? 0,
    payload: concat([nfgenmsg(FAMILIES[family], 0), ...(options.attributes ?? [])]),
  };
}

/** What the kernel has; `attributes` restrict it. */
export function nftDump(
  message: NftMessage,
  family: Family,
  what: string,
  attributes: readonly Uint8Array[] = [],
): NetlinkRequest {
  return nftRequest(message, family, what, { flags: NLM_F_DUMP, attributes });
}

/** What stands between these two is done as one, or not at all. */
export const BATCH_BEGIN: NetlinkRequest = batchMark('begin', NFNL_MSG_BATCH_BEGIN);
export const BATCH_END: NetlinkRequest = batchMark('end', NFNL_MSG_BATCH_END);

function batchMark(what: string, type: number): NetlinkRequest {
  return { op: `nf_tables batch ${what}`, type, flags: 0, payload: nfgenmsg(0, NFNL_SUBSYS_NFTABLES) };
}
