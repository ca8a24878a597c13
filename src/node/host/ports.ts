import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import type { SysError } from '../../base/sys-error.ts';

/** What the host side needs of the kernel, of both namespaces: the node's and a pod's. kernel/ implements it. */

/** Marks the routes that are made by us (rtm_protocol): free in iproute2's rt_protos, and with no daemon of its own. */
export const RTPROT_LEASEHOLD = 76;

/**
 * The guard asks the kernel by it (fib, with a mark) what our policy rules say of a packet that is not routed yet. No packet
 * leaves the guard with it. "Leas" in ASCII: far from the few bits that others use.
 */
export const KNOWN_WAY_MARK = 0x4c656173;

/** What every pod sends service traffic to. Never on the wire: each pod has it as a permanent neighbour. */
export const SERVICE_NEXT_HOP = '169.254.1.1';

/** An interface of the node. */
export interface HostLink {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
  readonly kind?: string | undefined;
  readonly macvlanMode?: string | undefined;
  /** Of a macvlan: the device below it. */
  readonly masterIndex?: number | undefined;
  /** IFLA_IFALIAS: what an administrator, or we, wrote on it. */
  readonly alias?: string | undefined;
}

/** An IPv4 address of an interface of the node. */
export interface HostAddress {
  readonly index: number;
  readonly cidr: Cidr<Ipv4>;
  /** RT_SCOPE_*: 0 is global. */
  readonly scope: number;
  /** IFA_F_SECONDARY: another address of the same network came first. */
  readonly secondary: boolean;
}

/** An IPv4 unicast route of the main table. */
export interface HostRoute {
  readonly dst: Cidr<Ipv4>;
  readonly index: number;
  readonly gateway?: Ipv4 | undefined;
  /** RTA_PREFSRC */
  readonly source?: Ipv4 | undefined;
  /** RTPROT_* */
  readonly protocol: number;
}

export interface HostNeighbour {
  readonly index: number;
  readonly address: Ipv4;
  readonly mac?: Mac | undefined;
  /** NUD_PERMANENT */
  readonly permanent: boolean;
}

/** An IPv4 rule for what goes to one network. */
export interface HostRule {
  /** The interface that it comes in by; absent: any, and what the node itself sends. */
  readonly iif?: string | undefined;
  /** Of what has this mark alone, all of its 32 bits. */
  readonly mark?: number | undefined;
  readonly to: Cidr<Ipv4>;
  /** The lower is asked first; tables are rules too: "local" has 0, "main" 32766. */
  readonly priority: number;
  /** RTPROT_* */
  readonly protocol: number;
  /**
   * `prohibit`: it is refused. `known-way`: it takes a route of the main table, but not its default route.
   * `host-routes`: it takes a route of the main table to that single host, if there is one.
   */
  readonly does: 'prohibit' | 'known-way' | 'host-routes';
}

/** The interface that is made on an uplink: a macvlan of mode bridge, down, with IPv6 off. */
export interface ShimSpec {
  readonly name: string;
  readonly masterIndex: number;
  readonly mac: Mac;
  readonly mtu: number;
  readonly alias: string;
}

/** One change on the node; each is no error where it is so already. */
export type HostChange =
  | {
      readonly kind: 'set-link';
      readonly index: number;
      readonly up?: boolean | undefined;
      readonly mtu?: number | undefined;
      readonly mac?: Mac | undefined;
      readonly alias?: string | undefined;
    }
  /** As /32, without a route of its own (IFA_F_NOPREFIXROUTE). */
  | { readonly kind: 'add-address'; readonly index: number; readonly address: Ipv4 }
  | { readonly kind: 'remove-address'; readonly index: number; readonly cidr: Cidr<Ipv4> }
  /** A /32 on the link, RTPROT_LEASEHOLD, main table; replaces what is there with the same destination. */
  | {
      readonly kind: 'put-route';
      readonly index: number;
      readonly to: Ipv4;
      readonly source: Ipv4 | undefined;
    }
  | { readonly kind: 'remove-route'; readonly index: number; readonly to: Ipv4 }
  /** Permanent; replaces what is there. */
  | {
      readonly kind: 'put-neighbour';
      readonly index: number;
      readonly address: Ipv4;
      readonly mac: Mac;
    }
  | { readonly kind: 'remove-neighbour'; readonly index: number; readonly address: Ipv4 }
  /** "iif NAME to NETWORK prohibit" and the others of HostRule, RTPROT_LEASEHOLD. */
  | ({ readonly kind: 'put-rule' | 'remove-rule' } & Omit<HostRule, 'protocol'>);

/** `net.ipv4.conf.<ifname>.<key>` or `net.ipv6.conf.<ifname>.<key>`. */
export interface HostSysctl {
  readonly family: 'ipv4' | 'ipv6';
  readonly ifname: string;
  readonly key: string;
}

/** The node's own namespace. All errors are SysErrors. */
export interface HostKernel {
  links(): Promise<readonly HostLink[]>;
  /** At once, without the kernel's lock: no alias, kind or master. */
  peek(name: string): HostLink | undefined;
  addresses(): Promise<readonly HostAddress[]>;
  /** Those of one interface. */
  routes(index: number): Promise<readonly HostRoute[]>;
  /** All of the main table, of every type: index 0 for those that lead nowhere (blackhole, prohibit ...). */
  allRoutes(): Promise<readonly HostRoute[]>;
  neighbours(index: number): Promise<readonly HostNeighbour[]>;
  /** One of them, without reading the table. */
  neighbour(index: number, address: Ipv4): Promise<HostNeighbour | undefined>;
  /** EOPNOTSUPP where the kernel has no rules. */
  rules(): Promise<readonly HostRule[]>;
  /** EEXIST when the name is taken. */
  createShim(spec: ShimSpec): Promise<void>;
  /** No error when it is gone already. */
  deleteLink(index: number): Promise<void>;
  /** In order, all of them even if one fails: one outcome each. */
  apply(changes: readonly HostChange[]): Promise<readonly (SysError | undefined)[]>;
  /** Undefined where the kernel or the interface does not have it. */
  readSysctl(sysctl: HostSysctl): string | undefined;
  /** Passed over where the kernel or the interface does not have it. */
  writeSysctl(sysctl: HostSysctl, value: string): void;
}

/** What changed on the node, as the kernel tells it. `gone` is RTM_DEL*. */
export type HostNotice = InterfaceNotice | RuleNotice;

export type RuleNotice = { readonly kind: 'rule'; readonly gone: boolean } & HostRule;

/** What changed at an interface. */
export type InterfaceNotice =
  | {
      readonly kind: 'link';
      readonly gone: boolean;
      readonly index: number;
      readonly name: string;
      readonly up: boolean;
      readonly lowerUp: boolean;
      /** Undefined where the kernel does not say: a wireless device tells its events without. */
      readonly mac?: Mac | undefined;
      readonly mtu?: number | undefined;
    }
  | { readonly kind: 'address'; readonly gone: boolean; readonly index: number; readonly cidr: Cidr<Ipv4> }
  /** IPv4, main table. `index` is 0 for a route of several next hops. */
  | ({ readonly kind: 'route'; readonly gone: boolean } & HostRoute)
  /** A route of IPv4's main table that is not unicast: blackhole, prohibit ... Of no interface: index 0. */
  | { readonly kind: 'dead-end'; readonly gone: boolean; readonly index: 0; readonly dst: Cidr<Ipv4> }
  /** IPv4; only of the interfaces that `wantsNeighbours` names. */
  | ({ readonly kind: 'neighbour'; readonly gone: boolean } & HostNeighbour)
  /** A sysctl of an interface changed: forwarding and rp_filter say so (RTM_NEWNETCONF). */
  | { readonly kind: 'sysctl'; readonly index: number };

/** Networks that are kept off the LAN, as the nftables table in the node's namespace has them. */
export interface GuardSpec {
  /** None: nothing is dropped for its destination. */
  readonly networks: readonly Cidr<Ipv4>[];
  /** Interfaces by which such traffic must not leave. */
  readonly uplinks: readonly string[];
  /** Our shims: no ICMP redirect leaves by them. */
  readonly shims: readonly string[];
  /**
   * Uplinks, with their shims, of a node that did not route before us: what comes in by them is passed on to nowhere but
   * `uplinks` and `shims`.
   */
  readonly confined: readonly string[];
}

/** Our table in nftables. All errors are SysErrors; EOPNOTSUPP where the kernel has no nftables. */
export interface GuardPort {
  /** The whole table in one transaction, whatever is there of it. */
  put(spec: GuardSpec): Promise<void>;
  /** Whether what is there is what `put` made last. */
  isIntact(): Promise<boolean>;
  /** All of ours, each tried whatever became of the others: what was there of them, and why it still is. */
  remove(): Promise<readonly { readonly table: string; readonly error: SysError | undefined }[]>;
}

/** The pod's part in a pod's namespace. All errors are SysErrors. */
export interface PodSidePort {
  readonly inode: string;
  /** An interface by name, at once. */
  peek(name: string): { readonly index: number; readonly mac?: Mac | undefined } | undefined;
  /**
   * Routes to `networks` via SERVICE_NEXT_HOP, which is a permanent neighbour with the shim's MAC. Routes of
   * RTPROT_LEASEHOLD on this interface to other networks go. None: neighbour and routes go. What is so already is left
   * alone.
   */
  setServices(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<void>;
  /** The same for an interface that was made a moment ago: nobody looks what is there. */
  addServices(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<void>;
  /** What is missing or wrong of what `setServices` does: "no route to 10.43.0.0/16 by 169.254.1.1". Changes nothing. */
  serviceProblems(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<readonly string[]>;
  /** Replies leave by the way that the connection came. */
  setLastHop(index: number, ifname: string): Promise<void>;
  /** The same for an interface that was made a moment ago: nobody looks whether it is there. */
  addLastHop(ifname: string): Promise<void>;
  /** What is wrong of that: missing, switched off, changed; undefined: nothing, or the kernel has no nf_tables. */
  lastHopProblem(ifname: string): Promise<string | undefined>;
  /** No error when there is none. */
  removeLastHop(ifname: string): Promise<void>;
  close(): void;
}
