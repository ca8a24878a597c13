import { type Cidr, formatCidr, networkOf } from '../base/cidr.ts';
import { type Ipv4, ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { type Neighbour, NUD_PERMANENT, replaceNeighbourRequest } from '../wire/netlink/neighbour.ts';
import type { NewRoute, Route } from '../wire/netlink/route.ts';
import { addLastHop, removeLastHop, setLastHop } from './last-hop.ts';
import { readLink } from './link-ioctl.ts';
import { POD_DUMP_LIMIT } from './netlink-dump.ts';
import { NetNs } from './netns.ts';
import { RTPROT_LEASEHOLD } from './own-routes.ts';
import { lastHopProblem, serviceProblems } from './pod-side-look.ts';
import { Rtnl } from './rtnl.ts';
import { byDestination, serviceRoutes } from './service-routes.ts';
import { putRoute, removeNeighbour, removeRoute, type Step, takeSteps } from './steps.ts';

/** As node/host/ports.ts has it: what every pod sends service traffic to; never on the wire. */
export const SERVICE_NEXT_HOP: Ipv4 = ipv4('169.254.1.1');

type Lent = { readonly rtnl: () => Rtnl; readonly letGo: () => void };

function closed(): never {
  throw new SysError('use a pod', 'EBADF', 'its side is closed');
}

/** The pod's part of the host side, in a pod's namespace: node/host/ports.ts' PodSidePort. */
export class PodSide {
  readonly #netns: NetNs;
  #lent: Lent | undefined;
  #own: Rtnl | undefined;

  /** `lent`: the namespace, and a socket there, are somebody else's, who gets them back. */
  constructor(netns: NetNs, lent?: Lent) {
    this.#netns = netns;
    this.#lent = lent;
  }

  get inode(): string {
    return this.#netns.inode;
  }

  /** Opened on first use: a look does without. */
  get #rtnl(): Rtnl {
    if (this.#lent !== undefined) return this.#lent.rtnl();
    this.#own ??= Rtnl.open(this.#netns, POD_DUMP_LIMIT);
    return this.#own;
  }

  /** An interface by name, at once. */
  peek(name: string): { readonly index: number; readonly mac?: Mac | undefined } | undefined {
    return readLink(name, this.#netns);
  }

  /**
   * Routes to `networks` by SERVICE_NEXT_HOP, a permanent neighbour with the shim's MAC, and none of ours to others.
   * None: neighbour and routes go. What is so already is left alone. All is tried, whatever fails; rejects with the
   * first SysError.
   */
  async setServices(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<void> {
    const [routes, seen] = await Promise.all([
      unlessTooMany(serviceRoutes(this.#rtnl, index, networks.length > 0)),
      this.#rtnl.neighbours.get({ index, address: SERVICE_NEXT_HOP }),
    ]);
    await this.#take(planServices({ index, networks, shimMac }, routes, seen));
  }

  /** The same for an interface that was made a moment ago, and has nothing of ours yet. Rejects with SysError. */
  async addServices(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<void> {
    if (networks.length > 0) await this.#take(planServices({ index, networks, shimMac }, [], undefined));
  }

  async #take(steps: readonly Step[]): Promise<void> {
    const failed = (await takeSteps(this.#rtnl, steps)).find((error) => error !== undefined);
    if (failed !== undefined) throw failed;
  }

  /** Replies leave by the way that the connection came. */
  setLastHop(index: number, ifname: string): Promise<void> {
    return setLastHop(this.#netns, index, ifname);
  }

  /** The same for an interface that was made a moment ago, and has its name still. */
  addLastHop(ifname: string): Promise<void> {
    return addLastHop(this.#netns, ifname);
  }

  /** What is missing or wrong of what `setServices` does with the same, one short text each. Rejects with SysError. */
  serviceProblems(index: number, networks: readonly Cidr<Ipv4>[], shimMac: Mac): Promise<readonly string[]> {
    return serviceProblems(this.#rtnl, { index, networks, nextHop: SERVICE_NEXT_HOP, shimMac });
  }

  /** What is wrong with what `setLastHop` does; undefined: nothing. Rejects with SysError. */
  lastHopProblem(ifname: string): Promise<string | undefined> {
    return lastHopProblem(this.#netns, ifname);
  }

  /** No error when there is none. */
  removeLastHop(ifname: string): Promise<void> {
    return removeLastHop(this.#netns, ifname);
  }

  close(): void {
    if (this.#lent !== undefined) {
      const { letGo } = this.#lent;
      this.#lent = { rtnl: closed, letGo: () => undefined };
      letGo();
      return;
    }
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

/** A pod that made thousands of routes in our name has ours put into their midst, and keeps them. */
async function unlessTooMany(routes: Promise<readonly Route[]>): Promise<readonly Route[]> {
  try {
    return await routes;
  } catch (error) {
    if (isSysError(error, 'E2BIG')) return [];
    throw error;
  }
}

type Wanted = {
  readonly index: number;
  readonly networks: readonly Cidr<Ipv4>[];
  readonly shimMac: Mac;
};

/** What is to be done where these are the unicast routes, in the kernel's order, and this is the next hop's neighbour. */
function planServices(
  { index, networks, shimMac }: Wanted,
  routes: readonly Route[],
  seen: Neighbour | undefined,
): readonly Step[] {
  const wanted = new Map(networks.map((network) => [formatCidr(networkOf(network)), network]));
  const seenTo = byDestination(routes);
  const put = [...wanted].flatMap(([text, network]) => {
    // The kernel takes the first of those to one destination.
    const first = seenTo.get(text)?.[0];
    const isThere = first !== undefined && isOwn(first, index) && first.gateway === SERVICE_NEXT_HOP;
    return isThere ? [] : [network];
  });
  const stale = routes.filter((route) => isOwn(route, index) && !wanted.has(formatCidr(route.dst)));
  const remove = stale.map(({ dst, gateway, metric, scope, protocol }) =>
    // All that is needed to find just this one.
    removeRoute({ dst, gateway, metric, scope, protocol, index }),
  );
  if (wanted.size === 0) {
    return [...remove, ...(seen === undefined ? [] : [removeNeighbour(index, SERVICE_NEXT_HOP)])];
  }
  const isShim = seen?.mac === shimMac && (seen.state & NUD_PERMANENT) !== 0;
  // The neighbour first: without it the pod would ask the LAN for it.
  return [
    ...(isShim ? [] : [nextHop(index, shimMac)]),
    ...put.map((dst) => putRoute(serviceRoute(index, dst))),
    ...remove,
  ];
}

function isOwn(route: Route, index: number): boolean {
  return route.protocol === RTPROT_LEASEHOLD && route.index === index;
}

function nextHop(index: number, mac: Mac): Step {
  const neighbour = { index, address: SERVICE_NEXT_HOP, mac, state: NUD_PERMANENT };
  return { request: replaceNeighbourRequest(neighbour), soAlready: [] };
}

function serviceRoute(index: number, dst: Cidr<Ipv4>): NewRoute {
  return { dst, index, gateway: SERVICE_NEXT_HOP, onlink: true, protocol: RTPROT_LEASEHOLD };
}
