import { concat } from '../../base/bytes.ts';
import type { Result } from '../../base/result.ts';
import { Attributes, decoding, StructReader, u32Attr, type NetlinkProblem } from './attributes.ts';
import type { NetlinkRequest } from './message.ts';

// linux/rtnetlink.h
export const RTM_NEWNSID = 88;
export const RTM_GETNSID = 90;
/** struct rtgenmsg: the family, padded. */
const RTGENMSG_LENGTH = 4;

// linux/net_namespace.h
const NETNSA_NSID = 1;
const NETNSA_FD = 3;

/** "Choose one" (NETNSA_NSID_NOT_ASSIGNED). */
const ANY_NSID = 0xffff_ffff;

/** Gives the namespace behind `fd` an id in the namespace of the socket: EEXIST when it has one. It goes with either. */
export function newNsidRequest(fd: number): NetlinkRequest {
  return {
    op: 'RTM_NEWNSID',
    type: RTM_NEWNSID,
    flags: 0,
    payload: concat([
      new Uint8Array(RTGENMSG_LENGTH),
      u32Attr(NETNSA_NSID, ANY_NSID),
      u32Attr(NETNSA_FD, fd),
    ]),
  };
}

/** Asks which id the namespace behind `fd` has in the namespace of the socket. */
export function getNsidRequest(fd: number): NetlinkRequest {
  return {
    op: 'RTM_GETNSID',
    type: RTM_GETNSID,
    flags: 0,
    payload: concat([new Uint8Array(RTGENMSG_LENGTH), u32Attr(NETNSA_FD, fd)]),
  };
}

/** NETNSA_NSID_NOT_ASSIGNED (-1) when the namespace has no id there. */
export function decodeNsid(payload: Uint8Array): Result<number, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(payload, 'rtgenmsg', RTGENMSG_LENGTH);
    const attributes = new Attributes(header.after(RTGENMSG_LENGTH), 'rtgenmsg');
    return attributes.i32(NETNSA_NSID) ?? -1;
  });
}
