import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import type { Link, MacvlanMode } from '../wire/netlink/link.ts';
import { type Route, RT_TABLE_UNSPEC } from '../wire/netlink/route.ts';
import { addressLookups } from './address-rules.ts';
import { type ArpSocket, openArp } from './arp-socket.ts';
import { type HeldPort, holdClientPort } from './client-port.ts';
import { resetConnections } from './connections.ts';
import { sendOnce } from './frame-sender.ts';
import { type HostLan, hostLan, parentMtu } from './host-lan.ts';
import {
  ensureAddress,
  type InterfaceConfiguration,
  type LeasedAddress,
  leasedAddresses,
  setUpInterface,
} from './interface-setup.ts';
import { type BriefLink, readLink } from './link-ioctl.ts';
import { watchRemoval } from './link-removal.ts';
import { interfaceHas, type LinkSight, readSight } from './link-sight.ts';
import { POD_DUMP_LIMIT } from './netlink-dump.ts';
import { NetNs } from './netns.ts';
import { openPodFrames, type PodFrames } from './pod-frames.ts';
import {
  defaultRoutes,
  deleteRoute,
  type InterfaceRoute,
  newRoute,
  routesThrough,
  type RouteThrough,
} from './pod-routes.ts';
import { PodSide } from './pod-side.ts';
import { Rtnl } from './rtnl.ts';
import { writeSysctls } from './sysctl.ts';

/** Who hears the pod's netlink (nlmon) and fills our receive buffer must do so in each of these anew. */
const DELETE_TRIES = 3;

type MacvlanSpec = {
  readonly name: string;
  readonly masterIndex: number;
  readonly masterIn: 'host' | 'pod';
  readonly mode: MacvlanMode;
  readonly mac: Mac | undefined;
  readonly mtu: number | undefined;
  readonly bcQueueLen: number | undefined;
  readonly up: boolean;
};

/** One pod's network namespace, opened for a while: its links, addresses, routes and sockets. */
export class PodNetwork {
  readonly #netns: NetNs;
  readonly #host: Rtnl;
  #own: Rtnl | undefined;
  /** Itself, and its sides. */
  #users = 1;
  #isClosed = false;

  private constructor(netns: NetNs, host: Rtnl) {
    this.#netns = netns;
    this.#host = host;
  }

  /** `host` is the daemon's own namespace, `inode` that of the pod's where it is known. Throws the SysErrors of `NetNs.open`. */
  static open(path: string, host: Rtnl, inode?: string): PodNetwork {
    return new PodNetwork(NetNs.open(path, inode), host);
  }

  get inode(): string {
    return this.#netns.inode;
  }

  /** Opened on first use: a socket for a message does without. */
  get #rtnl(): Rtnl {
    this.#own ??= Rtnl.open(this.#netns, POD_DUMP_LIMIT);
    return this.#own;
  }

  link(name: string): Promise<Link | undefined> {
    return this.#rtnl.links.get(name);
  }

  links(): Promise<readonly Link[]> {
    return this.#rtnl.links.list();
  }

  /** The MAC addresses of all links. */
  async macs(): Promise<readonly Mac[]> {
    return (await this.links()).flatMap(({ mac }) => (mac === undefined ? [] : [mac]));
  }

  linkByIndex(index: number): Promise<Link | undefined> {
    return this.#rtnl.links.get(index);
  }

  /** At once, without its kind: no wait for the kernel's lock. */
  peek(name: string): BriefLink | undefined {
    return readLink(name, this.#netns);
  }

  /** The same by index, and whether it has an address. */
  sight(index: number, address: Ipv4 | undefined): LinkSight | undefined {
    return readSight(index, address, this.#netns);
  }

  /** Whether the interface has the address: at once. Whoever asks wants to change it, and needs the socket for that. */
  hasAddress(index: number, address: Ipv4): boolean {
    return this.#netns.run(() => {
      const has = interfaceHas(index, address);
      if (has) this.#own ??= Rtnl.open(this.#netns, POD_DUMP_LIMIT);
      return has;
    });
  }

  /** From now on `watchPodLinks` tells of its links, until the namespace is gone. Rejects with SysError. */
  async follow(): Promise<void> {
    await this.#host.nameNamespace(this.#netns);
  }

  async setUp(index: number): Promise<void> {
    await this.#rtnl.links.set({ index, up: true });
  }

  /** From the namespace of the master, so that one message makes the link where it belongs. */
  async createMacvlan(spec: MacvlanSpec): Promise<void> {
    const { name, masterIndex, masterIn, mode, mac, mtu, bcQueueLen, up } = spec;
    const rtnl = masterIn === 'host' ? this.#host : this.#rtnl;
    await rtnl.links.addMacvlan({
      name,
      masterIndex,
      mode,
      up,
      netnsFd: this.#netns.fd,
      ...(mac === undefined ? {} : { mac }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(bcQueueLen === undefined ? {} : { bcQueueLen }),
    });
  }

  /**
   * Resolves when the link has left the namespace, and its name and MAC address are free: a thread may wait for the
   * kernel's answer for some time yet. No error when it is gone already.
   */
  async deleteLink(index: number): Promise<void> {
    const removal = watchRemoval(index, this.#netns);
    let isGone = false;
    const gone = removal.gone.then(() => {
      isGone = true;
    });
    try {
      await Promise.race([gone, this.#deleteLink(index, () => isGone)]);
    } finally {
      removal.close();
    }
  }

  /** Whose answer was lost is looked for, and deleted again if need be. */
  async #deleteLink(index: number, isGone: () => boolean): Promise<void> {
    for (let left = DELETE_TRIES; left > 0; left--) {
      try {
        await this.#rtnl.links.delete(index);
        return;
      } catch (error) {
        // After it went another may have its index.
        if (isGone() || isSysError(error, 'ENODEV')) return;
        if (!isSysError(error, 'ENOBUFS') || left === 1) throw error;
        if (readSight(index, undefined, this.#netns) === undefined) return;
      }
    }
  }

  async addresses(index: number): Promise<readonly Cidr[]> {
    return (await this.#rtnl.addresses.list(index)).map((address) => address.cidr);
  }

  /** See `leasedAddresses`. */
  leasedAddresses(index: number): Promise<readonly LeasedAddress[]> {
    return leasedAddresses(this.#rtnl, index);
  }

  ensureAddress(index: number, address: Cidr): Promise<boolean> {
    return ensureAddress(this.#rtnl, index, address);
  }

  /** No error when it is gone already. Another address of the same network stays. */
  async removeAddress(index: number, address: Cidr): Promise<void> {
    await this.configure(index, { addresses: [], routes: [], removeAddresses: [address] });
  }

  /** See `setUpInterface`. */
  async configure(index: number, wanted: InterfaceConfiguration): Promise<void> {
    const rtnl = this.#rtnl;
    const highestMtu = (of: number): Promise<number | undefined> => parentMtu(rtnl, this.#host, of);
    await setUpInterface({ rtnl, highestMtu, enableIpv6: (of) => this.#enableIpv6(of) }, index, wanted);
  }

  /**
   * Distributions switch IPv6 off for new interfaces; an address is asked for, so it has to work. It is announced when its
   * MAC changes (ndisc_notify), as by the Go plugin. Netlink has no attribute for either, and only opening these files
   * costs 0.2 ms each with hundreds of pods. A kernel without IPv6 has nothing to be told.
   */
  async #enableIpv6(index: number): Promise<void> {
    const link = await this.linkByIndex(index);
    if (link === undefined) return;
    writeSysctls(this.#netns, [
      [['ipv6', 'conf', 'lo', 'disable_ipv6'], '0'],
      [['ipv6', 'conf', link.name, 'disable_ipv6'], '0'],
      [['ipv6', 'conf', link.name, 'ndisc_notify'], '1'],
    ]);
  }

  defaultRoutes(): Promise<readonly Route[]> {
    return defaultRoutes(this.#rtnl);
  }

  routes(index: number, table?: number): Promise<readonly InterfaceRoute[]> {
    return routesThrough(this.#rtnl, index, table);
  }

  /** Those of all tables. */
  allRoutes(index: number): Promise<readonly InterfaceRoute[]> {
    return routesThrough(this.#rtnl, index, RT_TABLE_UNSPEC);
  }

  /** The tables that our rules look up for what comes from this address, in their order. */
  lookups(address: Ip): Promise<readonly number[]> {
    return addressLookups(this.#rtnl, address);
  }

  async addRoute(index: number, route: RouteThrough): Promise<void> {
    await this.#rtnl.routes.add(newRoute(index, route, undefined));
  }

  deleteRoute(index: number, route: InterfaceRoute): Promise<void> {
    return deleteRoute(this.#rtnl, index, route);
  }

  hostLan(link: { readonly index: number }): Promise<HostLan> {
    return hostLan(this.#rtnl, this.#host, link.index);
  }

  /** See `sendOnce`. */
  say(index: number, frame: Uint8Array): SysError | undefined {
    return sendOnce(this.#netns, index, frame);
  }

  /** See `openPodFrames`. */
  openFrames(index: number): PodFrames {
    return openPodFrames(this.#netns, index);
  }

  /** See `holdClientPort`. */
  holdClientPort(index: number, address: Ipv4): HeldPort {
    return holdClientPort(this.#netns, index, address);
  }

  /** See `resetConnections`. */
  resetConnections(from: Ipv4): Promise<number> {
    return resetConnections(this.#netns, from);
  }

  openArp(index: number, about: Ipv4): ArpSocket {
    return openArp(this.#netns, index, about);
  }

  /** The host side's part of it, over the same namespace and socket: they are given back when all are closed. */
  side(): PodSide {
    this.#users += 1;
    return new PodSide(this.#netns, { rtnl: () => this.#rtnl, letGo: () => this.#letGo() });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#letGo();
  }

  #letGo(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#netns.close();
    // It waits for what is under way; nothing is left to be told of its end.
    void this.#own?.close();
    this.#own = undefined;
  }
}
