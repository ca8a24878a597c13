import type { Cidr } from '../base/cidr.ts';
import { type Ip, isIpv4 } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { type Address, IFA_F_SECONDARY } from '../wire/netlink/address.ts';
import type { Link } from '../wire/netlink/link.ts';
import { type Neighbour, NUD_PERMANENT } from '../wire/netlink/neighbour.ts';
import { type Route, RT_TABLE_MAIN, RTN_UNICAST } from '../wire/netlink/route.ts';
import { FR_ACT_PROHIBIT, FR_ACT_TO_TBL, type Rule } from '../wire/netlink/rule.ts';
import { type HostChange, stepOf } from './host-changes.ts';
import { readLink } from './link-ioctl.ts';
import { NetNs } from './netns.ts';
import type { Rtnl } from './rtnl.ts';
import { takeSteps } from './steps.ts';
import { readSysctl, type SysctlKey, writeSysctls } from './sysctl.ts';

/** Prefixes longer than that are single hosts. */
const LONGEST_NETWORK = 31;
/** A mask under which all of a mark counts. */
const ALL_BITS = 0xffff_ffff;

// What follows is as node/host/ports.ts has it.

export type HostLink = {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
  readonly kind?: string | undefined;
  readonly macvlanMode?: string | undefined;
  readonly masterIndex?: number | undefined;
  readonly alias?: string | undefined;
};

export type HostAddress = {
  readonly index: number;
  readonly cidr: Cidr<Ipv4>;
  readonly scope: number;
  readonly secondary: boolean;
};

export type HostRoute = {
  readonly dst: Cidr<Ipv4>;
  readonly index: number;
  readonly gateway?: Ipv4 | undefined;
  readonly source?: Ipv4 | undefined;
  readonly protocol: number;
};

export type HostNeighbour = {
  readonly index: number;
  readonly address: Ipv4;
  readonly mac?: Mac | undefined;
  readonly permanent: boolean;
};

export type HostRule = {
  readonly iif?: string | undefined;
  readonly to: Cidr<Ipv4>;
  readonly priority: number;
  readonly protocol: number;
  readonly does: 'prohibit' | 'known-way' | 'host-routes';
};

type ShimSpec = {
  readonly name: string;
  readonly masterIndex: number;
  readonly mac: Mac;
  readonly mtu: number;
  readonly alias: string;
};

type HostSysctl = { readonly family: 'ipv4' | 'ipv6'; readonly ifname: string; readonly key: string };

/** The node's own namespace as the host side sees and changes it. Everything fails with SysError. */
export class HostSideNetwork {
  readonly #rtnl: Rtnl;
  readonly #netns: NetNs;

  /** `rtnl` is of `netns`, which is the daemon's own unless a test says otherwise. */
  constructor(rtnl: Rtnl, netns: NetNs = NetNs.self()) {
    this.#rtnl = rtnl;
    this.#netns = netns;
  }

  async links(): Promise<readonly HostLink[]> {
    return (await this.#rtnl.links.list()).map(hostLink);
  }

  /** At once, without the kernel's lock: no alias, kind or master. */
  peek(name: string): HostLink | undefined {
    return readLink(name, this.#netns === NetNs.self() ? undefined : this.#netns);
  }

  async addresses(): Promise<readonly HostAddress[]> {
    return (await this.#rtnl.addresses.list()).flatMap(hostAddress);
  }

  /** Of a route of several next hops, those that leave by this interface. */
  async routes(index: number): Promise<readonly HostRoute[]> {
    const found = await this.#rtnl.routes.list(4, RT_TABLE_MAIN, { index, type: RTN_UNICAST });
    return found.flatMap(hostRoutes).filter((route) => route.index === index);
  }

  /** All of the main table, of every type: index 0 for those that lead nowhere (blackhole, prohibit ...). */
  async allRoutes(): Promise<readonly HostRoute[]> {
    return (await this.#rtnl.routes.list(4)).flatMap(anyRoutes);
  }

  async neighbours(index: number): Promise<readonly HostNeighbour[]> {
    return (await this.#rtnl.neighbours.list(4, index)).flatMap(hostNeighbour);
  }

  async neighbour(index: number, address: Ipv4): Promise<HostNeighbour | undefined> {
    const found = await this.#rtnl.neighbours.get({ index, address });
    return found === undefined ? undefined : hostNeighbour(found)[0];
  }

  /** The MAC addresses of the macvlans on an interface that are up, in whatever namespace. */
  childMacs(index: number): Promise<readonly Mac[]> {
    return this.#rtnl.neighbours.filterOf(index);
  }

  /** IPv4, of a HostRule's form alone. EOPNOTSUPP where the kernel has no rules. */
  async rules(): Promise<readonly HostRule[]> {
    return (await this.#rtnl.rules.list(4)).flatMap(hostRule);
  }

  /**
   * A macvlan of mode bridge, down, with IPv6 off and its alias. EEXIST when the name is taken. A daemon that ends within
   * leaves one without alias: the kernel takes none with a new link (rtnl_create_link).
   */
  async createShim({ name, masterIndex, mac, mtu, alias }: ShimSpec): Promise<void> {
    await this.#rtnl.links.addMacvlan({ name, masterIndex, mac, mtu, mode: 'bridge', up: false });
    const made = this.peek(name);
    if (made === undefined || made.mac !== mac) {
      throw new SysError(`make ${name}`, 'ENODEV', 'somebody took or changed it at once');
    }
    try {
      // While it is down: else it would have an address at once, and tell the LAN so.
      this.writeSysctl({ family: 'ipv6', ifname: name, key: 'disable_ipv6' }, '1');
      await this.#rtnl.links.set({ index: made.index, alias });
    } catch (error) {
      await Promise.allSettled([this.deleteLink(made.index)]);
      throw error;
    }
  }

  /** No error when it is gone already. */
  async deleteLink(index: number): Promise<void> {
    try {
      await this.#rtnl.links.delete(index);
    } catch (error) {
      if (!isSysError(error, 'ENODEV')) throw error;
    }
  }

  /** In order, all of them even if one fails: one outcome each, undefined for what is so now. */
  apply(changes: readonly HostChange[]): Promise<readonly (SysError | undefined)[]> {
    return takeSteps(this.#rtnl, changes.map(stepOf));
  }

  /** Undefined where the kernel or the interface does not have it. */
  readSysctl(sysctl: HostSysctl): string | undefined {
    try {
      return readSysctl(this.#netns, keyOf(sysctl));
    } catch (error) {
      if (isSysError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Passed over where the kernel or the interface does not have it. */
  writeSysctl(sysctl: HostSysctl, value: string): void {
    writeSysctls(this.#netns, [[keyOf(sysctl), value]]);
  }
}

function keyOf({ family, ifname, key }: HostSysctl): SysctlKey {
  return [family, 'conf', ifname, key];
}

function hostLink(link: Link): HostLink {
  const { index, name, mac, mtu, up, lowerUp, kind, macvlanMode, alias } = link;
  // In another namespace the index is another interface's.
  const below = kind === 'macvlan' && link.linkNetnsId === undefined ? link.masterIndex : undefined;
  return { index, name, mac, mtu, up, lowerUp, kind, macvlanMode, masterIndex: below, alias };
}

/** None for what is no IPv4. */
export function hostAddress(found: Address): readonly HostAddress[] {
  const { index, scope, flags } = found;
  const { address, prefix } = found.cidr;
  if (!isIpv4(address)) return [];
  return [{ index, cidr: { address, prefix }, scope, secondary: (flags & IFA_F_SECONDARY) !== 0 }];
}

/** None for what is no IPv4 unicast; one for each next hop. */
export function hostRoutes(route: Route): readonly HostRoute[] {
  return route.type === RTN_UNICAST ? anyRoutes(route) : [];
}

/** The same of every type. */
export function anyRoutes(route: Route): readonly HostRoute[] {
  const { protocol, nexthops } = route;
  const { address, prefix } = route.dst;
  if (!isIpv4(address)) return [];
  const dst = { address, prefix };
  const source = ipv4Only(route.prefsrc);
  const hops = nexthops ?? [{ index: route.index ?? 0, gateway: route.gateway }];
  return hops.map(({ index, gateway }) => ({ dst, index, gateway: ipv4Only(gateway), source, protocol }));
}

function ipv4Only(address: Ip | undefined): Ipv4 | undefined {
  return address !== undefined && isIpv4(address) ? address : undefined;
}

/** None for what is no IPv4, or anything but what node/host/ports.ts calls a HostRule. */
export function hostRule(rule: Rule): readonly HostRule[] {
  const { iif, mark, from, to, priority, protocol } = rule;
  const does = whatItDoes(rule);
  if (does === undefined || from !== undefined || to === undefined) return [];
  // Those for pods are for all that goes there, the others for what comes in by a shim, or has our mark.
  const isForAll = iif === undefined && mark === undefined;
  if ((does === 'host-routes') !== isForAll) return [];
  if (mark !== undefined && mark.mask !== ALL_BITS) return [];
  const { address, prefix } = to;
  if (!isIpv4(address)) return [];
  const by = iif === undefined ? {} : { iif };
  const marked = mark === undefined ? {} : { mark: mark.value };
  return [{ ...by, ...marked, to: { address, prefix }, priority, protocol, does }];
}

function whatItDoes({ action, table, suppressPrefixLength }: Rule): HostRule['does'] | undefined {
  if (action === FR_ACT_PROHIBIT) return 'prohibit';
  if (action !== FR_ACT_TO_TBL || table !== RT_TABLE_MAIN) return undefined;
  if (suppressPrefixLength === 0) return 'known-way';
  return suppressPrefixLength === LONGEST_NETWORK ? 'host-routes' : undefined;
}

/** None for what is no IPv4. */
export function hostNeighbour({ index, address, mac, state }: Neighbour): readonly HostNeighbour[] {
  if (!isIpv4(address)) return [];
  return [{ index, address, mac, permanent: (state & NUD_PERMANENT) !== 0 }];
}
