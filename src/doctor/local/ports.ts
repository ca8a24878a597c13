import type { Cidr } from '../../base/cidr.ts';
import type { Ip } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import type { ClusterFacts } from '../../node/services/ports.ts';
import type { KnownLan } from '../ports.ts';

/** What the doctor looks at on a node. kernel/ implements it; it changes nothing. */
export interface NodeFacts extends ClusterFacts {
  /** A path itself, and what it leads to. Undefined when there is nothing. */
  look(path: string): FileFact | undefined;
  /** SHA-256 in hexadecimal of a file of at most 16 MiB; undefined for a larger one or none. */
  digest(path: string): string | undefined;
  /** Whether a file of at most 16 MiB holds this text. */
  holds(path: string, text: string): boolean;
  /** `['ipv4', 'conf', 'eth0', 'rp_filter']` below /proc/sys/net; undefined where the kernel has none. */
  sysctl(key: readonly string[]): string | undefined;
  links(): Promise<readonly NodeLink[]>;
  addresses(): Promise<readonly NodeAddress[]>;
  /** Unicast routes of the main table, both families. */
  routes(): Promise<readonly NodeRoute[]>;
  /** IPv4, in the order in which they are asked. None where the kernel has no rules. */
  policyRules(): Promise<readonly PolicyRule[]>;
  /** The route that an IPv4 packet without a mark would take; why there is none. */
  routeOf(question: RouteQuestion): Promise<RouteFound>;
  /** Paths of UNIX sockets at which somebody listens. */
  listeners(): ReadonlySet<string>;
  /** The packet filter's chains at hook "forward", and the tables there are; by `nft`. */
  firewall(): Promise<Firewall>;
  /** The rules of a chain, or of a table when no chain is named, as JSON text of at most 4 MiB. */
  rules(family: string, table: string, chain?: string): Promise<string | undefined>;
  /** What the kernel itself says of its clock (adjtimex(2)); undefined when it says nothing. */
  clockSynchronised(): boolean | undefined;
  /** Milliseconds since 1970. */
  wallClock(): number;
  /** "6.1.0-18-amd64" */
  kernelRelease(): string;
}

export interface FileFact {
  readonly kind: 'file' | 'folder' | 'link' | 'socket' | 'other';
  /** Of a link: what it says, and where it leads in the end; undefined when nothing is there. */
  readonly target?: string | undefined;
  readonly resolved?: string | undefined;
  /** Of what it leads to: equal for two names of one file. */
  readonly identity?: string | undefined;
  /** Whether it, or what it leads to, is a regular file that root may execute. */
  readonly executable: boolean;
}

export interface NodeLink {
  readonly index: number;
  readonly name: string;
  readonly mac?: Mac | undefined;
  readonly mtu: number;
  readonly up: boolean;
  readonly lowerUp: boolean;
  /** "bridge", "bond", "macvlan" ...; none for hardware. */
  readonly kind?: string | undefined;
  /** Of a macvlan or VLAN: the link below. */
  readonly masterIndex?: number | undefined;
  /** The bridge or bond that it is a port of. */
  readonly controllerIndex?: number | undefined;
  readonly alias?: string | undefined;
  /** Names that it has besides (`ip link property`). */
  readonly altNames?: readonly string[] | undefined;
  readonly wireless: boolean;
}

export interface NodeAddress {
  readonly index: number;
  readonly cidr: Cidr;
}

export interface NodeRoute {
  readonly dst: Cidr;
  readonly index?: number | undefined;
  readonly gateway?: Ip | undefined;
  readonly metric?: number | undefined;
  /** RTPROT_* */
  readonly protocol: number;
}

/** Which routing table is asked for which packets (`ip rule`). What is absent is any. */
export interface PolicyRule {
  readonly priority: number;
  readonly from?: Cidr | undefined;
  readonly to?: Cidr | undefined;
  readonly iif?: string | undefined;
  readonly oif?: string | undefined;
  readonly mark?: { readonly value: number; readonly mask: number } | undefined;
  /** It looks at more than that: a user, ports ... */
  readonly further?: boolean | undefined;
  readonly inverted?: boolean | undefined;
  /** What is looked up; of a rule that refuses what it refuses with. */
  readonly does: { readonly table: number } | 'blackhole' | 'unreachable' | 'prohibit' | 'other';
  /** Routes of the table with a prefix of at most this length do not count. */
  readonly suppressPrefixLength?: number | undefined;
  /** RTPROT_* */
  readonly protocol: number;
}

export interface RouteQuestion {
  readonly to: Ipv4;
  /** For what the node itself sends one of its addresses. */
  readonly from?: Ipv4 | undefined;
  /** The link by which it comes in; absent: the node itself sends it. */
  readonly index?: number | undefined;
}

export type RouteFound =
  | { readonly kind: 'route'; readonly route: NodeRoute; readonly table: number }
  | { readonly kind: 'none'; readonly why: string };

export type Firewall =
  | { readonly kind: 'unknown'; readonly why: string }
  | {
      readonly kind: 'known';
      readonly forward: readonly ForwardChain[];
      /** "inet leasehold" */
      readonly tables: readonly string[];
    };

export interface ForwardChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly policy: string;
}

/** What the daemon says of itself. */
export type DaemonView = {
  readonly socket: string;
  /** `silent`: it takes connections and answers nothing. `unfit`: it runs, and can attach no pod. */
  readonly state: 'absent' | 'starting' | 'ready' | 'unfit' | 'silent' | 'odd';
  /** What it, or the socket, answered that was not expected. */
  readonly said?: string | undefined;
  /** Requests that nobody has taken up yet. */
  readonly spooled: number;
  /** Undefined from a daemon that does not tell. */
  readonly host?: HostView | undefined;
  readonly pods?: PodsView | undefined;
  /** What it knows of DHCP servers, by interface. */
  readonly lans?: ReadonlyMap<string, KnownLan> | undefined;
};

/** `GET /v1/host/pods`: how many pods were looked at, and those in which something is wrong. */
export type PodsView = {
  readonly looked: number;
  readonly pods: readonly {
    readonly containerId: string;
    readonly network: string;
    readonly ifname: string;
    readonly problems: readonly string[];
  }[];
};

/** `GET /v1/host`, as far as the doctor reads it. */
export type HostView = {
  readonly uplinks: readonly {
    readonly name: string;
    readonly shim: string | undefined;
    readonly address: string | undefined;
  }[];
  readonly services: readonly string[];
  /** Who says where the services are; undefined from a daemon of a release that does not tell. */
  readonly sources?: readonly {
    readonly network: string;
    readonly source: string;
    readonly guessed: boolean;
  }[];
  /** Why the daemon knows less by the Kubernetes API than it could. */
  readonly kubernetesProblem?: string | undefined;
  /** Interfaces on its uplinks that pods have made for themselves, or that have the MAC address of a host of the LAN. */
  readonly nested: readonly {
    readonly uplink: string;
    readonly mac: string;
    readonly pod: string | undefined;
    readonly ifname: string | undefined;
    readonly macvlanMode: string | undefined;
    /** Its pod is gone, and it is in another namespace. */
    readonly ended: boolean;
    readonly takes: string | undefined;
  }[];
  /** What it could not do: "eth0: ...". */
  readonly problems: readonly string[];
  readonly fights: readonly {
    readonly item: string;
    readonly by: string | undefined;
    readonly since: string | undefined;
    readonly count: number | undefined;
  }[];
};
