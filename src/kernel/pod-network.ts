import type { Cidr } from '../base/cidr.ts';
import type { Ip } from '../base/ip.ts';
import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import type { Link, MacvlanMode } from '../wire/netlink/link.ts';
import { type Route, RT_TABLE_UNSPEC } from '../wire/netlink/route.ts';
import { addressLookups } from './address-rules.ts';
import { type ArpSocket, openArp } from './arp-socket.ts';
import { type HostLan, hostLan, parentMtu } from './host-lan.ts';
import { ensureAddress, type InterfaceConfiguration, setUpInterface } from './interface-setup.ts';
import { type BriefLink, readLink } from './link-ioctl.ts';
import { watchRemoval } from './link-removal.ts';
import { type LinkSight, readSight } from './link-sight.ts';
import { readNeighbour } from './neighbour-sight.ts';
import { POD_DUMP_LIMIT } from './netlink-dump.ts';
import { NetNs } from './netns.ts';
import {
  defaultRoutes,
  deleteRoute,
  type InterfaceRoute,
  newRoute,
  routesThrough,
  type RouteThrough,
} from './pod-routes.ts';
import { Rtnl } from './rtnl.ts';
import { writeSysctls } from './sysctl.ts';
import { openUdp, type UdpSocket } from './udp-socket.ts';

/** RFC 2131 4.1: what a client listens on. */
const CLIENT_PORT = 68;

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
};
type InterfaceSysctl = {
  readonly family: 'ipv4' | 'ipv6';
  readonly ifname: string;
  readonly key: string;
  readonly value: string;
};

/** One pod's network namespace, opened for a while: its links, addresses, routes and sockets. */
export class PodNetwork {
  readonly #netns: NetNs;
  readonly #host: Rtnl;
  #own: Rtnl | undefined;

  private constructor(netns: NetNs, host: Rtnl) {
    this.#netns = netns;
    this.#host = host;
  }

  /** `host` is the daemon's own namespace. Throws the SysErrors of `NetNs.open`. */
  static open(path: string, host: Rtnl): PodNetwork {
    return new PodNetwork(NetNs.open(path), host);
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

  /** See `readNeighbour`. */
  neighbour(index: number, address: Ipv4): Mac | undefined {
    return readNeighbour(this.#netns, index, address);
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
    const { name, masterIndex, masterIn, mode, mac, mtu, bcQueueLen } = spec;
    const rtnl = masterIn === 'host' ? this.#host : this.#rtnl;
    await rtnl.links.addMacvlan({
      name,
      masterIndex,
      mode,
      up: true,
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

  /** Distributions switch IPv6 off for new interfaces; an address is asked for, so it has to work. */
  async #enableIpv6(index: number): Promise<void> {
    const link = await this.linkByIndex(index);
    if (link === undefined) return;
    const on = { family: 'ipv6', key: 'disable_ipv6', value: '0' } as const;
    this.setSysctls([
      { ...on, ifname: 'lo' },
      { ...on, ifname: link.name },
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

  /** A kernel without the key (IPv6 switched off) has nothing to be told. */
  setSysctls(settings: readonly InterfaceSysctl[]): void {
    writeSysctls(
      this.#netns,
      settings.map(({ family, ifname, key, value }) => [[family, 'conf', ifname, key], value]),
    );
  }

  hostLan(link: { readonly index: number }): Promise<HostLan> {
    return hostLan(this.#rtnl, this.#host, link.index);
  }

  openUdp(options: { readonly ifname: string; readonly localAddress: Ipv4 }): UdpSocket {
    const { ifname, localAddress } = options;
    return openUdp(this.#netns, {
      ifname,
      localPort: CLIENT_PORT,
      broadcast: true,
      ...(localAddress === IPV4_ANY ? {} : { localAddress }),
    });
  }

  openArp(index: number): ArpSocket {
    return openArp(this.#netns, index);
  }

  close(): void {
    this.#netns.close();
    // It waits for what is under way; nothing is left to be told of its end.
    void this.#own?.close();
    this.#own = undefined;
  }
}
