import { cidrContains, formatCidr, networkOf, type Cidr } from '../base/cidr.ts';
import { type Ip, isIpv4, isIpv6 } from '../base/ip.ts';
import { IPV4_ANY, ipv4FromNumber, ipv4ToNumber, type Ipv4, maskFromPrefix } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { addAddressRequest, type NewAddress } from '../wire/netlink/address.ts';
import { setLinkRequest } from '../wire/netlink/link-requests.ts';
import type { Link, MacvlanMode } from '../wire/netlink/link.ts';
import type { NetlinkRequest } from '../wire/netlink/message.ts';
import { addRouteRequest } from '../wire/netlink/route-requests.ts';
import { type NewRoute, type Route, RTN_UNICAST } from '../wire/netlink/route.ts';
import { RT_SCOPE_LINK } from '../wire/netlink/rtnetlink.ts';
import { type BriefLink, readLink } from './link-ioctl.ts';
import { NetNs } from './netns.ts';
import { Rtnl } from './rtnl.ts';
import { writeSysctls } from './sysctl.ts';
import { openUdp, type UdpSocket } from './udp-socket.ts';

/** RFC 2131 4.1: what a client listens on. */
const CLIENT_PORT = 68;
/** A network of 31 bits or more has no broadcast address (RFC 3021). */
const LONGEST_PREFIX_WITH_BROADCAST = 30;

type RouteThrough = {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly metric?: number | undefined;
};
type Wanted = {
  readonly addresses: readonly Cidr[];
  readonly routes: readonly RouteThrough[];
  readonly mtu?: number | undefined;
  readonly announce?: Mac | undefined;
};
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
type InterfaceRoute = {
  readonly dst: Cidr;
  readonly gateway?: Ip | undefined;
  readonly scope: 'link' | 'global';
  readonly metric?: number | undefined;
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
    this.#own ??= Rtnl.open(this.#netns);
    return this.#own;
  }

  link(name: string): Promise<Link | undefined> {
    return this.#rtnl.links.get(name);
  }

  /** At once, without its kind: no wait for the kernel's lock. */
  peek(name: string): BriefLink | undefined {
    return readLink(name, this.#netns);
  }

  linkByIndex(index: number): Promise<Link | undefined> {
    return this.#rtnl.links.get(index);
  }

  async defaultRoutes(): Promise<readonly Route[]> {
    return defaultRoutes(this.#rtnl);
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

  async deleteLink(index: number): Promise<void> {
    await unless('ENODEV', () => this.#rtnl.links.delete(index));
  }

  async addresses(index: number): Promise<readonly Cidr[]> {
    return (await this.#rtnl.addresses.list(index)).map((address) => address.cidr);
  }

  async ensureAddress(index: number, address: Cidr): Promise<boolean> {
    try {
      await this.#rtnl.addresses.add(newAddress(index, address));
      return true;
    } catch (error) {
      if (isSysError(error, 'EEXIST')) return false;
      throw error;
    }
  }

  async removeAddress(index: number, address: Cidr): Promise<void> {
    await unless('EADDRNOTAVAIL', () =>
      unless('ENODEV', () => this.#rtnl.addresses.delete({ index, cidr: address })),
    );
  }

  /**
   * One hop to the kernel for all of it. An address that is there stays; a route of this interface to the same place
   * is replaced, one of another interface is not touched.
   */
  async configure(index: number, wanted: Wanted): Promise<void> {
    const before: NetlinkRequest[] = [];
    const { mtu, announce } = wanted;
    if (mtu !== undefined || announce !== undefined) {
      before.push(setLinkRequest({ index, mtu, arpNotify: announce === undefined ? undefined : true }));
    }
    if (wanted.addresses.some(({ address }) => isIpv6(address))) await this.#enableIpv6(index);
    before.push(...wanted.addresses.map((address) => addAddressRequest(newAddress(index, address))));
    const routes = wanted.routes.map((route) => newRoute(index, route, wanted.addresses));
    // With arp_notify the kernel announces when a MAC is set, even to what it was (RFC 2131 4.4.1, RFC 5227 3).
    const after =
      announce === undefined || wanted.addresses.length === 0
        ? []
        : [setLinkRequest({ index, mac: announce })];
    const requests = [...before, ...routes.map(addRouteRequest), ...after];
    if (requests.length === 0) return;
    const outcomes = await this.#rtnl.batch(requests);
    const failed = outcomes.find((error) => error !== undefined && error.code !== 'EEXIST');
    if (failed !== undefined) throw failed;
    const rivalled = routes.filter((_, at) => outcomes[before.length + at] !== undefined);
    for (const route of rivalled) await this.#placeRoute(index, route);
  }

  /** The pod's first network keeps its default route when a second one comes; for after EEXIST. */
  async #placeRoute(index: number, route: NewRoute): Promise<void> {
    const v4 = isIpv4(route.dst.address);
    const dst = formatCidr(networkOf(route.dst));
    const rivals = (await this.#rtnl.routes.list(v4 ? 4 : 6)).flatMap(ways).filter(
      (other) =>
        other.index === index &&
        formatCidr(other.dst) === dst &&
        // IPv6 shows the metric that it took where none was given.
        (route.metric === undefined ? !v4 || (other.metric ?? 0) === 0 : other.metric === route.metric),
    );
    if (rivals.some((other) => other.gateway === route.gateway)) return;
    for (const { gateway, metric } of rivals) {
      await this.deleteRoute(index, { dst: route.dst, gateway, metric, scope: 'global' });
    }
    await unless('EEXIST', () => this.#rtnl.routes.append(route));
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

  async routes(index: number): Promise<readonly InterfaceRoute[]> {
    const all = [...(await this.#rtnl.routes.list(4)), ...(await this.#rtnl.routes.list(6))];
    return all
      .flatMap(ways)
      .filter((route) => route.type === RTN_UNICAST && route.index === index)
      .map((route) => ({
        dst: route.dst,
        gateway: route.gateway,
        scope: route.scope === RT_SCOPE_LINK ? 'link' : 'global',
        metric: route.metric,
      }));
  }

  async addRoute(index: number, route: RouteThrough): Promise<void> {
    await this.#rtnl.routes.add(newRoute(index, route, undefined));
  }

  async deleteRoute(index: number, route: InterfaceRoute): Promise<void> {
    const { dst, gateway, metric } = route;
    await unless('ESRCH', () =>
      this.#rtnl.routes.delete({
        dst,
        index,
        ...(gateway === undefined ? {} : { gateway }),
        ...(metric === undefined ? {} : { metric }),
      }),
    );
  }

  /** A kernel without the key (IPv6 switched off) has nothing to be told. */
  setSysctls(settings: readonly InterfaceSysctl[]): void {
    writeSysctls(
      this.#netns,
      settings.map(({ family, ifname, key, value }) => [[family, 'conf', ifname, key], value]),
    );
  }

  async hostUplink(link: {
    kind?: string | undefined;
    masterIndex?: number | undefined;
    index: number;
  }): Promise<number | undefined> {
    if (link.kind !== 'macvlan') return undefined;
    const current = await this.linkByIndex(link.index);
    if (current?.linkNetnsId === undefined) return undefined;
    // The id is this namespace's name for the one that the master is in: is that the daemon's?
    const hostId = await this.#rtnl.namespaceId(NetNs.self());
    return hostId === current.linkNetnsId ? current.masterIndex : undefined;
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

  close(): void {
    this.#netns.close();
    // It waits for what is under way; nothing is left to be told of its end.
    void this.#own?.close();
    this.#own = undefined;
  }
}

export async function defaultRoutes(rtnl: Rtnl): Promise<readonly Route[]> {
  const all = [...(await rtnl.routes.list(4)), ...(await rtnl.routes.list(6))];
  return all.filter((route) => route.dst.prefix === 0 && route.type === RTN_UNICAST).flatMap(ways);
}

/** Two networks with an IPv6 default route share one multipath route in the kernel: here each has its own. */
function ways(route: Route): readonly Route[] {
  const { nexthops, ...whole } = route;
  if (nexthops === undefined) return [route];
  return nexthops.map(({ index, gateway, onlink }) => ({ ...whole, index, gateway, onlink }));
}

async function unless(code: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isSysError(error, code)) throw error;
  }
}

function newAddress(index: number, cidr: Cidr): NewAddress {
  const { address, prefix } = cidr;
  if (!isIpv4(address) || prefix > LONGEST_PREFIX_WITH_BROADCAST) return { index, cidr };
  return { index, cidr, broadcast: broadcastOf(address, prefix) };
}

function broadcastOf(address: Ipv4, prefix: number): Ipv4 {
  return ipv4FromNumber((ipv4ToNumber(address) | ~ipv4ToNumber(maskFromPrefix(prefix))) >>> 0);
}

/** A gateway outside all of `addresses` is on the link all the same, or the network would not have named it. */
function newRoute(index: number, route: RouteThrough, addresses: readonly Cidr[] | undefined): NewRoute {
  const { dst, gateway, metric } = route;
  const offLink =
    gateway !== undefined && addresses?.some((address) => cidrContains(address, gateway)) === false;
  return {
    dst,
    index,
    ...(gateway === undefined ? { scope: RT_SCOPE_LINK } : { gateway }),
    ...(metric === undefined ? {} : { metric }),
    ...(offLink ? { onlink: true } : {}),
  };
}
