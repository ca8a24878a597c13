import { type Cidr, formatCidr, networkOf } from '../base/cidr.ts';
import { type Ipv4, ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { NUD_PERMANENT, replaceNeighbourRequest } from '../wire/netlink/neighbour.ts';
import { type NewRoute, RTN_UNICAST } from '../wire/netlink/route.ts';
import { removeLastHop, setLastHop } from './last-hop.ts';
import { readLink } from './link-ioctl.ts';
import { NetNs } from './netns.ts';
import { RTPROT_LEASEHOLD } from './own-routes.ts';
import { Rtnl } from './rtnl.ts';
import { putRoute, removeNeighbour, removeRoute, type Step, takeSteps } from './steps.ts';

/** As node/host/ports.ts has it: what every pod sends service traffic to; never on the wire. */
export const SERVICE_NEXT_HOP: Ipv4 = ipv4('169.254.1.1');

/** The pod's part of the host side, in a pod's namespace: node/host/ports.ts' PodSidePort. */
export class PodSide {
  readonly #netns: NetNs;
  #own: Rtnl | undefined;

  constructor(netns: NetNs) {
    this.#netns = netns;
  }

  get inode(): string {
    return this.#netns.inode;
  }

  /** Opened on first use: a look does without. */
  get #rtnl(): Rtnl {
    this.#own ??= Rtnl.open(this.#netns);
    return this.#own;
  }

  /** An interface by name, at once. */
  peek(name: string): { readonly index: number; readonly mac?: Mac | undefined } | undefined {
    return readLink(name, this.#netns);
  }

  /**
   * Routes to `networks` by SERVICE_NEXT_HOP, a permanent neighbour with the shim's MAC, and none of ours to others.
   * None: neighbour and routes go. All is tried, whatever fails; rejects with the first SysError.
   */
  async setServices(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<void> {
    const wanted = new Map(networks.map((network) => [formatCidr(networkOf(network)), network]));
    const stale = (await this.#ownRoutes(index)).filter((route) => !wanted.has(formatCidr(route.dst)));
    const neighbour = wanted.size === 0 ? removeNeighbour(index, SERVICE_NEXT_HOP) : nextHop(index, shimMac);
    // The neighbour first: without it the pod would ask the LAN for it.
    const put = [...wanted.values()].map((dst) => putRoute(serviceRoute(index, dst)));
    const remove = stale.map((route) => removeRoute(route));
    const steps = wanted.size === 0 ? [...remove, neighbour] : [neighbour, ...put, ...remove];
    const failed = (await takeSteps(this.#rtnl, steps)).find((error) => error !== undefined);
    if (failed !== undefined) throw failed;
  }

  /** As `removeRoute` needs them to find just these. */
  async #ownRoutes(index: number): Promise<readonly NewRoute[]> {
    const all = await this.#rtnl.routes.list(4);
    return all
      .filter(({ type, protocol }) => type === RTN_UNICAST && protocol === RTPROT_LEASEHOLD)
      .filter((route) => route.index === index)
      .map(({ dst, gateway, metric, scope, protocol }) => ({ dst, gateway, metric, scope, protocol, index }));
  }

  /** Replies leave by the way that the connection came. */
  setLastHop(index: number, ifname: string): Promise<void> {
    return setLastHop(this.#netns, index, ifname);
  }

  /** No error when there is none. */
  removeLastHop(ifname: string): Promise<void> {
    return removeLastHop(this.#netns, ifname);
  }

  close(): void {
    this.#netns.close();
    // It waits for what is under way; nothing is left to be told of its end.
    void this.#own?.close();
    this.#own = undefined;
  }
}

/** Throws the SysErrors of `NetNs.open`: ENOENT, or ENOTNS for a path that is no network namespace. */
export function openPodSide(path: string): PodSide {
  return new PodSide(NetNs.open(path));
}

function nextHop(index: number, mac: Mac): Step {
  const neighbour = { index, address: SERVICE_NEXT_HOP, mac, state: NUD_PERMANENT };
  return { request: replaceNeighbourRequest(neighbour), soAlready: [] };
}

function serviceRoute(index: number, dst: Cidr<Ipv4>): NewRoute {
  return { dst, index, gateway: SERVICE_NEXT_HOP, onlink: true, protocol: RTPROT_LEASEHOLD };
}
