import { nestedAttr, u32Attr } from './attributes.ts';
import { AF_INET } from './rtnetlink.ts';

// linux/if_link.h
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
/** linux/ip.h, IPV4_DEVCONF_*. */
const IPV4_DEVCONF = { arpIgnore: 19, promoteSecondaries: 20, arpNotify: 22 } as const;

/**
 * Sysctls net.ipv4.conf.NAME of one interface. Netlink sets them whatever /proc/sys allows, and without opening a file
 * there, whose name the kernel compares with those of all namespaces. What is left out stays as it is.
 */
export type InetConf = {
  /** arp_ignore=1: ARP for another interface's address is not answered. */
  readonly arpIgnore?: boolean | undefined;
  /** arp_notify: the addresses are announced when the interface comes up and when its MAC is set. */
  readonly arpNotify?: boolean | undefined;
  /**
   * promote_secondaries: when the first address of a network is deleted, the second takes its place. Without it the
   * kernel deletes them all (net/ipv4/devinet.c, __inet_del_ifa).
   */
  readonly promoteSecondaries?: boolean | undefined;
};

/** IFLA_AF_SPEC { AF_INET { IFLA_INET_CONF { the values by their numbers } } }: net/ipv4/devinet.c, inet_set_link_af. */
export function inetConfAttr(conf: InetConf): Uint8Array {
  const keys = Object.keys(IPV4_DEVCONF) as (keyof typeof IPV4_DEVCONF)[];
  const values = keys.flatMap((key) => {
    const on = conf[key];
    return on === undefined ? [] : [u32Attr(IPV4_DEVCONF[key], on ? 1 : 0)];
  });
  return nestedAttr(IFLA_AF_SPEC, [nestedAttr(AF_INET, [nestedAttr(IFLA_INET_CONF, values)])]);
}
