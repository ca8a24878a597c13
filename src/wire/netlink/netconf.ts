import type { Result } from '../../base/result.ts';
import { Attributes, decoding, NetlinkFormatError, StructReader, type NetlinkProblem } from './attributes.ts';

// linux/rtnetlink.h
export const RTM_NEWNETCONF = 80;

// linux/netconf.h
/** struct netconfmsg is the family, one byte; attributes begin at the next multiple of four. */
const NETCONFMSG_LENGTH = 4;
const NETCONFA_IFINDEX = 1;
/** Of net.ipv4.conf.default, which is no interface; that of conf.all is -1. */
export const NETCONFA_IFINDEX_DEFAULT = -2;

/** Whose settings changed, of which family (AF_*). */
export type Netconf = { readonly family: number; readonly index: number };

/**
 * The payload of RTM_NEWNETCONF: struct netconfmsg and NETCONFA_* attributes. The kernel tells of forwarding,
 * rp_filter, mc_forwarding, proxy_arp, ignore_routes_with_linkdown and bc_forwarding (net/ipv4/devinet.c,
 * devinet_conf_proc), and of nothing else.
 */
export function decodeNetconf(bytes: Uint8Array): Result<Netconf, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(bytes, 'netconfmsg', NETCONFMSG_LENGTH);
    const index = new Attributes(header.after(NETCONFMSG_LENGTH), 'netconfmsg').i32(NETCONFA_IFINDEX);
    if (index === undefined) throw new NetlinkFormatError('missing', 'NETCONFA_IFINDEX');
    return { family: header.u8(0), index };
  });
}
