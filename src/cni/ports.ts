import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import type { Mac } from '../base/mac.ts';
import type { InterfaceConfiguration, LinkState, PodNamespace, RouteSpec } from '../lease/ports.ts';
import type { PodSidePort } from '../node/host/ports.ts';
import type { InterfaceRoute } from './route-override/routes.ts';

/** What the plugins need of the kernel beyond what leases need. kernel/ implements it; errors are SysErrors. */

export type MacvlanMode = 'bridge' | 'private' | 'vepa' | 'passthru';

export interface MacvlanSpec {
  readonly name: string;
  readonly masterIndex: number;
  /** The namespace in which `masterIndex` counts. */
  readonly masterIn: 'host' | 'pod';
  readonly mode: MacvlanMode;
  readonly mac: Mac | undefined;
  readonly mtu: number | undefined;
  readonly bcQueueLen: number | undefined;
  /** Switched on at once. */
  readonly up: boolean;
}

/** An interface of a pod, with what its kind is made of. */
export interface PodLink extends LinkState {
  readonly macvlanMode?: string | undefined;
  readonly masterIndex?: number | undefined;
}

/** With what only an interface that this daemon makes is given. */
export interface OwnInterfaceConfiguration extends InterfaceConfiguration {
  /** It answers ARP for its own addresses alone (arp_ignore), not for those of the pod's other interfaces. */
  readonly arpIgnore?: boolean | undefined;
}

/** How a pod's interface reaches the LAN, as far as the daemon's own namespace has a part in it. */
export interface HostLan {
  /** The device below a macvlan, whose tap hears the answers; undefined for any other kind of link. */
  readonly uplinkIndex: number | undefined;
  /** The interface of the daemon's namespace that is on this LAN: a macvlan's parent, or the bridge of a veth's peer. */
  readonly lan: { readonly index: number; readonly name: string } | undefined;
}

/** A pod's namespace for the plugins: it also makes and removes links and shows what is there. */
export interface Pod extends PodNamespace {
  link(name: string): Promise<PodLink | undefined>;
  /** Makes the link here, under its final name. EEXIST when the name is taken. */
  createMacvlan(spec: MacvlanSpec): Promise<void>;
  /** No error when it is gone already. */
  deleteLink(index: number): Promise<void>;
  addresses(index: number): Promise<readonly Cidr[]>;
  /** The unicast routes of one table through this interface, both families; of the main table if none is named. */
  routes(index: number, table?: number): Promise<readonly InterfaceRoute[]>;
  /** The same of all tables, each with its table unless that is the main one. E2BIG when there are too many. */
  allRoutes(index: number): Promise<readonly (InterfaceRoute & { readonly table?: number | undefined })[]>;
  /** The tables that our rules look up for what comes from this address. */
  lookups(address: Ip): Promise<readonly number[]>;
  /** EEXIST when there is one to the same destination. */
  addRoute(index: number, route: RouteSpec): Promise<void>;
  /** No error when it is gone already. */
  deleteRoute(index: number, route: InterfaceRoute): Promise<void>;
  /** What can be told at once, without waiting for the kernel's lock: not the kind. */
  peek(name: string): LinkState | undefined;
  /** An IPv6 address among them switches IPv6 on for the interface, and its announcement (ndisc_notify). */
  configure(index: number, wanted: OwnInterfaceConfiguration): Promise<void>;
  /** Never an index that counts elsewhere: what is in a namespace other than the daemon's is undefined. */
  hostLan(link: PodLink): Promise<HostLan>;
  /** For the host side, which closes it; good beyond the end of this. */
  side(): PodSidePort;
}

/** Runs another CNI plugin from CNI_PATH, as the specification's section on delegation says. */
export type RunDelegate = (request: {
  readonly type: string;
  readonly path: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** Ends the plugin, whose answer nobody waits for any more. */
  readonly signal?: AbortSignal;
}) => Promise<
  | { readonly kind: 'not-found' }
  | {
      readonly kind: 'ended';
      readonly status: number | undefined;
      readonly stdout: string;
      readonly stderr: string;
    }
>;
