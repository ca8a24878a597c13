import { concat } from '../../base/bytes.ts';
import { nestedAttr, u32Attr } from './attributes.ts';
import { setLinkRequest } from './link-requests.ts';
import type { NetlinkRequest } from './message.ts';
import { AF_INET } from './rtnetlink.ts';

// linux/if_link.h
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
// linux/ip.h
const IPV4_DEVCONF_PROMOTE_SECONDARIES = 20;

/**
 * Sets net.ipv4.conf.NAME.promote_secondaries, whatever /proc/sys allows: when the first address of a network is
 * deleted, the second takes its place. Without it the kernel deletes them all (net/ipv4/devinet.c, __inet_del_ifa).
 */
export function promoteSecondariesRequest(index: number): NetlinkRequest {
  const { op, type, flags, payload } = setLinkRequest({ index });
  const conf = nestedAttr(IFLA_INET_CONF, [u32Attr(IPV4_DEVCONF_PROMOTE_SECONDARIES, 1)]);
  const inet = nestedAttr(IFLA_AF_SPEC, [nestedAttr(AF_INET, [conf])]);
  return { op: `${op} promote_secondaries`, type, flags, payload: concat([payload, inet]) };
}
